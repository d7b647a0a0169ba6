"""Files that show whether work grows with the size of a file or with its square."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

IMAGES = 1_000


@dataclass(frozen=True, slots=True)
class Grown:
    """One file of a kind, ``times`` as large as its smallest."""

    language: str
    title: str
    times: int
    references: int
    """How many references it has; all have a target."""
    file: tuple[str, Path]
    """Logical path and file."""
    names: tuple[str, ...]
    """The logical paths that it refers to."""


def grown(folder: Path, urls: int, line: int) -> Iterator[Grown]:
    """A style sheet of ``urls`` references and a script whose one line has ``line`` bytes, 1, 2 and 4 times as large.

    The references are quoted. The script has an ``import()`` every 100,000 bytes or so, one at its very end, and then
    the comment that names its source map.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for times in (1, 2, 4):
        path = folder / f"urls{times}.css"
        rules = (f'.i{i}{{background:url("img/{i % IMAGES}.png") no-repeat}}\n' for i in range(urls * times))
        path.write_text("".join(rules))
        images = tuple(f"img/{i}.png" for i in range(IMAGES))
        yield Grown("css", f"{urls:,} url()", times, urls * times, (path.name, path), images)
    for times in (1, 2, 4):
        path = folder / f"line{times}.js"
        text, imports = _minified(line * times)
        path.write_text(f"{text}\n//# sourceMappingURL={path.name}.map\n")
        names = ("part.js", f"{path.name}.map")
        yield Grown("js", f"a line of {line / 1e6:g} MB", times, imports + 1, (path.name, path), names)


def _minified(size: int) -> tuple[str, int]:
    """A script in one line as minifiers write it, and how many times it imports."""
    parts: list[str] = []
    length = 0
    imports = 0
    for i in count():
        part = (
            f'function f{i}(e,t){{return e&&/["\'\\/]+[a-z]/g.test(t)?"it\'s "+e.n{i}/2/t:`${{e}}-{i}`}}'
            f'var v{i}={{k:\'a"b\',url:"https://example.com/{i}",n:[1,2,{i}]}};f{i}(v{i},!0)||(v{i}.k=void 0);'
        )
        if length // 100_000 != (length + len(part)) // 100_000 or length + len(part) >= size:
            part += 'import("./part.js");'
            imports += 1
        parts.append(part)
        length += len(part)
        if length >= size:
            break
    return "".join(parts), imports
