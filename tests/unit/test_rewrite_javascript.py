"""References in scripts and modules: cases from the standards, then what must hold for any bytes."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shipfiles.build.rewrite import javascript
from shipfiles.build.rewrite.javascript import references
from shipfiles.build.rewrite.javascript_walk import Walk
from shipfiles.testing.rewriter import check_renaming, check_spans
from tests.linear import check_linear, check_linear_pair
from tests.oracles import javascript_tree

# The clause; the script; its references, "kind url" or only the URL where the kind is "module".
CASES: list[tuple[str, str, list[str]]] = [
    # ECMA-262 section 16.2.2: imports
    ("16.2.2", 'import "./x.js"', ["./x.js"]),
    ("16.2.2", "import './x.js';", ["./x.js"]),
    ("16.2.2", 'import"./x.js"', ["./x.js"]),
    ("16.2.2", 'import a from "./x.js"', ["./x.js"]),
    ("16.2.2", 'import $ from"./x.js"', ["./x.js"]),
    ("16.2.2", 'import * as a from "./x.js"', ["./x.js"]),
    ("16.2.2", 'import*as a from"./x.js"', ["./x.js"]),
    ("16.2.2", 'import {} from "./x.js"', ["./x.js"]),
    ("16.2.2", 'import{a}from"./x.js"', ["./x.js"]),
    ("16.2.2", 'import {a as b, default as c, "d e" as f,} from "./x.js"', ["./x.js"]),
    ("16.2.2", 'import {"}" as a} from "./x.js"', ["./x.js"]),
    ("16.2.2", 'import a, {b} from "./x.js"', ["./x.js"]),
    ("16.2.2", 'import a,*as b from"./x.js"', ["./x.js"]),
    ("16.2.2", 'import from from "./x.js"', ["./x.js"]),
    ("16.2.2", 'import as from "./x.js"', ["./x.js"]),
    ("16.2.2", 'import * as from from "./x.js"', ["./x.js"]),
    ("16.2.2", 'import été from "./x.js"', ["./x.js"]),
    ("16.2.2", 'import \\u0061 from "./x.js"', ["./x.js"]),
    ("16.2.2", 'import\n{\n  a, // one }\n  b /* two " */\n}\nfrom\n"./x.js"', ["./x.js"]),
    ("16.2.2", 'import/**/a/**/from/**/"./x.js"', ["./x.js"]),
    ("16.2.2", 'import// c\n"./x.js"', ["./x.js"]),
    ("16.2.2", 'import\u00a0a\u2028from\ufeff"./x.js"', ["./x.js"]),
    ("16.2.2", 'import a from "./a.js";import b from "./b.js"\nimport "./c.js"', ["./a.js", "./b.js", "./c.js"]),
    ("16.2.2", '"use strict";import"./x.js"', ["./x.js"]),
    ("16.2.2", 'function f(){}import"./x.js"', ["./x.js"]),
    ("16.2.2", 'import a from "./x.json" with {type: "json"}', ["./x.json"]),
    ("16.2.2", 'import a from "./x.css" with { "type" : "css" };', ["./x.css"]),
    ("16.2.2", 'import a from "./x.json" assert {type: "json"}', ["./x.json"]),
    ("16.2.2", 'import defer * as a from "./x.js"', ["./x.js"]),
    ("16.2.2", 'import defer from "./x.js"', ["./x.js"]),
    ("16.2.2", 'import source a from "./x.wasm"', ["./x.wasm"]),
    ("16.2.2", 'import source from "./x.js"', ["./x.js"]),
    ("16.2.2", '/* a\n*/ import "./x.js"', ["./x.js"]),
    ("16.2.2", 'a;/* b */import "./x.js"', ["./x.js"]),
    ("16.2.2", 'f()\t;\v import "./x.js"', ["./x.js"]),
    ("16.2.2", '\u3000import "./x.js"', ["./x.js"]),
    ("16.2.2", ";" + " " * 500 + 'import "./x.js"', ["./x.js"]),
    ("16.2.2", "/*" + "-" * 500 + '*/import "./x.js"', ["./x.js"]),
    ("16.2.2", "import a from `./x.js`", []),
    ("16.2.2", "import a", []),
    ("16.2.2", 'important "./x.js"', []),
    ("16.2.2", '$import "./x.js"', []),
    ("16.2.2", 'éimport "./x.js"', []),
    ("16.2.2", '\\u0061import("./x.js")', []),
    # 13.3.10: what stands before a call on its line, and between its bracket and its argument
    ("12.4", '// import("./x.js")\u2028import("./y.js")', ["dynamic-import ./y.js"]),
    ("12.4", '// a\rimport("./y.js")', ["dynamic-import ./y.js"]),
    ("12.4", '/*\n// */ import("./y.js")', ["dynamic-import ./y.js"]),
    ("12.9.6", '`\n// ${import("./y.js")}`', ["dynamic-import ./y.js"]),
    ("12.9.6", '`\n// `; import("./y.js")', ["dynamic-import ./y.js"]),
    ("12.9.4", "a = '\\\n// '; import('./y.js')", ["dynamic-import ./y.js"]),
    ("13.3.10", 'import(/*1*//*2*/ /*3*//*4*/ // 5\n"./x.js")', ["dynamic-import ./x.js"]),
    ("13.3.10", "import(/*" + "-" * 500 + '*/"./x.js")', ["dynamic-import ./x.js"]),
    ("13.3.10", 'import("\\x2e/x.js")', ["dynamic-import ./x.js"]),
    ("13.3.10", 'import("./x.js"/**/, {})', ["dynamic-import ./x.js"]),
    ("13.3.10", 'import("x.js")', []),
    ("13.3.12", 'new URL("x.js"/**/,/**/import.meta.url)', ["url x.js"]),
    ("13.3.12", 'new URL("x.js",import/**/.meta.url)', ["url x.js"]),
    ("13.3.12", 'new window/**/./**/URL/**/(/**/"x.js",import\u00a0.meta.url)', ["url x.js"]),
    ("B.1.1", 'a = "<!--"; import("./x.js")', ["dynamic-import ./x.js"]),
    ("B.1.1", 'a = "-->"; b <!-- import("./x.js")\nimport("./y.js")', ["dynamic-import ./y.js"]),
    ("B.1.1", 'while (n --> 0) import("./x.js")', ["dynamic-import ./x.js"]),
    # 16.2.3: exports
    ("16.2.3", 'export * from "./x.js"', ["./x.js"]),
    ("16.2.3", 'export*from"./x.js"', ["./x.js"]),
    ("16.2.3", 'export * as a from "./x.js"', ["./x.js"]),
    ("16.2.3", 'export * as "a b" from "./x.js"', ["./x.js"]),
    ("16.2.3", 'export * as default from "./x.js"', ["./x.js"]),
    ("16.2.3", 'export {a, b as c, default} from "./x.js"', ["./x.js"]),
    ("16.2.3", 'export{a as"b c"}from"./x.js"', ["./x.js"]),
    ("16.2.3", 'export {} from "./x.js"', ["./x.js"]),
    ("16.2.3", 'export/**/{/*}*/a}/**/from/**/"./x.js"', ["./x.js"]),
    ("16.2.3", 'export {a from as b}; from; "./x.js"', []),
    ("16.2.3", 'export {a}; "./x.js"', []),
    ("16.2.3", 'export default "./x.js"', []),
    ("16.2.3", 'export const a = "./x.js"', []),
    ("16.2.3", 'x={export:"./x.js"};a.export*from"./x.js"', []),
    # 13.3.10: import calls
    ("13.3.10", 'import("./x.js")', ["dynamic-import ./x.js"]),
    ("13.3.10", "import('./x.js').then(f)", ["dynamic-import ./x.js"]),
    ("13.3.10", "import(`./x.js`)", ["dynamic-import ./x.js"]),
    ("13.3.10", 'import ( "./x.js" , )', ["dynamic-import ./x.js"]),
    ("13.3.10", 'import("./x.json", {with: {type: "json"}})', ["dynamic-import ./x.json"]),
    ("13.3.10", 'import(/* webpackChunkName: "x" */ "./x.js" /* end */)', ["dynamic-import ./x.js"]),
    ("13.3.10", 'import/**/(// c\n"./x.js")', ["dynamic-import ./x.js"]),
    ("13.3.10", 'await import("./x.js")', ["dynamic-import ./x.js"]),
    ("13.3.10", 'a=>import("./x.js")', ["dynamic-import ./x.js"]),
    ("13.3.10", '[...import("./x.js")]', ["dynamic-import ./x.js"]),
    ("13.3.10", 'f(a,import("./x.js"))', ["dynamic-import ./x.js"]),
    ("13.3.10", "a?import('./x.js'):import('./y.js')", ["dynamic-import ./x.js", "dynamic-import ./y.js"]),
    ("13.3.10", 'import.defer("./x.js")', ["dynamic-import ./x.js"]),
    ("13.3.10", 'import.source("./x.wasm")', ["dynamic-import ./x.wasm"]),
    ("13.3.10", 'import("./x" + y)', []),
    ("13.3.10", 'import("./x".concat(y))', []),
    ("13.3.10", 'import(a ? "./x.js" : "./y.js")', []),
    ("13.3.10", "import(`./${x}.js`)", []),
    ("13.3.10", "import(x)", []),
    ("13.3.10", 'a.import("./x.js")', []),
    ("13.3.10", 'a?.import("./x.js")', []),
    ("13.3.10", 'a . /* c */ import("./x.js")', []),
    ("13.3.10", 'a.\n// c\nimport("./x.js")', []),
    ("13.3.10", 'this.#import("./x.js")', []),
    ("13.3.10", 'x={import:"./x.js"}', []),
    ("13.3.10", "x={import(a){}}", []),
    ("13.3.10", 'import.x("./x.js")', []),
    ("13.3.10", 'imports("./x.js")', []),
    # Bare specifiers and other URLs (HTML Standard, "resolve a module specifier")
    ("HTML 8.1.5", 'import "lodash"', []),
    ("HTML 8.1.5", 'import "x.js"', []),
    ("HTML 8.1.5", 'import "@a/b"', []),
    ("HTML 8.1.5", 'import "https://h/x.js"', []),
    ("HTML 8.1.5", 'import "//h/x.js"', []),
    ("HTML 8.1.5", 'import "data:text/javascript,1"', []),
    ("HTML 8.1.5", 'import "node:fs"', []),
    ("HTML 8.1.5", 'import "#internal"', []),
    ("HTML 8.1.5", 'import "./"', []),
    ("HTML 8.1.5", 'import ".."', []),
    ("HTML 8.1.5", 'import "../x.js"', ["../x.js"]),
    ("HTML 8.1.5", 'import "/static/x.js"', ["/static/x.js"]),
    ("HTML 8.1.5", 'import "./x.js?v=1#a"', ["./x.js?v=1#a"]),
    # import.meta
    ("HTML 8.1.5.2", 'import.meta.resolve("./x.js")', ["url ./x.js"]),
    ("HTML 8.1.5.2", 'import . meta . resolve ( "./x.js" )', ["url ./x.js"]),
    ("HTML 8.1.5.2", 'import.meta.resolve("lodash")', []),
    ("HTML 8.1.5.2", 'import.meta.resolve("./x" + y)', []),
    ("HTML 8.1.5.2", 'import.meta.resolves("./x.js")', []),
    ("URL 6.1", 'new URL("./x.png", import.meta.url)', ["url ./x.png"]),
    ("URL 6.1", 'new URL("x.png",import.meta.url).href', ["url x.png"]),
    ("URL 6.1", "new URL(`x.png`, import.meta.url,)", ["url x.png"]),
    ("URL 6.1", "new URL(/* @vite-ignore */ 'x.png', import . meta . url)", ["url x.png"]),
    ("URL 6.1", 'new/**/URL\n("x.png",import.meta.url)', ["url x.png"]),
    ("URL 6.1", 'new Worker(new URL("./w.js", import.meta.url), {type: "module"})', ["url ./w.js"]),
    ("URL 6.1", 'new URL("x.png", import.meta.url + "/")', []),
    # An empty string added to the base; URL 6.1 with ECMA-262 section 13.15.3
    ("13.15.3", "new URL(`/static/x.js`,``+import.meta.url)", ["url /static/x.js"]),
    ("13.15.3", "new URL('x.png', '' + import.meta.url).href", ["url x.png"]),
    ("13.15.3", 'new URL("x.png", ""/**/+ // c\n import.meta.url,)', ["url x.png"]),
    ("13.15.3", 'new URL("x.png", "" /**/ + import.meta.url)', ["url x.png"]),
    ("13.15.3", 'new URL("x.png",\u00a0""\u00a0+import.meta.url)', ["url x.png"]),
    ("13.15.3", 'new URL("x.png",import.meta.url+"")', ["url x.png"]),
    ("13.15.3", "new URL(\"x.png\", import.meta.url /**/ + `` + '')", ["url x.png"]),
    ("13.15.3", 'new URL("x.png", "" + import.meta.url + "")', ["url x.png"]),
    ("13.15.3", 'new URL("x.png", " " + import.meta.url)', []),
    ("13.15.3", 'new URL("x.png", "" - import.meta.url)', []),
    ("13.15.3", 'new URL("x.png", "" + + import.meta.url)', []),
    ("13.15.3", 'new URL("x.png", "" import.meta.url)', []),
    ("13.15.3", 'new URL("x.png", "" + import.meta.url + "a")', []),
    ("13.15.3", 'new URL("x.png", "" + import.meta.url + "".length)', []),
    ("13.15.3", 'new URL("x.png", `${a}` + import.meta.url)', []),
    ("URL 6.1", 'new URL("x.png", import.meta.urls)', []),
    ("URL 6.1", 'new URL("x.png", location)', []),
    ("URL 6.1", 'new URL("x.png")', []),
    ("URL 6.1", "new URL(`${x}.png`, import.meta.url)", []),
    ("URL 6.1", 'new URL("https://h/x", import.meta.url)', []),
    ("URL 6.1", 'new URLS("x.png", import.meta.url)', []),
    ("URL 6.1", 'renew URL("x.png", import.meta.url)', []),
    # Workers
    ("HTML 10.3.1", 'importScripts("a.js")', ["script a.js"]),
    ("HTML 10.3.1", "importScripts('a.js', \"b.js\" , `c.js`)", ["script a.js", "script b.js", "script c.js"]),
    ("HTML 10.3.1", 'self.importScripts("a.js");globalThis.importScripts("b.js")', ["script a.js", "script b.js"]),
    ("HTML 10.3.1", 'importScripts("a.js", b, "c.js")', ["script a.js"]),
    ("HTML 10.3.1", 'importScripts("a" + b)', []),
    ("HTML 10.3.1", 'importScripts("https://h/a.js", "b.js")', ["script b.js"]),
    ("HTML 10.3.1", 'foo.importScripts("a.js");foo.self.importScripts("a.js")', []),
    # What the page resolves
    ("HTML 8.1", 'new Worker("./w.js");fetch("./x.json");navigator.serviceWorker.register("./s.js")', []),
    ("HTML 8.1", 'require("./x.js");define(["./y.js"],f);import_("./z.js");x.src="./x.png"', []),
    ("HTML 8.1", "//# sourceURL=x.js", []),
    # 12.4: comments
    ("12.4", '//import "./x.js"\nimport "./y.js"', ["./y.js"]),
    ("12.4", '/*import "./x.js"*/import "./y.js"', ["./y.js"]),
    ("12.4", '//\u2028import "./y.js"', ["./y.js"]),
    ("12.4", '//\rimport "./y.js"', ["./y.js"]),
    ("12.4", "/*'*/import \"./y.js\"/*'*/", ["./y.js"]),
    ("12.4", '/*import "./x.js"', []),
    ("12.4", '/**/ /***/ /*/import "./x.js"/*/import "./y.js"', ["./y.js"]),
    # 12.5: hashbang
    ("12.5", '#!/usr/bin/env node \'\nimport "./x.js"', ["./x.js"]),
    ("12.5", '\ufeff#!\'\nimport "./x.js"', ["./x.js"]),
    ("12.2", '\ufeffimport "./x.js"', ["./x.js"]),
    # B.1.1: HTML-like comments, in scripts only
    ("B.1.1", '<!-- import("./x.js")\nimport("./y.js")', ["dynamic-import ./y.js"]),
    ("B.1.1", 'a <!-- import("./x.js")\nimport("./y.js")', ["dynamic-import ./y.js"]),
    ("B.1.1", '--> import("./x.js")\nimport("./y.js")', ["dynamic-import ./y.js"]),
    ("B.1.1", 'a\n /**/ --> import("./x.js")\nimport("./y.js")', ["dynamic-import ./y.js"]),
    ("B.1.1", 'a/*\n*/-->import("./x.js")\nimport("./y.js")', ["dynamic-import ./y.js"]),
    ("B.1.1", 'while(a-->import("./x.js"));', ["dynamic-import ./x.js"]),
    ("B.1.1", 'a/**/-->import("./x.js")', ["dynamic-import ./x.js"]),
    ("B.1.1", 'import "./x.js";a<!--b;import("./y.js")', ["./x.js", "dynamic-import ./y.js"]),
    ("B.1.1", "x='<!--';import('./y.js')", ["dynamic-import ./y.js"]),
    # 12.9.4: strings
    ("12.9.4", "a='import \"./x.js\"'", []),
    ("12.9.4", 'a="\\"import(\'./x.js\')"', []),
    ("12.9.4", "a='\\\nimport(\"./x.js\")'", []),
    ("12.9.4", "a='\\\r\nimport(\"./x.js\")'", []),
    ("12.9.4", "a='//';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.4", "a='\\\\';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.4", 'a="\u2028";import("./x.js")', ["dynamic-import ./x.js"]),
    ("12.9.4", "a='bad\nimport('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.4.2", r'import "\x2e/x.js"', ["./x.js"]),
    ("12.9.4.2", r'import "./\u{1F600}\u00e9.js"', ["./😀é.js"]),
    ("12.9.4.2", r'import "./\ud83d\ude00.js"', ["./😀.js"]),
    ("12.9.4.2", r'import "./\ud83d.js"', ["./\ufffd.js"]),
    ("12.9.4.2", r'import("./\56a\'b.js")', ["dynamic-import ./.a'b.js"]),
    ("12.9.4.2", 'import "./a\\\nb.js"', ["./ab.js"]),
    # 12.9.6: templates
    ("12.9.6", "a=`import('./x.js')`", []),
    ("12.9.6", "a=`\\`import('./x.js')`", []),
    ("12.9.6", "a=`${import('./x.js')}`", ["dynamic-import ./x.js"]),
    ("12.9.6", "a=`${`${import('./x.js')}`}import('./y.js')`", ["dynamic-import ./x.js"]),
    ("12.9.6", "a=`${{b:`}`}.b}`;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.6", "a=`$${b}$`;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.6", "a=`${'}`'}${/}`/}`;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.6", "a=`\\${`;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.6", "a=`${()=>{return{}}}`;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.6", "a=`//`;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.6", "a`b`/1;import('./x.js')/1", ["dynamic-import ./x.js"]),
    # 12.9.5: regular expressions, and 12 (goal symbols): division
    ("12.9.5", "/'/;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "a=/[/'\"]/g;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "a=/\\/'/;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "a=/[\\]/']/;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "a=/[[a]'/v;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", 'a=/import(".")/', []),
    ("12.9.5", "a=/`/;import('./x.js')/*`*/", ["dynamic-import ./x.js"]),
    ("12.9.5", "a=/a/import('./x.js')", []),
    ("12.9.5", "a=/a/g/'/;import('./x.js')//'", []),
    ("12.9.5", "a=b/c;'/import(\"./x.js\")'", []),
    ("12.9.5", "a/'/';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "1/'/';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "1./'/';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "a[0]/'/';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "(a)/'/';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "f((a),b)/'/';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "'a'/'/';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "a++/'/';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "a /*c*/ / /*d*/ '/';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "a\n/'/';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "this/'/';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "a.return/'/';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "a.if(b)/'/';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "of/'/';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "x={}/'/';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "x={a:{}/'/'};import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "(b?c:{}/'/');import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "return{}/'/';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "`${{}/'/'}`;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "return/'/;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "\u00a0return/'/;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "typeof/'/;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "case/'/:import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "a in/'/;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "éin/'/';import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "if(a)/'/.test(b);import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "if/**/(f(a))/*c*//'/.test(b);import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "while(a)/'/.test(b);import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "for(;;)/'/.test(b);import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "else/'/.test(b);import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "{}/'/.test(b);import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "if(a){b}/'/.test(b);import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "function f(){}\n/'/.test(b);import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "switch(a){case 1:{b}/'/.test(b)}import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "x=()=>{}\n/'/.test(b);import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "do{}while(a)/'/.test(b);import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "a&&/'/.test(b);import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "a+ +/'/;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "a+++/'/;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "[.../'/.exec(a)];import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "x=>/'/;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "!/'/.test(a);[/'/,/'/];f(/'/);import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "a=b\n/c/g;import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "a=/b\nimport('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "(a)/b/(c);import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "a=/x/;b=/y/;a/ /'/;import('./x.js')", ["dynamic-import ./x.js"]),
    # ECMA-426 section 11.1.1: the source map
    ("ECMA-426 11", "a\n//# sourceMappingURL=x.js.map", ["source-map x.js.map"]),
    ("ECMA-426 11", "a\n//@ sourceMappingURL=x.js.map\n", ["source-map x.js.map"]),
    ("ECMA-426 11", "a\n//# sourceMappingURL=x.js.map  \r\n\r\n", ["source-map x.js.map"]),
    ("ECMA-426 11", "a\n/*# sourceMappingURL=x.js.map */", ["source-map x.js.map"]),
    ("ECMA-426 11", "a\n//# sourceMappingURL=x.js.map\n// end\n/* end */", ["source-map x.js.map"]),
    ("ECMA-426 11", "a//# sourceMappingURL=x.js.map", ["source-map x.js.map"]),
    ("ECMA-426 11", "b='http://h';a//# sourceMappingURL=x.js.map", ["source-map x.js.map"]),
    ("ECMA-426 11", "import './x.js';a//# sourceMappingURL=x.js.map", ["./x.js", "source-map x.js.map"]),
    ("ECMA-426 11", "//# sourceMappingURL=a.map\n//# sourceMappingURL=b.map", ["source-map b.map"]),
    ("ECMA-426 11", "//# sourceMappingURL=a.map\nb", []),
    ("ECMA-426 11", "//# sourceMappingURL=a b.map", []),
    ("ECMA-426 11", "//# sourceMappingURL=data:application/json;base64,AA", []),
    ("ECMA-426 11", "//# sourceMappingURL=https://h/x.map", []),
    ("ECMA-426 11", "// c //# sourceMappingURL=x.map", []),
    ("ECMA-426 11", "a='//# sourceMappingURL=x.map", []),
    ("ECMA-426 11", "a+='\\n//# sourceMappingURL='+b", []),
    ("ECMA-426 11", "//# sourceMappingURL=", []),
    ("ECMA-426 11", "/*\n//# sourceMappingURL=x.map\n*/", []),
    ("ECMA-426 11", "a//# sourceMappingURL=x.map\n// import './y.js'", ["source-map x.map"]),
    # 16.2: items stand outside all brackets, where a statement begins
    ("16.2", 'a\nimport "./x.js"', ["./x.js"]),
    ("16.2", 'c = 1.\nimport "./x.js"', ["./x.js"]),
    ("16.2", 'do;while(0)import "./x.js"', ["./x.js"]),
    ("16.2", '(\nimport "./x.js"\n)', []),
    ("16.2", 'function f() {\nimport "./x.js"\n}', []),
    ("16.2", 'please import "./x.js"', []),
    ("15.7", 'class A {import\n"./x.js"() {}}', []),
    ("15.7", "class A {import = 1; #import = 2; static import() {}; 'export'() {}}", []),
    (
        "15.7",
        "class A {static {import('./x.js')} a = import('./y.js')}",
        ["dynamic-import ./x.js", "dynamic-import ./y.js"],
    ),
    ("13.2.5", "x = {import() {}, get export() {}, async *import() {}}; import('./x.js')", ["dynamic-import ./x.js"]),
    ("16.2.2", 'import a from "./x.css" with {type: "css"}\n/\'/.test(a); import "./y.js"', ["./x.css", "./y.js"]),
    ("16.2.3", 'export {a} from "./x.js"\n/\'/.test(b); import "./y.js"', ["./x.js", "./y.js"]),
    ("16.2.3", "export default function () {}\n/'/.test(a); import './y.js'", ["./y.js"]),
    ("16.2.3", "export default class {}\n/'/.test(a); import './y.js'", ["./y.js"]),
    ("16.2.3", "export default {} / '/'; import './y.js'", ["./y.js"]),
    # A literal is one token: what needs an evaluation is none
    ("13.3.10", 'import(("./x.js"))', []),
    ("13.3.10", 'import(a, "./x.js")', []),
    ("13.3.10", "import(f`./x.js`)", []),
    ("13.3.10", 'import("./x.json", {with: {type: "json"}},)', ["dynamic-import ./x.json"]),
    ("13.3.10", 'obj?.import("./x.js");obj["import"]("./y.js")', []),
    ("13.3.10", '1..import("./x.js")', []),
    (
        "13.3.10",
        'import.defer("./x.js");import.source(`./y.wasm`)',
        ["dynamic-import ./x.js", "dynamic-import ./y.wasm"],
    ),
    ("HTML 8.1.5.2", "import.meta.resolve(`./x.js`)", ["url ./x.js"]),
    ("HTML 8.1.5.2", "import.meta.resolve(`./${x}.js`)", []),
    ("HTML 8.1.5.2", "a.import.meta.resolve('./x.js')", []),
    ("URL 6.1", 'new window.URL("./x.png", import.meta.url)', ["url ./x.png"]),
    ("URL 6.1", 'new globalThis.URL("./x.png", import.meta.url)', ["url ./x.png"]),
    ("URL 6.1", 'new self . /**/ URL("./x.png", import.meta.url)', ["url ./x.png"]),
    ("URL 6.1", 'new foo.URL("./x.png", import.meta.url)', []),
    ("URL 6.1", 'new window.foo.URL("./x.png", import.meta.url)', []),
    ("URL 6.1", "new URL(`./x.png`, import.meta.url).href", ["url ./x.png"]),
    ("URL 6.1", 'new URL("x.png", new.target.url)', []),
    ("URL 6.1", 'new SharedWorker(new URL("w.js", import.meta.url), "name")', ["url w.js"]),
    ("URL 6.1", 'a.new.URL("x.png", import.meta.url)', []),
    # What is left of JSX and TypeScript is no JavaScript; nothing in it is taken for a reference
    ("16.2", '<p>\nDon\'t import "./x.js" here\n</p>', []),
    ("16.2", 'a = <p>import {"{"} from "./x.js"</p>', []),
    ("16.2", 'import type {A} from "./x.ts"; import a = require("./y.ts"); export = a', []),
    ("16.2", 'declare module "./x.js" {\n  export * from "./y.js"\n}', []),
    # B.1.1 holds in scripts only, and what stands in a module only tells one
    ("B.1.1", "export const a = 1; b<!--c; import('./x.js')", ["dynamic-import ./x.js"]),
    ("B.1.1", "import 'bare'; b<!--c; import('./x.js')", ["dynamic-import ./x.js"]),
    ("B.1.1", "a = import.meta.env; b<!--c; import('./x.js')", ["dynamic-import ./x.js"]),
    ("B.1.1", "a.export = {import: 1}; b<!--c; import('./x.js')\nimport('./y.js')", ["dynamic-import ./y.js"]),
    # 12.9.5 and 12: what brackets were opened for
    ("12.9.5", "for (x of /'/.y) import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "for (const [x] of /'/.y) import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "for (of of of/'/'.y) import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "for (of = of / '/'; ;) import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "async () => { for await (a of b) /'/.exec(a); import('./x.js') }", ["dynamic-import ./x.js"]),
    ("12.9.5", "function* f() { yield /'/; import('./x.js') }", ["dynamic-import ./x.js"]),
    ("12.9.5", "async function f() { await /'/; import('./x.js') }", ["dynamic-import ./x.js"]),
    ("12.9.5", "(function(){}) / '/'; import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "(function(){} / '/'); import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "x = function f(a = '(') {} / '/'; import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "x = async function* () {} / '/'; import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "async function f() {}\n/'/.test(a); import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "x = class A extends B.C {} / '/'; import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "class A extends f(b) {}\n/'/.test(a); import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "if (x) function f() {} /'/.test(a); import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "c ? a : {} / '/'; import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "c ? {a: 1} : {} / '/'; import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "l: {} /'/.test(a); import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "switch (a) { case '?': {} /'/.test(a) } import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "switch (a) { default: {} /'/.test(a) } import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "x = {a: {b: {} / '/'}}; import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "x = {a: function () { l: {} /'/.test(a) }}; import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "f(() => ({}) / '/', {a} / '/'); import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "try {} catch {} /'/.test(a); import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "r=/^https?:\\/\\//;x=a?b:{c:1}/2;import'./x.js'", ["./x.js"]),
    ("12.9.5", "x=a?/[?:\"]/:{c:1}/2;import'./x.js'", ["./x.js"]),
    ("12.9.5", "l:/\\?/;m:{}/'/.test(a);import'./x.js'", ["./x.js"]),
    ("12.9.5", "debugger\n/'/.test(a); import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "if (a)\u00a0/'/.test(b); import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.9.5", "x = /a/\n{}\n/'/.test(a); import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.10.1", "function f() { return\n{} /'/.test(a); import('./x.js') }", ["dynamic-import ./x.js"]),
    ("12.10.1", "a\n++b / '/'; import('./x.js')", ["dynamic-import ./x.js"]),
    ("12.10.1", "a = b\n/'/ / 1; import('./x.js')//'", []),
    (
        "12.9.6",
        "a=`${b`${import('./x.js')}`}`+`${`'`}`+import('./y.js')",
        ["dynamic-import ./x.js", "dynamic-import ./y.js"],
    ),
    ("12.9.6", "String.raw`\\unicode`;import('./x.js')", ["dynamic-import ./x.js"]),
    # ECMA-426: comments from the end backwards, up to the last code
    ("ECMA-426 11", "//# sourceMappingURL=x.map\n// see sourceMappingURL= there", ["source-map x.map"]),
    ("ECMA-426 11", "//# sourceMappingURL=x.map\n//# sourceMappingURL=a b", ["source-map x.map"]),
    ("ECMA-426 11", "//# sourceMappingURL=x.map\n/*# sourceURL=y */", ["source-map x.map"]),
    ("ECMA-426 11", "/*# sourceMappingURL=x.map */ a", []),
    ("ECMA-426 11", "//# sourceMappingURL=x.map\u2028a", []),
    ("ECMA-426 11", "//#\u00a0sourceMappingURL=x.map\u00a0", ["source-map x.map"]),
    ("ECMA-426 11", "//#sourceMappingURL=x.map", ["source-map x.map"]),
    ("ECMA-426 11", "//# sourcemappingurl=x.map", []),
    ("ECMA-426 11", "//! sourceMappingURL=x.map", []),
    ("ECMA-426 11", "a=`\n//# sourceMappingURL=x.map\n`", []),
    ("ECMA-426 11", "/*\n# sourceMappingURL=x.map */", []),
    ("ECMA-426 11", "//# sourceMappingURL=x.map\n//# sourceMappingURL=data:,", []),
    ("ECMA-426 11", "/*# sourceMappingURL=x.map", []),
]


def said(references) -> list[str]:
    """References as the cases state them. Whether a URL's host is ours is for STATIC_URL to say."""
    return [r.url if r.kind == "module" else f"{r.kind} {r.url}" for r in references if not urlsplit(r.url).netloc]


