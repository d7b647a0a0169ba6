"""Names of static files in Python source."""

from __future__ import annotations

import contextlib
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.django.proof.code import may_name_files, uses_in

STATIC = "from django.templatetags.static import static\n"
LAZY = "from django.utils.functional import lazy\n"
FORMS = "from django import forms\n"


# Source, and (line, column, name, text) of each use; None for a name that only running could tell.
CASES = {
    "call": (STATIC + 'x = static("a.css")', [(2, 5, "a.css", 'static("a.css")')]),
    "by keyword": (STATIC + 'static(path="a.css")', [(2, 1, "a.css", 'static(path="a.css")')]),
    "renamed": ("from django.templatetags.static import static as s\ns('a')", [(2, 1, "a", "s('a')")]),
    "module": ("from django.templatetags import static\nstatic.static('a')", [(2, 1, "a", "static.static('a')")]),
    "dotted": (
        "import django.templatetags.static\ndjango.templatetags.static.static('a')",
        [(2, 1, "a", "django.templatetags.static.static('a')")],
    ),
    "module renamed": ("import django.templatetags.static as m\nm.static('a')", [(2, 1, "a", "m.static('a')")]),
    "in a function": (
        "def f():\n    from django.templatetags.static import static\n    return static('a')",
        [(3, 12, "a", "static('a')")],
    ),
    "behind letters": (STATIC + "x = 'é', static('a')", [(2, 10, "a", "static('a')")]),
    "added": (STATIC + "static('a/' + 'b' 'c')", [(2, 1, "a/bc", "static('a/' + 'b' 'c')")]),
    "f-string of literals": (STATIC + "static(f'a{\"b\"}c')", [(2, 1, "abc", "static(f'a{\"b\"}c')")]),
    "f-string": (STATIC + "static(f'a/{x}')", [(2, 1, None, "static(f'a/{x}')")]),
    "variable": (STATIC + "static(x)", [(2, 1, None, "static(x)")]),
    "percent": (STATIC + "static('a%s' % x)", [(2, 1, None, "static('a%s' % x)")]),
    "over lines": (STATIC + "static(\n  'a'\n)", [(2, 1, "a", "static( ...")]),
    "either": (
        STATIC + "static('a' if x else 'b')",
        [(2, 1, "a", "static('a' if x else 'b')"), (2, 1, "b", "static('a' if x else 'b')")],
    ),
    "lazy": (
        STATIC + "from django.utils.functional import lazy\nstatic_lazy = lazy(static, str)\nstatic_lazy('a')",
        [(4, 1, "a", "static_lazy('a')")],
    ),
    "lazy at once": (
        STATIC + "from django.utils.functional import lazy\nlazy(static, str)('a')",
        [(3, 1, "a", "lazy(static, str)('a')")],
    ),
    "lazy, spread over lines": (
        STATIC + LAZY + "static_lazy = lazy(\n    static, str\n)\nstatic_lazy('a')",
        [(6, 1, "a", "static_lazy('a')")],
    ),
    "lazy, annotated": (STATIC + LAZY + "s: Url = lazy(static, str)\ns('a')", [(4, 1, "a", "s('a')")]),
    "lazy by keyword": (STATIC + LAZY + "lazy(func=static)('a')", [(3, 1, "a", "lazy(func=static)('a')")]),
    "lazy beside a parameter": (
        STATIC + LAZY + "def f(static): ...\nx = lazy(static, str)('a')",
        [(4, 5, "a", "lazy(static, str)('a')")],
    ),
    "lazy for another": (LAZY + "from x import static\nlazy(static, str)('a')", []),
    "aliases of aliases": (STATIC + "a = static\nb = a\nc = b\nc('a')", [(5, 1, "a", "c('a')")]),
    "in a decorator": (STATIC + "@media(static('a'))\ndef f(): ...", [(2, 8, "a", "static('a')")]),
    "in a lambda": (STATIC + "S = {'x': lambda r: static('a')}", [(2, 21, "a", "static('a')")]),
    "storage": (
        "from django.contrib.staticfiles.storage import staticfiles_storage\nstaticfiles_storage.url('a')",
        [(2, 1, "a", "staticfiles_storage.url('a')")],
    ),
    "storage by module": (
        "from django.contrib.staticfiles import storage as s\ns.staticfiles_storage.url('a')",
        [(2, 1, "a", "s.staticfiles_storage.url('a')")],
    ),
    "storages": (
        "from django.core.files.storage import storages\nstorages['staticfiles'].url('a')\nstorages['x'].url('b')",
        [(2, 1, "a", "storages['staticfiles'].url('a')")],
    ),
    "storages renamed": (
        "from django.core.files.storage import storages as s\ns['staticfiles'].url('a')",
        [(2, 1, "a", "s['staticfiles'].url('a')")],
    ),
    "another's static": ("from elsewhere import static\nstatic('a')", []),
    "nobody's static": ("from django.conf.urls.static import static\nstatic('/media/', document_root='x')", []),
    "bound twice": (STATIC + "def f(static):\n    return static('a')", [(3, 12, None, "static('a')")]),
    "one of two": (
        "try: from django.templatetags.static import static\nexcept ImportError: from x import static\nstatic('a')",
        [(3, 1, None, "static('a')")],
    ),
    "two of Django's": (
        """
        try:
            from django.contrib.staticfiles.templatetags.staticfiles import static
        except ImportError:
            from django.templatetags.static import static
        static('a')
        """,
        [(6, 1, "a", "static('a')")],
    ),
    "like static": ("from wagtail.x import versioned\nversioned('a')", [(2, 1, "a", "versioned('a')")]),
    "in a string": (STATIC + "'static(\"a\")'  # static('b')", []),
    "class Media": (
        """
        class F(Form):
            class Media:
                css = {"all": ["a.css", 'b.css'], "print": ("/c.css",)}
                js = ["d.js", "https://x/e.js", "//x/f.js", "http://x/g.js"]
        """,
        [(4, 24, "a.css", '"a.css"'), (4, 33, "b.css", "'b.css'"), (5, 15, "d.js", '"d.js"')],
    ),
    "class Media, put together": (
        """
        class F(Form):
            class Media(Base.Media):
                css: dict = dict(all=["a"])
                js = Base.js + ["b", *["c"]] + (["d"] if x else [])
                extend = False
        """,
        [(4, 31, "a", '"a"'), (5, 14, None, "Base.js"), (5, 25, "b", '"b"'), (5, 32, "c", '"c"'), (5, 42, "d", '"d"')],
    ),
    "class Media, unprovable": (
        """
        class F(Form):
            class Media:
                css = CSS
                js = [x, f"a{y}", "b%s" % z, JS("c")]
        """,
        [
            (4, 15, None, "CSS"),
            (5, 15, None, "x"),
            (5, 18, None, 'f"a{y}"'),
            (5, 27, None, '"b%s" % z'),
            (5, 38, None, 'JS("c")'),
        ],
    ),
    # Django takes such a text for a list of letters, other libraries for a file beside the module.
    "class Media with a text": ("class F(Form):\n  class Media:\n    js = 'a.js'", [(3, 10, None, "'a.js'")]),
    "class Media under if": ("class F(Form):\n  class Media:\n    if x:\n      js = ['a']", [(4, 13, "a", "'a'")]),
    "a class Media alone": ("class Media:\n  js = ['a']", []),
    "forms.Media": (
        FORMS + "m = forms.Media(css={'all': ['a']}, js=['b', forms.Script('c', defer=True)])",
        [(2, 30, "a", "'a'"), (2, 41, "b", "'b'"), (2, 46, "c", "forms.Script('c', defer=True)")],
    ),
    "forms.Media by place": (
        "from django.forms.widgets import Media\nMedia(None, {'all': ['a']}, ['b'])",
        [(2, 22, "a", "'a'"), (2, 30, "b", "'b'")],
    ),
    "Media renamed": ("from django.forms import Media as M\nM(js=['a'])", [(2, 7, "a", "'a'")]),
    "another's Media": ("from x import Media\nMedia(js=['a'])", []),
    "assets": (
        "from django.forms import Script, Stylesheet, MediaAsset\nScript(src='a'), Stylesheet('b'), Script('/c')",
        [(2, 1, "a", "Script(src='a')"), (2, 18, "b", "Stylesheet('b')")],
    ),
    "static in a Media": (
        STATIC + "class F(Form):\n  class Media:\n    js = [static('a')]",
        [(4, 11, "a", "static('a')")],
    ),
    "comprehension": (FORMS + "forms.Media(js=['a/%s' % x for x in y])", [(2, 16, None, "['a/%s' % x for x in y]")]),
    "Latin-1": (
        "# coding: latin-1\nfrom django.templatetags.static import static\nx = 'é', static('a')".encode("latin-1"),
        [(3, 10, "a", "static('a')")],
    ),
    "byte order mark and CRLF": (
        b"\xef\xbb\xbffrom django.templatetags.static import static\r\nstatic('a')\r\n",
        [(2, 1, "a", "static('a')")],
    ),
    "unrelated": ("class A:\n    @staticmethod\n    def static(): ...\nA.static('a')", []),
}


