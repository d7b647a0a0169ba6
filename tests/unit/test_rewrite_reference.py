"""What the text of a reference means, and what it becomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.build.rewrite.reference import Target, Unresolvable, is_local, renamed, target_of


@pytest.mark.parametrize(
    "url",
    [
        "x.png",
        "./x.png",
        "../x.png",
        "/static/x.png",
        "x.eot?#iefix",
        " x.png\n",
        "a/b c.png",
        "..x",
        "sprite.svg#icon",
        "1:x",
        "é.png",
        ".../x",
        "a%20b",
    ],
)
def test_a_path_could_be_a_file(url):
    assert is_local(url, "url")


@pytest.mark.parametrize(
    "url",
    [
        "{{ x }}/a.png", "./{{x}}.js", "{% x %}", "<%= asset %>", "<?= $x ?>", "${x}.png", "[[x]].png", "{root}/a.png",
        "%PUBLIC_URL%/favicon.ico", "%BASE_URL%/x.js", "%sveltekit.assets%/x.png", "/%PUBLIC_URL%x.png",
        "__BASE__/x.js",
        "./__BASE_PATH__", "https://__HOST__/x.js",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["url", "module", "dynamic-import", "import", "script", "source-map"])
def test_what_is_to_be_filled_in_is_no_reference(url, kind):
    assert not is_local(url, kind)


@pytest.mark.parametrize(
    "url",
    [
        # RFC 3986 section 2.1: percent-encoding, each "%" with two digits
        "%E4ABC%20.png", "%BA%BE.png", "a%20b%20c.png", "%DEAD%BEEF.png", "__tests__/x.js", "__init__.js", "a__B__c.js",
        "x{1}.png", "{}.png", "$x.png", "100%.png", "_X_/a.js",
    ],
)  # fmt: skip
def test_what_only_looks_so_is_one(url):
    assert is_local(url, "url")


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "#x",
        "?v=1",
        "data:image/png;base64,AA",
        "DaTa:,x",
        "about:blank",
        "http:///x.png",
        "https:x.png",
        "https://host",
        "https://host/",
        "//host",
        "//host/a/",
        "a+b-c.1:x",
        "java\nscript:x",
        "\x01data:,x",
        ".",
        "..",
        "./",
        "../",
        "img/",
        "img/..",
        "/",
        "./?x",
        "../#x",
    ],
)
def test_a_scheme_a_host_a_fragment_or_a_folder_is_none(url):
    assert not is_local(url, "url")
    assert target_of(url, "css/app.css", "/static/") is None


HOSTS = ["http://host/x.png", "HTTPS://host/x.png", "//host/x.png", "\\\\host\\x.png", "/\\host/x.png"]


@pytest.mark.parametrize("url", HOSTS)
@pytest.mark.parametrize("static_url", ["/static/", "https://other/", "https://host/static/", "", "https://me@host/"])
def test_a_host_that_is_not_static_urls_is_not_ours(url, static_url):
    assert is_local(url, "url")
    assert target_of(url, "css/app.css", static_url) is None


@pytest.mark.parametrize(
    ("url", "static_url"),
    [
        ("https://cdn.example.com/s/img/x.png", "https://cdn.example.com/s/"),
        ("HTTPS://CDN.example.com:443/s/img/x.png?v#y", "https://cdn.example.com/s/"),
        ("//cdn.example.com/s/img/x.png", "https://cdn.example.com/s/"),
        ("//cdn.example.com:8080/s/./img/x.png", "http://cdn.example.com:8080/s/"),
        ("\\\\cdn.example.com\\s\\img\\x.png", "https://cdn.example.com/s/"),
        ("/s/img/x.png", "https://cdn.example.com/s/"),
        ("//cdn.example.com/img/x.png", "//cdn.example.com/"),
        ("../img/x.png", "https://cdn.example.com/s/"),
    ],
)
def test_a_url_with_static_urls_host_is_ours(url, static_url):
    # RFC 3986 section 6.2.2.1 and 6.2.3: case of scheme and host does not count, nor does a default port.
    assert target_of(url, "css/app.css", static_url) == Target("img/x.png")


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.example.com/s/x.png",
        "https://cdn.example.com:8443/s/x.png",
        "https://user@cdn.example.com/s/x.png",
        "https://cdn.example.com.evil/s/x.png",
        "https://cdn.example.com:port/s/x.png",
        "https://[::1/s/x.png",
        "https://cdn.example.com/t/x.png",
    ],
)
def test_another_origin_is_not_ours(url):
    assert target_of(url, "css/app.css", "https://cdn.example.com/s/") is None


@pytest.mark.parametrize(
    ("via", "url", "expected"),
    [
        ("../", "x.png", Target("x.png")),
        ("../img/", "x.png", Target("img/x.png")),
        ("../img/page.html", "x.png", Target("img/x.png")),
        ("/static/img/", "x.png", Target("img/x.png")),
        ("/other/", "x.png", None),
        ("/other/", "/static/x.png", Target("x.png")),
        ("https://host/", "/static/x.png", None),
        ("https://host", "x.png", None),
        ("//host/static/", "x.png", None),
        ("data:,x", "x.png", None),
        ("#x", "x.png", Target("css/x.png")),
        ("i%6dg/", "../../x.png", Target("x.png")),
        ("img/", "/static/x.png", Target("x.png")),
        ("..", "x.png", Target("css/x.png")),
        ("%2e%2e/", "x.png", Target("x.png")),
        ("../../", "x.png", Unresolvable("it leads above the root of the static files")),
        ("../", "../x.png", Unresolvable("it leads above the root of the static files")),
        ("%ff/", "x.png", Unresolvable("its percent-encoding is not UTF-8")),
        ("a%2fb/", "x.png", Unresolvable("an encoded slash cannot be part of a file's name")),
    ],
)
def test_a_base_comes_first(via, url, expected):
    # RFC 3986 section 5.1 and HTML Standard, "document base URL".
    assert target_of(url, "css/app.html", "/static/", via) == expected


def test_a_base_with_static_urls_host():
    assert target_of("x.png", "a.html", "https://cdn/s/", "//cdn/s/img/") == Target("img/x.png")
    assert target_of("/s/x.png", "a.html", "https://cdn/s/", "https://cdn") == Target("x.png")
    assert target_of("x.png", "a.html", "https://cdn/", "https://cdn") == Target("x.png")


def test_scheme_and_host_stay():
    assert (
        renamed("https://cdn.example.com/s//img/x.png?v#y", "img/x.1.png")
        == "https://cdn.example.com/s/img/x.1.png?v#y"
    )
    assert renamed("//cdn/x.png", "x.1.png") == "//cdn/x.1.png"


@pytest.mark.parametrize("url", ["x.js", "lodash", "@scope/x", "#internal", " ./x.js", ".x.js", "..\\x.js"])
def test_a_bare_specifier_is_none(url):
    assert not is_local(url, "module")
    assert not is_local(url, "dynamic-import")


@pytest.mark.parametrize("url", ["./x.js", "../x.js", "/static/x.js", "./x", "./a\\b.js"])
def test_a_relative_specifier_is_one(url):
    assert is_local(url, "module")


@pytest.mark.parametrize(
    ("url", "base", "logical"),
    [
        ("x.png", "css/app.css", "css/x.png"),
        ("./x.png", "css/app.css", "css/x.png"),
        ("../img/x.png", "css/app.css", "img/x.png"),
        ("x.png", "app.css", "x.png"),
        ("a/./b/../x.png", "css/app.css", "css/a/x.png"),
        ("font.eot?#iefix", "css/app.css", "css/font.eot"),
        ("font.svg?v=1#a/b", "css/app.css", "css/font.svg"),
        ("a%20b.png", "app.css", "a b.png"),
        ("a b.png", "app.css", "a b.png"),
        ("%C3%A9.png", "app.css", "é.png"),
        ("é.png", "app.css", "é.png"),
        ("%2e%2E/x.png", "css/app.css", "x.png"),
        ("100%.png", "app.css", "100%.png"),
        ("img//x.png", "app.css", "img/x.png"),
        ("img\\x.png", "app.css", "img/x.png"),
        ("im\ng/x.png", "app.css", "img/x.png"),
        ("/static/x.png", "css/app.css", "x.png"),
        ("/static/a%20b.png?v", "css/app.css", "a b.png"),
        ("/static/css/../x.png", "css/app.css", "x.png"),
        ("/other/../static/x.png", "css/app.css", "x.png"),
        ("/../static/x.png", "css/app.css", "x.png"),
        ("a%3Fb%23c.png", "app.css", "a?b#c.png"),
    ],
)
def test_a_reference_names_a_logical_path(url, base, logical):
    assert target_of(url, base, "/static/") == Target(logical)


@pytest.mark.parametrize("url", ["/x.png", "/static", "/staticx/x.png", "/static/../x.png", "/media/x.png"])
def test_other_absolute_paths_are_not_ours(url):
    assert target_of(url, "css/app.css", "/static/") is None


def test_absolute_paths_are_never_ours_without_a_static_path():
    assert target_of("/static/x.png", "css/app.css", "") is None


def test_the_static_path_may_be_encoded():
    assert target_of("/státic/x.png", "app.css", "/st%C3%A1tic/") == Target("x.png")


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("../../x.png", "above the root"),
        ("../x/../../x.png", "above the root"),
        ("%ff.png", "not UTF-8"),
        ("a%2Fb.png", "encoded slash"),
        ("a%5cb.png", "encoded slash"),
    ],
)
def test_what_cannot_name_a_file_says_why(url, what):
    result = target_of(url, "css/app.css", "/static/")
    assert isinstance(result, Unresolvable)
    assert what in result.what


@pytest.mark.parametrize(
    ("url", "name", "expected"),
    [
        ("x.png", "css/x.0123.png", "x.0123.png"),
        ("./x.js", "js/x.0123.js", "./x.0123.js"),
        ("../img/./x.png", "img/x.0123.png", "../img/./x.0123.png"),
        ("/static/img/x.png", "img/x.0123.png", "/static/img/x.0123.png"),
        ("f.eot?#iefix", "f.0123.eot", "f.0123.eot?#iefix"),
        ("f.svg?v=1&w=2#a/b", "f.0123.svg", "f.0123.svg?v=1&w=2#a/b"),
        ("a%20b/c%20d.png", "a b/c d.0123.png", "a%20b/c%20d.0123.png"),
        ("a b/(c).png", "a b/(c).0123.png", "a%20b/%28c%29.0123.png"),
        ("it's/x.png", "it's/x.0123.png", "it%27s/x.0123.png"),
        ("é/é.png", "é/é.0123.png", "%C3%A9/%C3%A9.0123.png"),
        ("a\\b.png", "a/b.0123.png", "a/b.0123.png"),
        ("a//b.png", "a/b.0123.png", "a/b.0123.png"),
        (" x.png\t", "x.0123.png", "x.0123.png"),
        ("x.png?a=\"b\"#'c'", "x.0123.png", "x.0123.png?a=%22b%22#%27c%27"),
        ("a%3Ab.png", "a:b.0123.png", "a%3Ab.0123.png"),
        ("./a:b.png", "a:b.0123.png", "./a:b.0123.png"),
        ("${x}/`y`.js", "${x}/`y`.0123.js", "$%7Bx%7D/%60y%60.0123.js"),
    ],
)
def test_only_the_last_segment_is_renamed(url, name, expected):
    assert renamed(url, name) == expected


_PART = st.text(
    st.characters(exclude_characters="/\\", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6
).filter(lambda p: p.strip() and p not in (".", ".."))


@given(st.lists(_PART, min_size=1, max_size=3), st.sampled_from(["", "./", "../", "/static/"]))
def test_a_renamed_reference_leads_to_the_renamed_file(parts, prefix):
    from urllib.parse import quote

    url = prefix + "/".join(quote(p, safe="") for p in parts)
    base = "top/app.css"
    target = target_of(url, base, "/static/")
    assert isinstance(target, Target)
    text = renamed(url, target.logical + ".0123")
    assert text.isascii()
    assert not set("\"'()\\` \t\n{}<>") & set(text)
    assert target_of(text, base, "/static/") == Target(target.logical + ".0123")
