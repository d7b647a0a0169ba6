"""Names of static files in Django templates, without compiling them."""

from __future__ import annotations

import pytest
from django.template.base import DebugLexer, TokenType
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.django.proof.blocks import blocks
from shipfiles.django.proof.templates import uses_in

# Source, and (line, column, name) of each use; None for a name that only rendering could tell.
CASES = [
    ('{% static "a.css" %}', [(1, 1, "a.css")]),
    ("{% static 'a.css' %}", [(1, 1, "a.css")]),
    ("{%static 'a.css'%}", [(1, 1, "a.css")]),
    ("{%\tstatic\t'a.css'\t%}", [(1, 1, "a.css")]),
    ('{% static "a.css" as url %}', [(1, 1, "a.css")]),
    ('{% static "a b.css" %}', [(1, 1, "a b.css")]),
    (r'{% static "a\"b.css" %}', [(1, 1, 'a"b.css')]),
    (r"{% static 'a\'b.css' %}", [(1, 1, "a'b.css")]),
    ("{% static '' %}", [(1, 1, "")]),
    ('<p>\n  é {% static "a.css" %}{% static "b.css" %}', [(2, 5, "a.css"), (2, 25, "b.css")]),
    ('x\n\n{% if a %}{% static "a.css" %}\n{% endif %}{% static "b" %}', [(3, 11, "a.css"), (4, 12, "b")]),
    ("{% static name %}", [(1, 1, None)]),
    ("{% static name as url %}", [(1, 1, None)]),
    ("{% static 'a.'|add:kind %}", [(1, 1, None)]),
    ("{% static _('a.css') %}", [(1, 1, None)]),
    ("{% static 'a.css'b %}", [(1, 1, None)]),
    ("{% static %}", []),
    ("{% static_file 'a.css' %}{% staticx 'a' %}", []),
    ("{% versioned 'a.css' %}", [(1, 1, "a.css")]),
    ("{% get_static_prefix %}a.css", []),
    ("{{ 'a.css' }}{{ static }}", []),
    ("{# {% static 'a.css' %} #}", []),
    ("{# \n{% static 'a.css' %} #}", [(2, 1, "a.css")]),
    ("{% comment %}{% static 'a.css' %}{% endcomment %}{% static 'b.css' %}", [(1, 50, "b.css")]),
    ("{% comment 'why' %}\n{% static 'a.css' %}\n{% endcomment %}", []),
    ("{% comment %}{% static 'a.css' %}", []),
    ("{% verbatim %}{% static 'a.css' %}{% endverbatim %}{% static 'b.css' %}", [(1, 52, "b.css")]),
    ("{% verbatim x %}{% endverbatim %}{% static 'a.css' %}{% endverbatim x %}", []),
    ("{% verbatim %}{% comment %}{% endverbatim %}{% static 'a' %}", [(1, 45, "a")]),
    ("{% comment %}{% verbatim %}{% endcomment %}{% static 'a' %}", []),
    ("{% static\n'a.css' %}", []),
    ("{% load static from static %}{% static 'a' %}", [(1, 30, "a")]),
    ("{% load static from other %}{% static 'a' %}", [(1, 29, None)]),
    ("{% load x from other %}{% static 'a' %}", [(1, 24, "a")]),
    ("{% load static from other %}{% versioned 'a' %}", [(1, 29, "a")]),
    ("{% load static from other %}{% load static %}{% static 'a' %}", [(1, 46, "a")]),
]


@pytest.mark.parametrize(("source", "expected"), CASES)
def test_uses(source: str, expected: list) -> None:
    uses = list(uses_in(source, "t.html", True, ("static", "versioned")))
    assert [(use.line, use.column, use.name) for use in uses] == expected
    for use in uses:
        line = source.split("\n")[use.line - 1]
        assert line[use.column - 1 :].startswith(use.text)
        assert use.text.startswith("{%")
        assert use.text.endswith("%}")


S = "{% static 'a' %}"


@pytest.mark.parametrize(
    ("source", "sure"),
    [
        (f"{{% if debug %}}{S}{{% endif %}}{S}", [False, True]),
        (f"{{% if settings.DEBUG and x %}}{S}{{% else %}}{S}{{% endif %}}", [False, True]),
        (
            f"{{% if debug %}}{{% if x %}}{S}{{% else %}}{S}{{% endif %}}{S}{{% endif %}}{S}",
            [False, False, False, True],
        ),
        (f"{{% if not debug %}}{S}{{% else %}}{S}{{% endif %}}{S}", [True, False, True]),
        (f"{{% if x %}}{S}{{% elif debug %}}{S}{{% else %}}{S}{{% endif %}}", [True, False, True]),
        (f"{{% if debug or x %}}{S}{{% else %}}{S}{{% endif %}}", [True, True]),
        (f"{{% if debug == False %}}{S}{{% endif %}}", [True]),
        (f"{{% if user %}}{S}{{% endif %}}{{% endif %}}{{% else %}}{S}", [True, True]),
    ],
)
def test_what_only_development_reaches(source: str, sure: list[bool]) -> None:
    assert [use.sure for use in uses_in(source, "t.html", True)] == sure


def blocks_by_django(source: str) -> list[tuple[int, int, str]]:
    """The block tokens of Django's lexer that its parser does not skip."""
    found, in_comment = [], False
    for token in DebugLexer(source).tokenize():
        if token.token_type != TokenType.BLOCK:
            continue
        if in_comment:
            in_comment = token.contents != "endcomment"
        elif token.contents.split()[:1] == ["comment"]:
            in_comment = True
        else:
            found.append((*token.position, token.contents))
    return [block for block in found if not block[2].startswith(("verbatim", "endverbatim"))]


PIECES = ["{%", "%}", "{{", "}}", "{#", "#}", "{", "}", "%", "#", " ", "\n", "\t", "a", "'", "comment", "verbatim"]
PIECES += [f"{{% {tag} %}}" for tag in ("comment", "endcomment", "static 'a'")]
PIECES += [f"{{% {tag} %}}" for tag in ("verbatim", "endverbatim", "verbatim a", "endverbatim a")]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_blocks_are_those_of_django(source: str) -> None:
    ours = [block for block in blocks(source) if not block[2].startswith(("verbatim", "endverbatim"))]
    assert ours == blocks_by_django(source)


@given(st.text())
def test_any_text(source: str) -> None:
    list(uses_in(source, "t.html", True))


@pytest.mark.parametrize("piece", ["{%", "{{", "{#", "{{%", "{% static '", "{% static \\", "%}{%", "{#%}"])
def test_hostile_templates_take_linear_time(piece: str) -> None:
    # A scan that began again at each mark would take hours for this.
    assert len(list(uses_in(piece * 300_000, "t.html", True))) < 300_000
