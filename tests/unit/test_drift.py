"""Whether an installed configuration means what would be written: the languages' own rules for comments and strings.

nginx: ngx_conf_read_token() takes '#' and quotes for what they are only where a word begins. Apache, "Configuration
Files": "Lines that begin with the hash character # are considered comments. Comments may not be included on the same
line as a configuration directive." Caddy, "Caddyfile Concepts", "Comments": "The hash character # for a comment cannot
appear in the middle of a token". VCL 4.1, vcl(7): //, # and /* */; long strings in {" "} and triple quotes. RFC 8259.
"""

from __future__ import annotations

import pytest

from shipfiles.edge.drift import drift

NGINX = "nginx.conf"


@pytest.mark.parametrize(
    ("name", "installed", "wanted"),
    [
        (NGINX, "# by hand\n\nserver {\n\tlisten 80; # here\n}\n", "server {\n  listen 80;\n}"),
        (NGINX, "server {\r\n}\r\n", "server {\n}\n"),
        (NGINX, "", "# nothing\n"),
        (NGINX, "server { listen 80; }# a\n} # b\n}# c", "server { listen 80; }\n}\n}"),
        ("apache.conf", "# a \\\n b \\\n c\nListen 80", "Listen 80"),
        ("function.js", "f(/'/); // a", "f(/'/);"),
        ("function.js", "f();\r\n// a\rg();", "f();\ng();"),
        ("Caddyfile", "example.com # the site\n{\n}", "example.com\n{\n}"),
        ("apache.conf", "  # a\nListen 80\n", "Listen 80\n"),
        ("default.vcl", "/* a\n b */ sub x { } // c\n# d\n", "sub x { }"),
        ("function.js", "// a\nf(); // b\n/* c */", "f();"),
        ("rules.json", '{"a": 1,\n "b": [2]}', '{"b":[2],"a":1}'),
    ],
)  # fmt: skip
def test_what_means_the_same(name: str, installed: str, wanted: str) -> None:
    assert drift(installed, wanted, name) == ""
    assert drift(wanted, installed, name) == ""


@pytest.mark.parametrize(
    ("name", "installed", "wanted"),
    [
        # No comment within a word, or in a string.
        (NGINX, "return 301 /a#b;", "return 301 /a#c;"),
        (NGINX, 'add_header X "a #b";', 'add_header X "a #c";'),
        (NGINX, "add_header X 'a\n# b\n';", "add_header X 'a\n# c\n';"),
        (NGINX, r'add_header X "a\" #b";', r'add_header X "a\" #c";'),
        (NGINX, 'add_header X "a\n b";', 'add_header X "a\n  b";'),
        (NGINX, 'add_header X "a\n\n b";', 'add_header X "a\n b";'),
        (NGINX, 'set $a it\'s; # b"\nset $b 1;', 'set $a it\'s; # b"\nset $b 2;'),
        # A quote in a comment opens nothing.
        (NGINX, "# it's\nlisten 80;", "# it's\nlisten 81;"),
        ("apache.conf", "Header set X a#b", "Header set X a#c"),
        ("apache.conf", "Define A b #c", "Define A b #d"),
        ("Caddyfile", "respond `a\n# b`", "respond `a\n# c`"),
        # Nor where no word begins.
        (NGINX, "a}# b", "a}# c"),
        (NGINX, "a\\ # b", "a\\ # c"),
        (NGINX, "set $a 'b'# c", "set $a 'b'# d"),
        (NGINX, "a;\u00a0# b", "a;\u00a0# c"),
        ("Caddyfile", "a {# b", "a {# c"),
        ("Caddyfile", "a;# b", "a;# c"),
        # What is blank to Python alone.
        (NGINX, "\u00a0return 200;", "return 200;"),
        (NGINX, "return 200;\v", "return 200;"),
        # A comment goes on behind a backslash, and swallows the next line.
        ("apache.conf", "# a \\\nRequire all denied", "# a\nRequire all denied"),
        ("apache.conf", "  # a \\\r\nRequire all denied\nB", "Require all denied\nB"),
        ("apache.conf", "Require all\\\n# denied", "Require all\\\n# granted"),
        # A script's lines have other ends, too.
        ("function.js", "// a\rf();", "// a"),
        ("function.js", "// a\u2028f();", "// a"),
        ("default.vcl", 'set x = "// a";', 'set x = "// b";'),
        ("default.vcl", 'synthetic({"\n# a\n"});', 'synthetic({"\n# b\n"});'),
        ("default.vcl", 'set x = "\\"; # a\nset y = 1;', 'set x = "\\"; # a\nset y = 2;'),
        ("function.js", "f('//a')", "f('//b')"),
        ("function.js", "f(`\n// a\n`)", "f(`\n// b\n`)"),
        ("function.js", "a / b /* c */ + 1", "a / b /* c */ + 2"),
        # A quote in a regular expression opens nothing; what divides begins none.
        ("function.js", "f(/'/); g('//a')", "f(/'/); g('//b')"),
        ("function.js", "x = /[/'\\]]/; g('//a')", "x = /[/'\\]]/; g('//b')"),
        ("function.js", "x = a / 2; g('//a') / 3", "x = a / 2; g('//b') / 3"),
        ("rules.json", '{"a": 1}', '{"a": 1.5}'),
        ("rules.json", '{"a": true}', '{"a": 1}'),
        ("rules.json", "[" * 100_000, '{"a": 1}'),
    ],
)  # fmt: skip
def test_what_does_not(name: str, installed: str, wanted: str) -> None:
    assert drift(installed, wanted, name)
    assert drift(wanted, installed, name)


def test_the_diff_has_the_numbers_of_the_lines_as_they_are() -> None:
    installed = "# one\n# two\na;\nb;\n\n# three\nc;\nd;\ne;\nf;\n"
    wanted = "a;\nb;\nc;\nd;\nother;\nf;\n"
    assert drift(installed, wanted, NGINX, "/etc/nginx/site.conf") == (
        "--- /etc/nginx/site.conf\n+++ nginx.conf, as it would be written now\n"
        "@@ -4,7 +2,5 @@\n b;\n c;\n d;\n-e;\n+other;\n f;"
    )


def test_all_of_it() -> None:
    assert drift("", "a;\n", NGINX).splitlines()[2:] == ["@@ -0,0 +1,1 @@", "+a;"]
    assert drift("a;\n", "", NGINX).splitlines()[2:] == ["@@ -1,1 +0,0 @@", "-a;"]


def test_a_long_line_takes_no_longer_for_each_character() -> None:
    """A megabyte in one line; quadratic work would take minutes."""
    text = "'" + "a \\' # " * 150_000
    assert drift(text, text + "b", NGINX)