@pytest.mark.parametrize(("source", "expected"), CASES.values(), ids=CASES)
def test_uses(source: str | bytes, expected: list) -> None:
    body = source if isinstance(source, bytes) else textwrap.dedent(source).encode()
    uses = uses_in(body, "m.py", True, ("versioned",))
    assert [(use.line, use.column, use.name, use.text) for use in uses] == expected
    # What is worth finding must not be filtered out before.
    assert may_name_files(body, (b"versioned",)) or not expected


# Source, and (line, name) of each use. The scopes are those of the language reference, 4.2.1 and 4.2.2: what is bound
# in one concerns no other.
SCOPES = {
    "a parameter": (STATIC + "static('a')\ndef f(static): static('b')\nstatic('c')", [(2, "a"), (3, None), (4, "c")]),
    "a parameter of a lambda": (
        STATIC + "static('a')\nf = lambda static: static('b')\nstatic('c')",
        [(2, "a"), (3, None), (4, "c")],
    ),
    "each kind of parameter": (
        STATIC + "def f(static, /): static('a')\ndef f(*, static): static('b')\ndef f(**static): static('c')",
        [(2, None), (3, None), (4, None)],
    ),
    "a default": (
        STATIC + "def f(static=static('a')): ...\n@static('b')\ndef f(static) -> static('c'): ...",
        [(2, "a"), (3, "b"), (4, "c")],
    ),
    "a local": (STATIC + "static('a')\ndef f(): static('b'); static = x\nstatic('c')", [(2, "a"), (3, None), (4, "c")]),
    "a local, in a function inside": (
        STATIC + "def f(static):\n  def g(): static('a')\nstatic('b')\nstatic('c')",
        [(3, None), (4, "b"), (5, "c")],
    ),
    "a loop": (STATIC + "def f():\n  for static in x: ...\nstatic('a')", [(4, "a")]),
    "a handler": (
        STATIC + "def f():\n  try: ...\n  except E as static: static('a')\nstatic('b')",
        [(4, None), (5, "b")],
    ),
    "a pattern": (
        STATIC + "def f():\n  match x:\n    case [*static]: static('a')\nstatic('b')",
        [(4, None), (5, "b")],
    ),
    "a comprehension": (
        STATIC + "static('a')\n[static('b') for static in x]\nstatic('c')",
        [(2, "a"), (3, None), (4, "c")],
    ),
    "what a comprehension goes over": (
        STATIC + "static('a')\n{k: k for static in static('b')}\nstatic('c')",
        [(2, "a"), (3, "b"), (4, "c")],
    ),
    "a walrus in a comprehension": (
        STATIC + "static('a')\ndef f(): [static := x for x in y]; static('b')\nstatic('c')",
        [(2, "a"), (3, None), (4, "c")],
    ),
    "a method": (
        STATIC + "static('a')\nclass C:\n  def static(s): static('b')\nstatic('c')",
        [
            (2, "a"),
            (4, "b"),
            (5, "c"),
        ],
    ),
    "a class attribute": (
        STATIC + "static('a')\nclass C: static = static('b')\nstatic('c')",
        [(2, "a"), (3, None), (4, "c")],
    ),
    "global": (
        STATIC + "static('a')\ndef f(): global static; static = x\nstatic('c')",
        [
            (2, None),
            (4, None),
        ],
    ),
    "nonlocal": (
        STATIC + "def f():\n  static = x\n  def g():\n    nonlocal static\n    static = y\nstatic('a')",
        [(7, "a")],
    ),
    "imported in one function only": (
        "def f(): from django.templatetags.static import static; static('a')\ndef g(): static('b')",
        [(1, "a")],
    ),
    "another import in a function": (STATIC + "def f():\n  from x import static\n  static('a')", []),
    "a relative import in a function": (STATIC + "def f():\n  from .x import static\n  static('a')", []),
    "like static, from beside": ("from .x import versioned\nversioned('a')", [(2, "a")]),
    "all of a module": ("from django.templatetags.static import *\nstatic('a')", [(2, "a")]),
    "a Media in a function": (
        FORMS + "def f(forms): ...\nclass F(Form):\n  media = property(lambda self: forms.Media(js=['a']))",
        [(4, "a")],
    ),
}


