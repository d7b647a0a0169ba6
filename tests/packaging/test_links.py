"""Relative links in the texts lead to a file that is in the repository, and their anchors to a heading of it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [ROOT / name for name in ("README.md", "CHANGELOG.md", "bench/README.md") if (ROOT / name).is_file()] + sorted(
    (ROOT / "docs").rglob("*.md")
)

FENCED = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(([^()\s]+)(?:\s+\"[^\"\n]*\")?\)")
HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*$", re.MULTILINE)


def prose(text: str) -> str:
    """``text`` without its blocks of code, in which ``](`` and ``#`` mean other things."""
    return FENCED.sub("", text)


def links(text: str) -> list[str]:
    return [match[1] for match in LINK.finditer(CODE.sub("", prose(text)))]


def anchors(text: str) -> Iterator[str]:
    """The anchors of headings, by https://docs.github.com/get-started/writing-on-github, "Section links".

    Lower-case; spaces become hyphens; other white space and punctuation go; a second one of a name ends in ``-1``.
    """
    seen: dict[str, int] = {}
    for match in HEADING.finditer(prose(text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match[1]).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = seen.get(slug, 0)
        seen[slug] = number + 1
        yield f"{slug}-{number}" if number else slug


def in_repository(path: Path) -> bool:
    """Whether git knows the file, or one in the folder: a file on this machine alone makes a dead link elsewhere."""
    if not (ROOT / ".git").exists():
        return path.exists()  # An unpacked source distribution.
    told = subprocess.run(["git", "ls-files", "--", str(path)], cwd=ROOT, capture_output=True, check=True)
    return bool(told.stdout)


def broken(source: Path, text: str) -> Iterator[str]:
    for link in links(text):
        url = urlsplit(link)
        if url.scheme or url.netloc:
            continue
        target = (source.parent / unquote(url.path)).resolve() if url.path else source
        if url.path and not (target.is_relative_to(ROOT) and in_repository(target)):
            yield f"{link}: no such file in the repository"
        elif url.fragment:
            other = text if target == source else target.read_text(encoding="utf-8")
            if unquote(url.fragment) not in set(anchors(other)):
                yield f"{link}: no such heading"


@pytest.mark.parametrize("source", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(source: Path) -> None:
    assert list(broken(source, source.read_text(encoding="utf-8"))) == []


def test_a_link_that_leads_nowhere_is_found() -> None:
    text = """# One `code`, two!

## Twice

## Twice

[a](#one-code-two) [b](#twice-1) [c](https://example.org/x.md#y) [d](reference.md) `[e](not-a-link.md)`
[f](#twice-2) [g](no-such.md) [h](reference.md#no-such) [i](../../elsewhere.md)

```md
# Not a heading
[j](not-a-link.md)
```

[k](#not-a-heading)
"""
    assert list(broken(ROOT / "docs/example.md", text)) == [
        "#twice-2: no such heading",
        "no-such.md: no such file in the repository",
        "reference.md#no-such: no such heading",
        "../../elsewhere.md: no such file in the repository",
        "#not-a-heading: no such heading",
    ]
