"""The blocks of code in the guides to stores, which are to be pasted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "stores"
GUIDES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
_BLOCK = re.compile(r"^(?:<!-- (?P<name>\w+) -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One of them."""

    name: str
    """From the comment before it; empty without one."""
    kind: str
    text: str


def blocks(guide: Path) -> Iterator[Block]:
    """Those of ``guide``, in their order."""
    for match in _BLOCK.finditer(guide.read_text()):
        yield Block(match["name"] or "", match["kind"], match["text"])


def block(guide: str, name: str) -> str:
    """The text of the one with that name."""
    (found,) = [one.text for one in blocks(FOLDER / guide) if one.name == name]
    return found


def policy(guide: str, name: str) -> Any:
    """The same, read as JSON."""
    return json.loads(block(guide, name))