@pytest.mark.parametrize(("source", "expected"), SCOPES.values(), ids=SCOPES)
def test_scopes(source: str, expected: list) -> None:
    assert [(use.line, use.name) for use in uses_in(source.encode(), "m.py", True, ("versioned",))] == expected


MEDIA = "    class Media:\n        js = ['a']\n"


@pytest.mark.parametrize(
    ("source", "sure"),
    [
        (STATIC + "if settings.DEBUG: static('a')\nelse: static('b')", [False, True]),
        (STATIC + "if not DEBUG: static('a')\nelse: static('b')", [True, False]),
        (STATIC + "if x and settings.DEBUG: f(lambda: static('a'))", [False]),
        (STATIC + "if x or settings.DEBUG: static('a')", [True]),
        (STATIC + "static('a' if settings.DEBUG else 'b')", [False, True]),
        (STATIC + "x = static('a') if DEBUG else static('b')", [False, True]),
        (STATIC + "if finders.find('a'): static('a')", [False]),
        (STATIC + "if found := finders.find('a'): static('a')", [False]),
        (STATIC + "try: static('a')\nexcept (KeyError, ValueError): static('b')", [False, True]),
        (STATIC + "try: static('a')\nexcept Exception: ...", [True]),
        (STATIC + "try: static('a')\nfinally: ...", [True]),
        ("class F(forms.ModelForm):\n" + MEDIA, [True]),
        ("class F(ModelAdmin[Thing]):\n" + MEDIA, [True]),
        ("class F(metaclass=MediaDefiningClass):\n" + MEDIA, [True]),
        ("class F(TextInput): ...\nclass G(F):\n" + MEDIA, [True]),
        ("class F(Component):\n" + MEDIA, [False]),
        ("class F(FormComponent):\n" + MEDIA, [False]),
        ("class F:\n" + MEDIA, [False]),
        ("class F(G): ...\nclass G(F):\n" + MEDIA, [False]),
        ("if DEBUG:\n  class F(Form):\n" + MEDIA, [False]),
    ],
)
def test_what_production_may_do_without(source: str, sure: list[bool]) -> None:
    assert [use.sure for use in uses_in(source.encode(), "m.py", True)] == sure


