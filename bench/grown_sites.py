"""Synthetic sites: as many files, or as many bytes, as asked for; the same for the same number each time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

PACKAGE = 100
"""How many files a folder of a site of many files has."""
_MB = 1_000_000
# Parts of all files. The sizes are about those of the corpus L: 10 KB a file.
_MODULES, _SHEETS, _DRAWINGS, _PICTURES, _FONTS, _MAPS = 40, 12, 20, 15, 5, 4
_JSON = PACKAGE - _MODULES - _SHEETS - _DRAWINGS - _PICTURES - _FONTS - _MAPS


def many_files(folder: Path, files: int) -> int:
    """Make a site of about ``files`` small files, in folders of a hundred; how many bytes they have.

    Modules import others of their folder, one of an earlier folder, and two of them each other; style sheets name
    drawings, pictures and a font; some modules name a source map.
    """
    return sum(sum(_written(folder / f"p{number}", _package(number))) for number in range(max(1, files // PACKAGE)))


def large_files(folder: Path, megabytes: int) -> int:
    """Make a site of a few files of noise that have so many MB in all, the largest a quarter; how many files."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [megabytes // 4, *[megabytes // 16] * 11]
    sizes.append(megabytes - sum(sizes))
    for number, size in enumerate(sizes):
        chance = random.Random(number)
        with (folder / f"film{number}.{'wasm' if number % 4 == 1 else 'mp4'}").open("wb") as film:
            for _ in range(size):
                film.write(chance.randbytes(_MB))
    return len(sizes)


def _written(folder: Path, files: Iterator[tuple[str, bytes]]) -> Iterator[int]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in files:
        (folder / name).write_bytes(body)
        yield len(body)


def _package(number: int) -> Iterator[tuple[str, bytes]]:
    chance = random.Random(number)
    other = chance.randrange(number) if number else 0
    for i in range(_MODULES):
        yield f"m{i}.js", _module(chance, number, i, other).encode()
    for i in range(_SHEETS):
        yield f"s{i}.css", _sheet(chance, number, i).encode()
    for i in range(_DRAWINGS):
        yield f"d{i}.svg", _drawing(chance, f"{number}-{i}").encode()
    for i in range(_PICTURES):
        yield f"i{i}.png", b"\x89PNG\r\n\x1a\n" + chance.randbytes(chance.randrange(2_000, 30_000))
    for i in range(_FONTS):
        yield f"f{i}.woff2", b"wOF2" + chance.randbytes(chance.randrange(10_000, 40_000))
    for i in range(_MAPS):
        mappings = _lines(chance, 20_000, lambda: f"{chance.randbytes(40).hex()};")
        yield f"m{i}.js.map", f'{{"version":3,"sources":["{number}.ts"],"mappings":"{mappings}"}}'.encode()
    for i in range(_JSON):
        yield f"j{i}.json", f"[{_lines(chance, 3_000, lambda: f'{chance.random()},')}{number}]".encode()


def _module(chance: random.Random, number: int, i: int, other: int) -> str:
    imported = [f"./m{chance.randrange(i)}.js" for _ in range(3)] if i else []
    if other and i % 8 == 7:
        imported.append(f"../p{other}/m{i}.js")
    if i in (1, 2):
        imported.append(f"./m{3 - i}.js")
    head = "".join(f'import {{ f{n} as g{n} }} from "{path}";\n' for n, path in enumerate(imported))

    def line() -> str:
        n = chance.randrange(100)
        return (
            f"export function f{n}(a, b) {{\n  if (/[\"']{n}/.test(a)) return `${{a}} it's ${{b / {n + 1}}}`;\n"
            f'  const k = {{ name: "{chance.randbytes(4).hex()}", n: [{n}, 2] }}; // as before\n  return k;\n}}\n'
        )

    tail = f"//# sourceMappingURL=m{i}.js.map\n" if i < _MAPS else ""
    return f"/* {number} */\n{head}{_lines(chance, chance.randrange(500, 12_000), line)}{tail}"


def _sheet(chance: random.Random, number: int, i: int) -> str:
    def rule() -> str:
        n = chance.randrange(1_000)
        plain = f".c{n}, .c{n}:hover {{ margin: {n}px auto; color: #{chance.randbytes(3).hex()}; }}\n"
        if n % 8:
            return plain
        target = f"d{n % _DRAWINGS}.svg" if n % 3 else f"i{n % _PICTURES}.png"
        return plain + f".i{n} {{ background: url('{target}') no-repeat; }}\n"

    head = f'@import "s{i - 1}.css";\n' if i % 4 == 3 else ""
    font = f'@font-face {{ font-family: f; src: url(f{i % _FONTS}.woff2) format("woff2"); }}\n'
    return f"{head}/* {number} */\n{font}{_lines(chance, chance.randrange(500, 20_000), rule)}"


def _drawing(chance: random.Random, name: str) -> str:
    def path() -> str:
        return f'<path d="M{chance.randrange(99)} {chance.random():.4f}h{chance.random():.5f}v9z"/>\n'

    inner = _lines(chance, chance.randrange(300, 2_000), path)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 99 99"><title>{name}</title>\n{inner}</svg>\n'


def _lines(chance: random.Random, size: int, line: Callable[[], str]) -> str:
    """About ``size`` characters of lines, of which there are at most forty different ones in a file."""
    pool = [line() for _ in range(min(40, size // 60 + 1))]
    parts = []
    while size > 0:
        parts.append(chance.choice(pool))
        size -= len(parts[-1])
    return "".join(parts)