def found(body: bytes) -> list[str]:
    return said(references(body))


@pytest.mark.parametrize(("clause", "text", "expected"), CASES)
def test_case(clause, text, expected):
    assert found(text.encode()) == expected


@pytest.mark.parametrize(("clause", "text", "expected"), CASES)
def test_what_is_found_is_found_again_after_renaming(clause, text, expected):
    check_renaming(javascript, text.encode())


# What tree-sitter's grammar reads otherwise than the standard.
TREE_ERRS = {
    'a <!-- import("./x.js")\nimport("./y.js")': "it knows no <!-- (B.1.1)",
    'a = "-->"; b <!-- import("./x.js")\nimport("./y.js")': "it knows no <!-- (B.1.1)",
    "a.export = {import: 1}; b<!--c; import('./x.js')\nimport('./y.js')": "it knows no <!-- (B.1.1)",
    'function f() {\nimport "./x.js"\n}': "it lets items stand in blocks (16.2)",
    'a/*\n*/-->import("./x.js")\nimport("./y.js")': "it knows --> at the beginning of a line only (B.1.1)",
}
UNDERSTOOD = [c for c in CASES if not javascript_tree.read(c[1].encode()).errors]


@pytest.mark.parametrize(("clause", "text", "expected"), UNDERSTOOD)
def test_case_by_its_syntax_tree(clause, text, expected):
    read = said(javascript_tree.read(text.encode()).references)
    assert (read != expected) == (text in TREE_ERRS)