def test_a_long_chain_of_names_is_followed_some_way_only() -> None:
    # Each name takes another look at the module; without an end, hostile source would take quadratic time.
    chain = "".join(f"a{i + 1} = a{i}\n" for i in range(3000))
    assert uses_in(f"{STATIC}a0 = static\n{chain}a3000('a')".encode(), "m.py", True) == []


@pytest.mark.parametrize(
    "body",
    [b"\0", b"static(", b"# coding: nonsense\n", b"\xff\xfe", b"# coding: utf-8\n'\xff'", b"(" * 5000, b"a." * 5000],
)
def test_what_is_no_python_is_an_error_that_the_caller_knows(body: bytes) -> None:
    with pytest.raises((SyntaxError, ValueError, RecursionError, MemoryError)):
        uses_in(body, "m.py", True)


WORDS = st.sampled_from(
    ["static", "Media", "class ", ":", "\n", " ", "    ", "js", "=", "[", "]", "'a'", "(", ")", "import ", "from ",
     "django.templatetags.static ", "as ", "lazy", "forms", ".", ",", "{", "}", "+", "if ", "else ", "\t", "f'", "\0"]
)  # fmt: skip


@given(st.one_of(st.binary(), st.lists(WORDS).map(lambda words: "".join(words).encode())))
def test_any_bytes(body: bytes) -> None:
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        uses_in(body, "m.py", True)
