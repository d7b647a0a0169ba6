"""The check finds what pages, style sheets and modules refer to."""

from __future__ import annotations

import importlib

import pytest

PAGE = """
<!doctype html><link rel="stylesheet" href="/a.css"><link rel="shortcut icon" href="/i.ico">
<link rel="canonical" href="/not-this"><link rel=modulepreload href=/m.js>
<script src="classic.js"></script><script type="module" src="/main.js"></script>
<script type="module">import { x } from "./inline.js"; import("./later.js");</script>
<script>var text = 'import "./not-this.js"';</script>
<style>@import url(/s.css); b { background: url('/b.png') }</style>
<p style="background: url(/p.png)"><a href="/next/">next</a>
<img src="/1.png" srcset="/2.png 2x, /3.png 3x"><picture><source srcset="/4.webp"></picture>
<svg><use href="/icons.svg#x"/></svg><video poster="/v.jpg"><source src="/v.mp4"></video>
<input type="hidden" name="token" value="t&amp;t">
"""


def test_pages() -> None:
    page = importlib.import_module("crawl").Page(PAGE)
    assert page.links == {"/next/"}
    assert page.fields == {"token": "t&t"}
    assert page.modules == {"/main.js", "./inline.js", "./later.js"}
    assert page.assets == page.modules | {
        *("/a.css", "/i.ico", "/m.js", "classic.js", "/s.css", "/b.png", "/p.png"),
        *("/1.png", "/2.png", "/3.png", "/4.webp", "/icons.svg#x", "/v.jpg", "/v.mp4"),
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a { src: url(x.woff) }", ["x.woff"]),
        ("a { src: url( 'x y.woff' ), URL(\"z\") }", ["x y.woff", "z"]),
        ("@import 'a.css'; @import url(b.css) print;", ["a.css", "b.css"]),
        ("/* url(no.png) */ a {}", []),
    ],
)
def test_style_sheets(text: str, found: list[str]) -> None:
    assert list(importlib.import_module("crawl").css_references(text)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('import "./a.js"', ["./a.js"]),
        ('import{a as b,c}from"./a.js";export*from"../b.js"', ["./a.js", "../b.js"]),
        ("import x, * as y from '/c.js'", ["/c.js"]),
        ("const m = await import( './d.js' )", ["./d.js"]),
        ('import { html } from "lit"', []),
        ('// import "./no.js"\n/* import "./no.js" */', []),
        ("import.meta.url; important('./no.js')", []),
    ],
)
def test_modules(text: str, found: list[str]) -> None:
    assert list(importlib.import_module("crawl").module_references(text)) == found
