"""The pages of docs/topologies have all parts, and a test that follows each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.guides import FOLDER, blocks

TOPOLOGIES = FOLDER.parent / "topologies"
PAGES = sorted(path for path in TOPOLOGIES.glob("*.md") if path.name != "README.md")
FOLLOWED = Path(__file__).parents[1] / "services" / "test_topologies.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_has_all_parts(page: Path) -> None:
    text = page.read_text()
    headings = re.findall("^## (.*)$", text, re.MULTILINE)
    assert [one for one in headings if not one.startswith("Set up")] == [
        "Settings", "Deploy", "See that it works", "What it costs", "Undo",
    ]  # fmt: skip
    assert [one.kind for one in blocks(page)].count("mermaid") == 1
    assert f"({page.name})" in (TOPOLOGIES / "README.md").read_text()
    assert re.search(rf'Page\(\s*"{page.stem}"', FOLLOWED.read_text()), "nobody follows it"


def test_there_is_one_for_each_topology() -> None:
    assert {page.stem for page in PAGES} == {
        "app-only", "app-behind-nginx", "app-and-cdn", "dedicated-server", "bucket", "bucket-and-cdn",
    }  # fmt: skip
