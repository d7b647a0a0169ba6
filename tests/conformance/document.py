"""Writes docs/conformance.md: ``python -m tests.conformance.document``. A test compares it with the rows."""

from __future__ import annotations

from pathlib import Path

from shipfiles.testing import CONFIGURED_CASES, HTTP_CASES
from tests.services.servers import SERVERS
from tests.services.wire_cases import WIRE_CASES

from .differences import DIFFERENCES, EDGES
from .test_http_contract import WAYS

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|").replace("\t", " ") + "`"


def page() -> str:
    """The whole page."""
    in_process, servers = ", ".join(WAYS), ", ".join(SERVERS)
    lines = [
        "# Conformance", "",
        "Made from the tests by `python -m tests.conformance.document`; do not edit.", "",
        "Each row below is a case of `shipfiles.testing.HTTP_CASES`, with the clause that it comes from. Those that",
        "begin with `root:`, `index:`, `page:` and `rules:` are of `CONFIGURED_CASES`, with options. All are run:",
        "",
        f"- in one process over: {in_process};",
        f"- over the network with those options, around an application and as Django's middleware, under: {servers};",
        "- under each of them again below a mount point, of which it knows, where a row has to do with paths;",
        "- over nginx, Apache httpd and Caddy, with the configurations that `ship config` writes.", "",
        "The rows that begin with `wire:` are run under the servers alone. Besides, hypothesis and a fuzzer ask for",
        "paths and with fields of any kind: each server must give to conditions and ranges the answer of `respond()`,",
        "and to paths nothing that is not public. Where the standard leaves a choice,",
        "[0006](decisions/0006-serving-over-http.md) has ours.",
        "", "## What servers and frameworks do otherwise", "",
        "A test fails when one of these is mended.", "",
        "| where | row | why |", "| --- | --- | --- |",
    ]  # fmt: skip
    for party, rows in DIFFERENCES.items():
        if party not in EDGES:
            lines += [f"| {party} | {_code(row)} | {reason} |" for row, reason in rows.items()]
    for name, party in {"nginx": "nginx", "Apache httpd": "apache", "Caddy": "caddy"}.items():
        lines += ["", f"## What {name} does otherwise", "", "| why | rows |", "| --- | --- |"]
        lines += [f"| {why} | {', '.join(_code(row) for row in rows)} |" for why, rows in EDGES[party]]
    lines += ["", "## The rows", "", "| row | clause |", "| --- | --- |"]
    lines += [f"| {_code(case.name)} | {case.clause} |" for case in (*HTTP_CASES, *CONFIGURED_CASES, *WIRE_CASES)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
