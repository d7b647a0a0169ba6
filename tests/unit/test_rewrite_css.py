"""References in style sheets: cases from the standards, then what must hold for any bytes."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.build.rewrite import css
from shipfiles.build.rewrite.css import references
from shipfiles.model import Reference
from shipfiles.testing.rewriter import check_renaming, check_spans
from tests.linear import check_linear, check_linear_pair

# The clause; the style sheet; its references, "kind url" or only the URL where the kind is "url". "import?" is one that
# is not required. Other tests take the cases from here, too.
CASES: list[tuple[str, str, list[str]]] = [
    # CSS Syntax 3 section 4.3.6: url tokens
    ("Syntax 4.3.6", "a{b:url(x.png)}", ["x.png"]),
    ("Syntax 4.3.6", "a{b:url(  x.png\n\t)}", ["x.png"]),
    ("Syntax 4.3.6", "a{b:url(\r\n\fx.png\r\n)}", ["x.png"]),
    ("Syntax 4.3.6", "a{b:url(x.png", ["x.png"]),
    ("Syntax 4.3.6", "a{b:url(x.png  ", ["x.png"]),
    ("Syntax 4.3.6", "a{b:url()}", []),
    ("Syntax 4.3.6", "a{b:url(   )}", []),
    ("Syntax 4.3.6", "a{b:url(a b.png)}b{c:url(y.png)}", ["y.png"]),
    ("Syntax 4.3.6", "a{b:url(a'b.png)}b{c:url(y.png)}", ["y.png"]),
    ("Syntax 4.3.6", 'a{b:url(a"b.png)}b{c:url(y.png)}', ["y.png"]),
    ("Syntax 4.3.6", "a{b:url(a(b.png)}b{c:url(y.png)}", ["y.png"]),
    ("Syntax 4.3.6", "a{b:url(a\x07b.png)}b{c:url(y.png)}", ["y.png"]),
    ("Syntax 4.3.6", "a{b:url(a\x7fb.png)}b{c:url(y.png)}", ["y.png"]),
    ("Syntax 4.3.6", "a{b:url(/*x*/y.png)}", ["/*x*/y.png"]),
    ("Syntax 4.3.6", "a{b:url(http://h/*.png)}b{c:url(y.png)/* */}", ["y.png"]),
    ("Syntax 4.3.6", "a{b:url(//h/x.png)}b{c:url(y.png)}", ["y.png"]),
    ("Syntax 4.3.6", "a{b:url(a{b}c;d.png)}", ["a{b}c;d.png"]),
    ("Syntax 4.3.6", "a{b:url(é.png)}", ["é.png"]),
    ("Syntax 4.3.6", "a{b:url(a%20b.png)}", ["a%20b.png"]),
    ("Syntax 4.3.6", "a{b:url(x.png)url(y.png)}", ["x.png", "y.png"]),
    ("Syntax 4.3.6", 'a{b:url(/**/"x.png")}b{c:url(y.png)}', ["y.png"]),
    # 4.3.14: the remnants of a bad url
    ("Syntax 4.3.14", r"a{b:url(a b\)url(x.png)}b{c:url(y.png)}", ["y.png"]),
    ("Syntax 4.3.14", "a{b:url(a b;}b{c:url(x.png)}b{c:url(y.png)}", ["y.png"]),
    ("Syntax 4.3.14", "a{b:url(a 'b)url(y.png)'", ["y.png"]),
    ("Syntax 4.3.14", "a{b:url(a b", []),
    # 4.3.4: url( with a quote is a function
    ("Syntax 4.3.4", 'a{b:url("x.png")}', ["x.png"]),
    ("Syntax 4.3.4", "a{b:url('x.png')}", ["x.png"]),
    ("Syntax 4.3.4", 'a{b:url( \n "x.png" \n )}', ["x.png"]),
    ("Syntax 4.3.4", 'a{b:url("x.png"/**/)}', ["x.png"]),
    ("Syntax 4.3.4", 'a{b:url("a b(c).png")}', ["a b(c).png"]),
    ("Syntax 4.3.4", 'a{b:url("it\'s.png")}', ["it's.png"]),
    ("Syntax 4.3.4", 'a{b:url("")}', []),
    ("Syntax 4.3.4", "a{b:URL(x.png)}", ["x.png"]),
    ("Syntax 4.3.4", 'a{b:uRl("x.png")}', ["x.png"]),
    ("Syntax 4.3.4", "a{b:url (x.png)}", []),
    ("Syntax 4.3.4", "a{b:my-url(x.png)}", []),
    ("Syntax 4.3.4", "a{b:myurl(x.png)}", []),
    ("Syntax 4.3.4", "a{b:url2(x.png)}", []),
    ("Syntax 4.3.4", "a{b:url-prefix(x.png)}", []),
    ("Syntax 4.3.4", "a{b:-url(x.png)}", []),
    ("Syntax 4.3.4", "a{b:_url(x.png)}", []),
    ("Syntax 4.3.4", "a{b:éurl(x.png)}", []),
    ("Syntax 4.3.3", "a{b:1url(x.png)}", []),
    ("Syntax 4.3.3", "a{b:10%url(x.png)}", ["x.png"]),
    ("Syntax 4.3.1", "a{b:#url(x.png)}", []),
    ("Syntax 4.3.1", "@url(x.png)", []),
    ("Syntax 4.3.1", "a{b:+url(x.png)}", ["x.png"]),
    ("Syntax 4.3.1", "<!--url(x.png)-->", ["x.png"]),
    ("Syntax 4.3.1", r"<!--\75rl(x.png)-->", ["x.png"]),
    ("Syntax 4.3.1", "a{b:c(d,url(x.png))}", ["x.png"]),
    ("Syntax 4.3.1", "a{b:(url(x.png)}", ["x.png"]),
    # 4.3.5: strings
    ("Syntax 4.3.5", 'a{b:"url(x.png)"}', []),
    ("Syntax 4.3.5", "a{b:'url(x.png)'}", []),
    ("Syntax 4.3.5", r'a{b:"\"url(x.png)"}', []),
    ("Syntax 4.3.5", 'a{b:"\\\nurl(x.png)"}', []),
    ("Syntax 4.3.5", 'a{b:"\\\r\nurl(x.png)"}', []),
    ("Syntax 4.3.5", 'a{b:"bad\nurl(x.png)}', ["x.png"]),
    ("Syntax 4.3.5", "a{b:'bad\rc:url(x.png)}", ["x.png"]),
    ("Syntax 4.3.5", "a{b:'bad\fc:url(x.png)}", ["x.png"]),
    ("Syntax 4.3.5", 'a{b:url("bad\n)}b{c:url(x.png)}', ["x.png"]),
    ("Syntax 4.3.5", 'a{b:"url(x.png)', []),
    ("Syntax 4.3.5", 'a{b:url("x.png', ["x.png"]),
    ("Syntax 4.3.5", 'a{b:"/*"}b{c:url(x.png)/*"*/}', ["x.png"]),
    ("Syntax 4.3.5", 'a[href="url(x.png)"]{b:c}', []),
    # 4.3.2: comments
    ("Syntax 4.3.2", "/*url(x.png)*/a{b:url(y.png)}", ["y.png"]),
    ("Syntax 4.3.2", "/*/url(x.png)*/", []),
    ("Syntax 4.3.2", "/***/a{b:url(x.png)}", ["x.png"]),
    ("Syntax 4.3.2", "/*'*/a{b:url(x.png)}/*'*/", ["x.png"]),
    ("Syntax 4.3.2", "/* url(x.png)", []),
    ("Syntax 4.3.2", "// url(x.png)", ["x.png"]),
    ("Syntax 4.3.2", "/*a/*b*/a{b:url(x.png)}*/", ["x.png"]),
    ("Syntax 4.3.2", r"/*\*/a{b:url(x.png)}", ["x.png"]),
    ("Syntax 4.3.2", 'a{b:url("x.png"/*', ["x.png"]),
    # 4.3.7: escapes
    ("Syntax 4.3.7", r"a{b:u\72l(x.png)}", ["x.png"]),
    ("Syntax 4.3.7", r"a{b:\75rl(x.png)}", ["x.png"]),
    ("Syntax 4.3.7", r"a{b:\000075rl(x.png)}", ["x.png"]),
    ("Syntax 4.3.7", r"a{b:u\52 L(x.png)}", ["x.png"]),
    ("Syntax 4.3.7", r"a{b:\url(x.png)}", ["x.png"]),
    ("Syntax 4.3.7", r"a{b:\31 url(x.png)}", []),
    ("Syntax 4.3.7", r"a{b:\-url(x.png)}", []),
    ("Syntax 4.3.7", r"a{b:#\75rl(x.png)}", []),
    ("Syntax 4.3.7", r"a{b:1\75rl(x.png)}", []),
    ("Syntax 4.3.7", r"@a\"url(x.png)", []),
    ("Syntax 4.3.7", r".a\"b{c:url(x.png)}.d\"e{}", ["x.png"]),
    ("Syntax 4.3.7", r".a\'{c:url(x.png)}", ["x.png"]),
    ("Syntax 4.3.7", r".a\/*{c:url(x.png)}", ["x.png"]),
    ("Syntax 4.3.7", r"a{b:url(a\)b.png)}", ["a)b.png"]),
    ("Syntax 4.3.7", r"a{b:url(a\ b.png)}", ["a b.png"]),
    ("Syntax 4.3.7", r"a{b:url(\61 b.png)}", ["ab.png"]),
    ("Syntax 4.3.7", r"a{b:url(x\2e png)}", ["x.png"]),
    ("Syntax 4.3.7", r"a{b:url(\1F600.png)}", ["😀.png"]),
    ("Syntax 4.3.7", r"a{b:url(x\0.png)}", ["x\ufffd.png"]),
    ("Syntax 4.3.7", r"a{b:url(x\d800.png)}", ["x\ufffd.png"]),
    ("Syntax 4.3.7", r"a{b:url(x\110000.png)}", ["x\ufffd.png"]),
    ("Syntax 4.3.7", r'a{b:url("a\"b.png")}', ['a"b.png']),
    ("Syntax 4.3.7", 'a{b:url("a\\\nb.png")}', ["ab.png"]),
    ("Syntax 4.3.7", 'a{b:url("a\\\r\nb.png")}', ["ab.png"]),
    ("Syntax 4.3.7", r'a{b:url("\64 ata:,x")}', []),
    ("Syntax 3.3", "a{b:url(a\0b.png)}", ["a\ufffdb.png"]),
    ("Syntax 4.3.7", 'a{b:"\\61\nurl(x.png)";c:url(y.png)}', ["y.png"]),
    ("Syntax 4.3.7", 'a{b:"\\61\r\nurl(x.png)";c:url(y.png)}', ["y.png"]),
    ("Syntax 4.3.7", 'a{b:"\\61 \nc:url(x.png)}', ["x.png"]),
    ("Syntax 4.3.7", 'a{b:url("\\61\nb.png")}', ["ab.png"]),
    ("Syntax 4.3.5", 'a{b:url("a\\', ["a"]),
    ("Syntax 4.3.7", "a{b:url(a\\", ["a\ufffd"]),
    ("Syntax 4.3.7", r"a{b:url(\000061b.png)}", ["ab.png"]),
    ("Syntax 4.3.7", r"a{b:url(\0000610.png)}", ["a0.png"]),
    ("Syntax 4.3.7", r"a{b:ur\6C(x.png)}", ["x.png"]),
    ("Syntax 4.3.7", r"a{b:\55\52\4c(x.png)}", ["x.png"]),
    ("Syntax 4.3.7", "a{b:\\75\r\nrl(x.png)}", ["x.png"]),
    ("Syntax 4.3.7", r"a{b:\75  rl(x.png)}", []),
    ("Syntax 4.3.7", r"a{b:url\28x.png)}", []),
    ("Syntax 4.3.7", r"a{b:url\(x.png)}", []),
    ("Syntax 4.3.8", "a{b:\\\nurl(x.png)}", ["x.png"]),
    ("Syntax 4.3.8", "@supports\\\n(a:url(x.png)){}", []),
    ("Syntax 4.3.1", r"\<!--url(x.png)-->", []),
    ("Syntax 4.3.1", r"\\<!--url(x.png)-->", ["x.png"]),
    ("Syntax 4.3.1", "<!---url(x.png)-->", []),
    ("Syntax 4.3.1", "a-->url(x.png)", ["x.png"]),
    ("Syntax 4.3.3", "a{b:5.url(x.png)}", ["x.png"]),
    ("Syntax 4.3.3", "a{b:.5url(x.png)}", []),
    ("Syntax 4.3.3", "a{b:1e5url(x.png)}", []),
    ("Syntax 4.3.3", "a{b:1e+5url(x.png)}", []),
    ("Syntax 4.3.3", "a{b:1e+url(x.png)}", ["x.png"]),
    # CSS Cascade 5 section 2: @import
    ("Cascade 2", '@import "x.css";', ["import x.css"]),
    ("Cascade 2", "@import 'x.css';", ["import x.css"]),
    ("Cascade 2", "@import url(x.css);", ["import x.css"]),
    ("Cascade 2", '@import url("x.css");', ["import x.css"]),
    ("Cascade 2", '@import src("x.css");', ["import x.css"]),
    ("Cascade 2", '@import"x.css"', ["import x.css"]),
    ("Cascade 2", "@IMPORT 'x.css'", ["import x.css"]),
    ("Cascade 2", r"@im\70 ort 'x.css'", ["import x.css"]),
    ("Cascade 2", "@import/*a*/ /*b*/'x.css'", ["import x.css"]),
    ("Cascade 2", "@import/*a*/url(x.css)", ["import x.css"]),
    ("Cascade 2", '@import "x.css" layer;', ["import x.css"]),
    ("Cascade 2", '@import "x.css" layer(a.b) supports(display:grid) screen and (width>1px);', ["import x.css"]),
    ("Cascade 2", '@import url("x.css")layer(a)print', ["import x.css"]),
    ("Cascade 2", '@charset "utf-8";@import "x.css";', ["import x.css"]),
    ("Cascade 2", "\ufeff@import 'x.css';", ["import x.css"]),
    ("Cascade 2", '@import "a.css";@import "b.css";', ["import a.css", "import b.css"]),
    ("Cascade 2", '@import "https://h/x.css";', []),
    ("Cascade 2", '@import "//h/x.css";', []),
    ("Cascade 2", '@imports "x.css";', []),
    ("Cascade 2", '@import-x "x.css";', []),
    ("Cascade 2", r'@import\x "x.css";', []),
    ("Cascade 2", '@import x "x.css";', []),
    ("Cascade 2", r'\@import "x.css";', []),
    ("Cascade 2", '/*@import "x.css";*/', []),
    ("Cascade 2", "a{b:'@import \"x.css\"'}", []),
    ("Cascade 2", "@import url(x.css);a{b:url(y.png)}", ["import x.css", "y.png"]),
    ("Cascade 2", '@import url("x.css"supports(a));', ["import x.css"]),
    # Cascade 5 section 2: "must precede all other valid at-rules and style rules ... (ignoring @charset and @layer
    # statement rules)". What comes later is rewritten, but a browser that ignores it misses nothing.
    ("Cascade 2", 'a{}@import "x.css";', ["import? x.css"]),
    ("Cascade 2", "a{b:url(x.png)}@import url(x.css);", ["x.png", "import? x.css"]),
    ("Cascade 2", '@media print{}@import "x.css";', ["import? x.css"]),
    ("Cascade 2", '@font-face{src:url(f.woff)}@import "x.css";', ["f.woff", "import? x.css"]),
    ("Cascade 2", '@layer a, b;@import "x.css" layer(a);', ["import x.css"]),
    ("Cascade 2", '@layer a{}@import "x.css";', ["import? x.css"]),
    ("Cascade 2", '@layer a;/**/@import "x.css";@import "y.css";', ["import x.css", "import y.css"]),
    ("Cascade 2", '@import "x.css";a{}@import "y.css";', ["import x.css", "import? y.css"]),
    ("Cascade 2", '@namespace "n";@import "x.css";', ["import? x.css"]),
    ("Cascade 2", r'@n\61mespace "n";@import "x.css";', ["import? x.css"]),
    ("Cascade 2", '@unknown a (b;c) [d];@import "x.css";', ["import x.css"]),
    ("Cascade 2", '@unknown{a:b}@import "x.css";', ["import? x.css"]),
    ("Cascade 2", '@media print{@import "x.css";}', ["import? x.css"]),
    ("Cascade 2", 'a{@import "x.css";}', ["import? x.css"]),
    ("Cascade 2", '@import "x.css" print{a{b:url(y.png)}}', ["import? x.css", "y.png"]),
    ("Cascade 2", '@import "x.css"\na{b:url(y.png)}', ["import? x.css", "y.png"]),
    ("Cascade 2", '@import url("x.css") screen', ["import x.css"]),
    ("Cascade 2", "@import url(x.css) print;a{b:url(y.png)}", ["import x.css", "y.png"]),
    ("Cascade 2", '@import "x.css" supports(background:url(y.png));', ["import x.css"]),
    ("Cascade 2", '@import "x.css" supports(background:url("y;.png"));a{b:url(z.png)}', ["import x.css", "z.png"]),
    ("Cascade 2", '@import url("x.css") layer(a.b) supports(not (display:grid)) print;', ["import x.css"]),
    ("Cascade 2", '@import url("x.css")/*;*/print;@import "y.css";', ["import x.css", "import y.css"]),
    ("Cascade 2", '@import url(x.css?v=1;w=2);@import "y.css";', ["import x.css?v=1;w=2", "import y.css"]),
    ("Cascade 2", '@import print url(x.css);@import "y.css";', ["import y.css"]),
    ("Cascade 2", '@import;@import "y.css";', ["import y.css"]),
    ("Cascade 2", '@@import "x.css";', ["import? x.css"]),
    ("Syntax 5.4.1", '<!-- @import "x.css"; -->@import "y.css";', ["import x.css", "import y.css"]),
    ("Syntax 5.4.1", ';@import "x.css";', ["import? x.css"]),
    ("Syntax 5.4.1", '@import "x.css";;@import "y.css";', ["import x.css", "import? y.css"]),
    ("Syntax 5.4.2", '@charset "utf-8" {}@import "x.css";', ["import? x.css"]),
    ("Syntax 5.4.2", '@x [;@import "y.css";];@import "x.css";', ["import? y.css", "import x.css"]),
    # CSS Namespaces 3 section 2
    ("Namespaces 2", "@namespace url(x);a{b:url(y.png)}", ["y.png"]),
    ("Namespaces 2", '@namespace "x";', []),
    ("Namespaces 2", "@namespace svg url(x);", []),
    ("Namespaces 2", '@namespace svg url("x");', []),
    ("Namespaces 2", "@NAMESPACE/**/svg/**/'x';", []),
    ("Namespaces 2", r"@n\61mespace svg url(x);", []),
    ("Namespaces 2", "@namespace a|b url(x) ;a{b:url(y.png)}", ["y.png"]),
    # CSS Conditional 3 and 5: a condition is compared, nothing in it is loaded
    ("Conditional 3 6", "@supports (mask:url(x.svg)){a{b:url(y.png)}}", ["y.png"]),
    ("Conditional 3 6", '@supports not (a:image-set("x.png" 1x)){a{b:url(y.png)}}', ["y.png"]),
    ("Conditional 3 6", '@SUPPORTS/**/(a:url("x{y.png")) and (b:c){a{b:url(y.png)}}', ["y.png"]),
    ("Conditional 3 6", r"@s\75pports (a:url(x.png)){a{b:url(y.png)}}", ["y.png"]),
    ("Conditional 3 6", "@supports (a:b){@supports (c:url(x.png)){a{b:url(y.png)}}}", ["y.png"]),
    ("Conditional 3 6", "@supports selector(a > b){a{b:url(y.png)}}", ["y.png"]),
    ("Conditional 3 6", "@supports (a:{b:url(x.png)}) {a{b:url(y.png)}}", ["y.png"]),
    ("Conditional 3 6", "a{@supports (a:url(x.png))}b{c:url(y.png)}", ["y.png"]),
    ("Conditional 3 6", "@supports-x (a:url(x.png)){}", ["x.png"]),
    ("Conditional 5 3", "@container style(--x:url(x.png)){a{b:url(y.png)}}", ["y.png"]),
    ("Conditional 5 3", "@container (width>1px){a{b:url(y.png)}}", ["y.png"]),
    ("Conditional 2012 6", "@-moz-document url(x.html),url-prefix(''){a{b:url(y.png)}}", ["y.png"]),
    ("Conditional 2012 6", "@document url('x.html'){a{b:url(y.png)}}", ["y.png"]),
    ("Conditional 3 2", "@media print{a{b:url(y.png)}}", ["y.png"]),
    # CSS Syntax 3 section 8.1 and others: strings that name no file
    ("Syntax 3.2", '@charset "x.css";', []),
    ("Fonts 4", "a{font-family:'x.ttf'}", []),
    ("Values 4", "a{b:attr(x.png)}", []),
    ("Fonts 4 4.3", "@font-face{src:local('x.ttf'),local(x)}", []),
    ("Fonts 4 4.3", "@font-face{src:'x.ttf'}", []),
    ("Content 3", "a{content:'x.png'}", []),
    ("Grid 7.3", "a{grid-template-areas:'a.png b.png'}", []),
    # What only old browsers understand: for Syntax 3 they are functions and declarations like any other
    ("Syntax 4.3.4", "a{filter:progid:DXImageTransform.Microsoft.AlphaImageLoader(src='x.png',sizingMethod='a')}", []),
    ("Syntax 4.3.4", "a{-ms-filter:\"progid:D.M.AlphaImageLoader(src='x.png')\"}", []),
    ("Syntax 4.3.4", "a{width:expression(b.src='x.png');c:url(y.png)}", ["y.png"]),
    ("Syntax 4.3.4", "a{width:expression(b > 1 ? 'url(x.png)' : \"auto\")}", []),
    ("Values 4.5", "a{behavior:url(x.htc)}", ["x.htc"]),
    ("Values 4.5", "a{*background:url(x.png)}", ["x.png"]),
    ("Values 4.5", "a{_background:url(x.png)}", ["x.png"]),
    ("Values 4.5", r"a{background:url(x.png)\9}", ["x.png"]),
    ("Values 4.5", r"a{background:url(x.png) \0/;c:url(y.png)}", ["x.png", "y.png"]),
    ("Values 4.5", r"a{c:red\9;background:url('x.png')\9;d:url(y.png)}", ["x.png", "y.png"]),
    ("Values 4.5", r"a{voice-family:'\'}\'';voice-family:inherit;b:url(x.png)}", ["x.png"]),
    ("Values 4.5", "a{b:-moz-element(#x);c:element(#y)}", []),
    # CSS Values 4 section 4.5: url() with modifiers, src()
    ("Values 4.5", 'a{b:url("x.png" crossorigin(anonymous))}', ["x.png"]),
    ("Values 4.5", 'a{b:url("x.png" foo)}', ["x.png"]),
    ("Values 4.5", 'a{b:url("x.png" "y.png")}', []),
    ("Values 4.5", 'a{b:src("x.png")}', ["x.png"]),
    ("Values 4.5", 'a{b:SRC( /**/ "x.png" )}', ["x.png"]),
    ("Values 4.5", "a{b:src(x.png)}", []),
    ("Values 4.5", "a{b:src(var(--x))}", []),
    ("Values 4.5", 'a{b:my-src("x.png")}', []),
    ("Values 4.5", "a{b:src('x.png' foo(1,'y.png'))}", ["x.png"]),
    ("Values 4.5.4", 'a{b:url( "x.png" integrity("sha") referrerpolicy(origin) )}', ["x.png"]),
    ("Values 4.5.4", 'a{b:url("x.png" 5)}', []),
    ("Values 4.5.4", 'a{b:url("x.png" -a)}', ["x.png"]),
    ("Values 4.5.4", 'a{b:url("x.png" -5)}', []),
    ("Values 4.5.4", 'a{b:url("x.png",)}', []),
    ("Values 4.5.4", r'a{b:url("x.png" \61)}', ["x.png"]),
    ("Values 4.5.4", 'a{b:url("x.png" --a)}', ["x.png"]),
    ("Values 4.5.4", 'a{b:url("x.png"-->)}', []),
    ("Values 4.5", 'a{b:src("")}', []),
    ("Values 4.5", r'a{b:\73rc("x.png")}', ["x.png"]),
    ("Values 4.5", 'a{b:src(url("x.png"))}', ["x.png"]),
    ("Values 4.5", "a{b:src(src('x.png'))}", ["x.png"]),
    ("Values 4.5", 'a{b:src("x.png', ["x.png"]),
    ("Values 4.5.1", "a{b:url(#x)}", []),
    ("Values 4.5.1", "a{b:url(?x)}", []),
    ("Values 4.5.1", "a{b:url('#x')}", []),
    ("Values 4.5.1", "a{b:url(x.svg#y)}", ["x.svg#y"]),
    # CSS Images 4 section 2.4: image-set()
    ("Images 2.4", 'a{b:image-set("x.png" 1x,"y.png" 2x)}', ["x.png", "y.png"]),
    ("Images 2.4", "a{b:-webkit-image-set(url(x.png) 1x, url('y.png') 2x)}", ["x.png", "y.png"]),
    ("Images 2.4", "a{b:-webkit-image-set('x.png' 1x)}", ["x.png"]),
    ("Images 2.4", 'a{b:IMAGE-SET( /*"c"*/ "x.png" 1x /**/ , /**/ "y.png")}', ["x.png", "y.png"]),
    ("Images 2.4", 'a{b:image-set("x.avif" type("image/avif"),"y.png" type("image/png"))}', ["x.avif", "y.png"]),
    ("Images 2.4", 'a{b:image-set(url("x.png")1x,"y.png"2x)"z.png"}', ["x.png", "y.png"]),
    ("Images 2.4", 'a{b:image-set(linear-gradient(red,blue) 1x,"y.png" 2x)}', ["y.png"]),
    ("Images 2.4", r'a{b:image-\73 et("x.png" 1x)}', ["x.png"]),
    ("Images 2.4", 'a{b:my-image-set("x.png" 1x)}', []),
    ("Images 2.4", 'a{b:image-set("data:,x" 1x,"y.png" 2x)}', ["y.png"]),
    ("Images 2.4", 'a{b:image-set("x.png" 1x);c:url(y.png)}', ["x.png", "y.png"]),
    ("Images 2.4", 'a{b:image-set(url(a b) 1x,"y.png" 2x)}', ["y.png"]),
    ("Images 2.4", 'a{b:image-set(src("x.png") 1x,"y.png" 2x)}', ["x.png", "y.png"]),
    ("Images 2.4", 'a{b:image-set("x.png"', ["x.png"]),
    ("Images 2.4", 'a{b:image-set("x.png" type("y.png") 1x)}', ["x.png"]),
    ("Images 2.4", 'a{b:image-set(1x "x.png")}', []),
    ("Images 2.4", 'a{b:image-set(]"x.png" 1x,"y.png" 2x)}', ["y.png"]),
    ("Images 2.4", 'a{b:image-set([)"x.png"],"y.png" 2x),"z.png"}', ["y.png"]),
    ("Images 2.4", 'a{b:image-set((a,"x.png"),{b,"x.png"},c(d,"x.png"),"y.png")}', ["y.png"]),
    ("Images 2.4", 'a{b:image-set(url( "x.png" ) 1x, SRC("y.png"a) 2x)}', ["x.png", "y.png"]),
    ("Images 2.4", 'a{b:image-set(url(x"y) 1x,"y.png" 2x)}', ["y.png"]),
    ("Images 2.4", 'a{b:image-set("bad\n,"y.png" 2x)}', ["y.png"]),
    ("Images 2.4", 'a{b:image-set(/*,"x.png"*/"y.png" 2x)}', ["y.png"]),
    ("Images 2.4", 'a{b:-WebKit-Image-Set(url("x.png")1x)}', ["x.png"]),
    ("Images 2.4", 'a{b:-moz-image-set("x.png" 1x)}', []),
    ("Images 2.4", 'a{b:-web\u212ait-image-set("x.png" 1x)}', []),
    ("Images 2.4", r'a{b:-web\212a it-image-set("x.png" 1x)}', []),
    ("Images 2.4", 'a{b:image-set("x.png" 1x,/*', ["x.png"]),
    ("Images 2.4", 'a{--x:image-set("x.png" 1x, url(y.png) 2x)}', ["x.png", "y.png"]),
    ("Images 2.6", 'a{b:cross-fade(image-set("x.png" 1x),url(y.png))}', ["x.png", "y.png"]),
    ("Images 2.6", 'a{b:-webkit-cross-fade(-webkit-image-set("x.png" 1x),"y.png",.5)}', ["x.png"]),
    ("Images 2.6", "a{b:cross-fade(url(x.png) 50%, url(y.png))}", ["x.png", "y.png"]),
    # Where they occur
    ("Fonts 4.3", "@font-face{src:url(x.eot?#iefix)format('e'),url(x.woff2)}", ["x.eot?#iefix", "x.woff2"]),
    ("UI 4", "a{cursor:url(x.cur) 1 2,auto;mask:url(m.svg#m);filter:url(f.svg#f)}", ["x.cur", "m.svg#m", "f.svg#f"]),
    ("Variables 2", ":root{--x:url(x.png);--y: url('y.png')}", ["x.png", "y.png"]),
    ("Variables 2", ":root{--x:{a:url(x.png)};--y:a url(y.png)!important}", ["x.png", "y.png"]),
    ("Variables 2", ":root{--url:'x.png';--z:my(url(z.png))}", ["z.png"]),
    ("Properties 1 2", "@property --x{syntax:'<url>';initial-value:url(x.png)}", ["x.png"]),
    ("Fonts 4.3", "@font-face{src:url('x.eot?#iefix') format('embedded-opentype')}", ["x.eot?#iefix"]),
    ("Fonts 4.3", "@font-face{src:url(x.woff2) format(woff2) tech(color-COLRv1)}", ["x.woff2"]),
    ("Lists 3", "ul{list-style:square url(x.gif)}@counter-style a{symbols:url(y.svg)}", ["x.gif", "y.svg"]),
    ("Masking 1", "a{clip-path:url(#c);mask-border:url(m.png) 1;-webkit-mask:url(n.svg)}", ["m.png", "n.svg"]),
    ("Motion 1", "a{offset-path:url(p.svg#p);shape-outside:url(s.png)}", ["p.svg#p", "s.png"]),
    ("Shadow 1", "a{b:url(x.png),/**/url(y.png)/**/,url(z.png)}", ["x.png", "y.png", "z.png"]),
    ("Nesting 1", "a{b:c;@media print{d:url(x.png)}& i{e:url(y.png)}f:url(z.png)}", ["x.png", "y.png", "z.png"]),
    ("Nesting 1", "@layer a{@scope (b) to (c){:scope{d:url(x.png)}}}", ["x.png"]),
    ("Keyframes 1", "@keyframes a{0%{b:url(x.png)}to{b:url(y.png)}}", ["x.png", "y.png"]),
    ("Nesting 1", "a{&:hover{b:url(x.png)}@media print{c:url(y.png)}}", ["x.png", "y.png"]),
    ("Syntax 5", "a{b:url(x.png)}}}}c{d:url(y.png)", ["x.png", "y.png"]),
    # RFC 3986: schemes and hosts
    ("RFC 3986 3.1", "a{b:url(data:image/svg+xml;utf8,<svg>)}", []),
    ("RFC 3986 3.1", "a{b:url(DATA:,x)}", []),
    ("RFC 3986 3.1", 'a{b:url("HTTPS://h/x.png")}', []),
    ("RFC 3986 3.1", "a{b:url(about:blank)url(blob:x)url(chrome://x)}", []),
    ("RFC 3986 4.2", 'a{b:url("//h/x.png")}', []),
    ("RFC 3986 4.2", "a{b:url(/static/x.png)}", ["/static/x.png"]),
    # ECMA-426 section 11.1.2: the source map
    ("ECMA-426 11", "a{}\n/*# sourceMappingURL=x.css.map */", ["source-map x.css.map"]),
    ("ECMA-426 11", "a{}/*# sourceMappingURL=x.css.map*/", ["source-map x.css.map"]),
    ("ECMA-426 11", "/*@ sourceMappingURL=x.css.map */\n\n/*! end */", ["source-map x.css.map"]),
    ("ECMA-426 11", "/*# sourceMappingURL=a.map */a{}/*# sourceMappingURL=b.map */", ["source-map b.map"]),
    ("ECMA-426 11", "/*# sourceMappingURL=x.map */a{}", []),
    ("ECMA-426 11", "/*# sourceMappingURL=data:application/json,x */", []),
    ("ECMA-426 11", "/*# sourceMappingURL=a b.map */", []),
    ("ECMA-426 11", "/* see /*# sourceMappingURL=x.map */", []),
    ("ECMA-426 11", "//# sourceMappingURL=x.map", []),
    ("ECMA-426 11", "@import 'x.css'/*# sourceMappingURL=x.map */", ["import x.css", "source-map x.map"]),
    ("ECMA-426 11", "/*# sourceMappingURL=url(x.map) */", ["source-map url(x.map)"]),
    ("ECMA-426 11", r"/*# sourceMappingURL=a\62.map */", [r"source-map a\62.map"]),
    ("ECMA-426 11", 'a{b:"/*# sourceMappingURL=x.map */', []),
    ("ECMA-426 11", "a{b:url(x.png)}/*#\tsourceMappingURL=m\n*/", ["x.png", "source-map m"]),
]


def found(body: bytes) -> list[str]:
    # Whether a URL's host is ours is for STATIC_URL to say.
    return [r.url if r.kind == "url" else _named(r) for r in references(body) if not urlsplit(r.url).netloc]


def _named(reference: Reference) -> str:
    return f"{reference.kind}{'?' * (reference.kind == 'import' and not reference.required)} {reference.url}"


@pytest.mark.parametrize(("clause", "text", "expected"), CASES)
def test_case(clause, text, expected):
    assert found(text.encode()) == expected


@pytest.mark.parametrize(("clause", "text", "expected"), CASES)
def test_what_is_found_is_found_again_after_renaming(clause, text, expected):
    check_renaming(css, text.encode())


PIECES = [t for _, text, _ in CASES for t in (text, text[: len(text) // 2], text[len(text) // 2 :])]
PIECES += ["\\", '"', "'", "/*", "*/", "(", ")", "url(", "@import ", "\n", "image-set(", "\0", "-", "<!--", "\ufeff"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_spans_are_sound_in_any_text(text):
    check_spans(css, text.encode())


@given(st.binary(max_size=200) | st.lists(st.sampled_from([p.encode("utf-16") for p in PIECES[:40]])).map(b"".join))
def test_any_bytes_are_read(body):
    references(body)


def test_text_that_is_not_utf8_is_read_as_far_as_ascii_goes():
    body = "/* é */a{b:url(x.png);c:url(é.png)}".encode("latin-1")
    assert found(body) == ["x.png", "\ufffd.png"]


def test_utf16_yields_nothing():
    assert references("a{b:url(x.png)}".encode("utf-16")) == []


# Units that a careless pattern would read again and again. No clock: quadratic work on these would be seen without one.
HOSTILE = [
    "url(", "url(x)", 'url("', "url(a ", 'url(a"', "url(   ", "url(\\", "url(#", "\\url(", 'src("x"', 'src("x"/**/',
    "src(/*", "/*", "/**/", '"', '"\n', "\\", "\\a", "\\61\\62(", "u\\72l(", "(", "{", "a", "-", "@", "#", "<!--",
    "@import", "@import ", "@import/*", "@import/**/", "@import url(", "@namespace a", "@namespace\\61 ",
    "@\\69mport", "image-set(", 'image-set("a",', "image-set(url(", 'image-set(url("a"', "image-set(/*",
    "image-set(<!--", "/*# sourceMappingURL=x */", "sourceMappingURL=", "e-set(", "aurl(", "image-set((",
    "image-set([)", 'image-set(src("a"', "image-set(\"\n", "image-set(\\", "@supports (", "@supports(a:",
    "@supports{", "@supports[)",
    "@container/*", '@import "a";', '@import "a"', '@import "a" (', "@import url(a", '@layer a;@import "a";',
    'a{}@import "a";', '@@import "a";', "@x;", "@x", "@x(", ";@import a", "<!--@import'a'", "<!--url(", "\\<!--url(",
    "\\\\<!--url(", '"\\61\n', "'\\", "url( ", "url(\n", "url(a\\\n", "\\61 ", "\\\n", "\0", "--", "-->",
    "é", "\ufeff", "/*#sourceMappingURL=", "/*# sourceMappingURL=x*/a", "/", "/ *", "*/", "**/",
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.parametrize("head", ["", "a{b:image-set("])
def test_reading_is_linear(unit, head):
    check_linear(references, unit.encode(), head.encode(), b"url(x.png)")


OPENERS = [
    "(",
    "{",
    "image-set(",
    "url(",
    "src(",
    '@import "a"',
    "@supports (",
    "@\\69mport ",
    "\\61 ",
    "/*",
    "<!--",
    '"',
]
CLOSERS = [")", "}", "]", ";", "url(a)", "/**/", '\n"', "\\75rl(", "-->", ',"a"', "@import'a';"]


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("closer", CLOSERS)
def test_reading_pairs_is_linear(opener, closer):
    check_linear_pair(lambda text: references(text + b"url(x.png)"), opener.encode(), closer.encode())


@pytest.mark.parametrize(
    ("text", "required"),
    [("a{behavior:url(PIE.htc)}", False), ("a{behavior:url('a/PIE.HTC?x')}", False), ("a{b:url(x.htc.png)}", True)],
)
def test_what_only_internet_explorer_loads_may_be_missing(text, required):
    # No specification has the property "behavior"; pages name its file relative to themselves.
    assert [r.required for r in references(text.encode())] == [required]


@pytest.mark.parametrize("url", ["<%=asset%>", "${x}.png", "{{x}}.png", "%PUBLIC_URL%/x.png", "{root}/x.png"])
def test_what_is_to_be_filled_in_is_no_reference(url):
    assert references(f"a{{b:url({url});c:url('{url}')}}@import '{url}';".encode()) == []


def test_many_references_are_all_found():
    assert len(references(b"a{b:url(x.png)}" * 20_000)) == 20_000