def test_most_cases_are_understood_by_tree_sitter():
    assert len(UNDERSTOOD) >= 250


PIECES = [t for _, text, _ in CASES for t in (text, text[: len(text) // 2], text[len(text) // 2 :])]
PIECES += ["\\", '"', "'", "/*", "*/", "(", ")", "`", "${", "{", "}", "/", "\n", "import ", "export ", "<!--", "\ufeff"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example('/*# sourceMappingURL=x.js.map *///\u2028import "./y.js"')
def test_spans_are_sound_in_any_text(text):
    check_spans(javascript, text.encode())


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_a_walk_in_small_steps_sees_what_a_long_one_sees(text):
    body = text.encode()
    steps = Walk(body, html_comments=False)
    for goal in range(len(body)):
        in_code = goal >= steps.at and steps.reach(goal)
        assert in_code == Walk(body, html_comments=False).reach(goal)


@given(st.binary(max_size=200) | st.lists(st.sampled_from([p.encode("utf-16") for p in PIECES[:40]])).map(b"".join))
def test_any_bytes_are_read(body):
    references(body)


@pytest.mark.parametrize(
    ("text", "required"),
    [
        ("new URL('api', import.meta.url)", False),
        ("new URL('./v1.2/api?x.y', import.meta.url)", False),
        ("new URL('../api#x.y', import.meta.url)", False),
        ("new URL(`./a/x.png?y`, import.meta.url)", True),
        ("new URL('x.png', import.meta.url)", True),
        ("import('./x')", True),
        ("importScripts('x')", True),
    ],
)
def test_an_address_without_extension_may_be_no_file(text, required):
    # URL 6.1: new URL() makes a URL and loads nothing.
    assert [r.required for r in references(text.encode())] == [required]


def test_text_that_is_not_utf8_is_read_as_far_as_ascii_goes():
    body = "/* é */import './x.js';é='é';import './é.js'".encode("latin-1")
    assert found(body) == ["./x.js", "./\ufffd.js"]


def test_utf16_yields_nothing():
    assert references("import './x.js'".encode("utf-16")) == []


# Units that a careless pattern would read again and again.
HOSTILE = [
    "/*", "/**/", "//\n", '"', "'a\n", "`", "`${", "${", "{", "}", "(", ")", " ", "\n", "\\", "\u2028", "\ufffd",
    "\0", "/", " /\n", "=/[", "=/a", "=/", "a/b", "()/", "{}/", "a++/", "if(a)/b/;", "return/", "function(){}/",
    "x={a:{}/1,", "import ", "import{", "import{a,", 'import{"a":b,', "import/**/", "import/*", "import*as ",
    "import a,", "import x from", "export{", "export*", "export*/**/", 'import("./x");', "import(/**/", 'import("',
    "import.", "importScripts('a',", 'import.meta.resolve("', 'new URL("x",', "new URL(`", "new/**/", "<!--", "-->",
    "\n-->", "/*\n*/-->", "{a:{a:", "//# sourceMappingURL=x\n", "/*# sourceMappingURL=x */", "sourceMappingURL=",
    "f(function(){}/1),", "){}/1;", "(){}/1", "class A extends B.C{}/1\n", "{a:function(){}/1,",
    "case 1:{}/1;", "a?b:{}/1;", "++/", "for(x of/a/)",
    "{a:{}/1,b:", "{a?b:{}/1}", "a?b:{c?d:{}/1}/1;", "new URL('a',", 'import("./', "import(/**/'", "import(`./${",
    "// import(", "of/", "/*# sourceMappingURL=x", "//# sourceMappingURL= a b\n", "export\n", "1.", "new self.",
    "import//", "import{}", "export//", "export/*", "import.meta", "import .", "import{}from", "x of /a/;",
]  # fmt: skip


def calls(body: bytes) -> int:
    """How many functions are called to read ``body``."""
    count = 0

    def note(frame, event, argument):
        nonlocal count
        count += event.endswith("call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        references(body)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.parametrize("head", ["", "x=import.meta.URL<!--\n"])
def test_calls_grow_with_the_size(unit, head):
    small, large = (head + unit * (size // len(unit)) + '\n;import("./x.js")' for size in (6_000, 24_000))
    assert calls(large.encode()) < 5 * calls(small.encode()) + 100


# What holds a walk up, or makes it begin again, before the units.
HEADS = ["", "<!--\n(", "<!--\n'"]


@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.parametrize("head", HEADS)
def test_reading_is_linear(unit, head):
    tail = "'" if "'" in head else ""
    check_linear(references, unit.encode(), head.encode(), f"{tail}\n;import('./x.js')".encode())


@pytest.mark.parametrize(
    ("head", "unit", "between"),
    [
        ("for", " ", "(x of /a/;"),
        ("for", "/**/", "(x of /a/;"),
        ("if", " ", "(x){}/a/;"),
        ("x=function", " ", "(){}/1;"),
        ("x=class", " ", "{}/1;"),
        ("x", " ", "{}/1;"),
        ("return", " ", "/a/;"),
        ("x:", " ", "{}/1;"),
        ("{x:", " ", "{}/1,"),
        ("x", " ", "++/1;"),
        ("import", " ", "."),
        ("export", " ", "{"),
        ("new", " ", "URL("),
        ("<!--\n(import", " ", "a"),
        ("<!--\nimport", "/**/", "a"),
    ],
)
@pytest.mark.parametrize("again", ["x of /a/;", "{}/1;", "()/1;", "a?b:{}/1;"])
def test_reading_is_linear_behind_much_space(head, unit, between, again):
    body = f"{between}{again}".encode()
    check_linear_pair(
        lambda text: references(head.encode() + text + b"\n;import('./x.js')"), unit.encode(), again.encode(), body
    )


OPENERS = ["(", "{", "`${", "x={a:", "f(function(){", "<!--\n", "/*", "'", "import(", "import{", "a?b:"]
CLOSERS = [")", "}", "}`", "})", "}/1", "/a/", "*/", "{}/1", ":{}/1", "\n-->", "import//", ")/1"]


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("closer", CLOSERS)
def test_reading_pairs_is_linear(opener, closer):
    check_linear_pair(lambda text: references(text + b"\n;import('./x.js')"), opener.encode(), closer.encode())


def test_twenty_thousand_imports_on_one_line_of_ten_megabytes():
    names = [f"./{i}.js" for i in range(20_000)]
    body = "".join(f'import a{i} from "{name}";f({{a:"{"x" * 450}"}});' for i, name in enumerate(names)).encode()
    assert len(body) > 9_500_000
    assert found(body) == names


def test_deep_nesting_is_no_recursion():
    body = "x=" + "{a:[(" * 50_000 + "{}/'/'" + ")]}" * 50_000 + ";import('./x.js')"
    assert found(body.encode()) == ["dynamic-import ./x.js"]
    body = "x=" + "{a:" * 50_000 + "{}/'/'" + "}" * 50_000 + ";import('./x.js')"
    assert found(body.encode()) == ["dynamic-import ./x.js"]
