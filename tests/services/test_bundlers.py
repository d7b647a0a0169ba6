"""What real bundlers make is collected under the names that they gave, and still runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from django.test import override_settings

from shipfiles.manifest import Manifest, reader_of
from shipfiles.records import read_current
from shipfiles.serve.respond import Request, respond
from shipfiles.serve.table import read_table
from tests.django.test_collectstatic import collect

from .fetched import npm_installed

pytestmark = pytest.mark.services

PACKAGES = (
    "vite@8.3.8", "esbuild@0.28.2", "webpack@5.112.2", "rollup@4.68.7", "webpack-manifest-plugin@6.0.1",
)  # fmt: skip
SOURCES: dict[str, str | bytes] = {
    "package.json": '{"type": "module"}',
    "src/main.js": (
        "import './app.css'\nimport { shared } from './shared.js'\nimport logo from './logo.png'\n"
        "console.log(shared('main'), logo)\nimport('./lazy.js').then(lazy => lazy.run())\n"
    ),
    "src/other.js": "import { shared } from './shared.js'\nconsole.log(shared('other'))\n",
    "src/shared.js": (
        "globalThis.instances = (globalThis.instances ?? 0) + 1\n"
        "export const shared = from => `${from} ${globalThis.instances}`\n"
    ),
    "src/lazy.js": "import { shared } from './shared.js'\nexport const run = () => console.log(shared('lazy'))\n",
    "src/app.css": ".a { background: url(./logo.png) }\n",
    "src/logo.png": bytes(range(256)) * 40,
    "vite.config.js": (
        "export default {base: '/static/dist/', logLevel: 'warn', build: {outDir: 'out/vite', sourcemap: true,"
        " manifest: true, modulePreload: false,"
        " rollupOptions: {input: {main: 'src/main.js', other: 'src/other.js'}}}}\n"
    ),
    "webpack.mjs": """
import { createRequire } from 'node:module'
const require = createRequire(process.cwd() + '/')
const webpack = require('webpack'), { WebpackManifestPlugin } = require('webpack-manifest-plugin')
webpack({
  mode: 'production', target: ['web', 'es2020'], devtool: 'source-map',
  entry: { main: './src/lazy.js', other: './src/other.js' }, experiments: { outputModule: true },
  output: {
    path: process.cwd() + '/out/webpack', publicPath: '/static/dist/', module: true,
    filename: '[name].[contenthash].js', chunkFilename: '[name].[contenthash:8].chunk.js',
  },
  optimization: { splitChunks: { chunks: 'all', minSize: 0 }, runtimeChunk: 'single' },
  plugins: [new WebpackManifestPlugin({})],
}, (error, stats) => { if (error || stats.hasErrors()) throw error ?? Error(stats.toString()) })
""",
}
NAMES = "[name]-[hash]"
COMMANDS = {
    "vite": ["node_modules/.bin/vite", "build"],
    "esbuild": [
        "node_modules/.bin/esbuild", "src/main.js", "src/other.js", "--bundle", "--splitting", "--format=esm",
        "--sourcemap", "--minify", "--outdir=out/esbuild", f"--entry-names={NAMES}", "--loader:.png=file",
        "--metafile=out/esbuild/meta.json", "--log-level=warning",
    ],
    "rollup": [
        "node_modules/.bin/rollup", "src/other.js", "src/lazy.js", "--dir", "out/rollup", "--sourcemap", "--silent",
        "--entryFileNames", f"{NAMES}.js",
    ],
    "webpack": ["node", "webpack.mjs"],
}  # fmt: skip


@pytest.fixture(scope="module")
def packages() -> Path:
    """A folder with the bundlers in ``node_modules``."""
    return npm_installed(*PACKAGES)


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(params=COMMANDS)
def out(request: pytest.FixtureRequest, packages: Path, tmp_path: Path) -> Path:
    """The folder that a bundler has filled."""
    for name, body in SOURCES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body if isinstance(body, bytes) else body.encode())
    os.symlink(packages, tmp_path / "node_modules")
    run(COMMANDS[request.param], tmp_path)
    return tmp_path / "out" / request.param


def release(root: Path) -> Manifest:
    found = read_current(reader_of(str(root)))
    assert found is not None
    return found[1]


def test_what_a_bundler_makes_keeps_its_names_and_runs(out: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    settings = {
        "STATICFILES_DIRS": [("dist", str(out))],
        "STATICFILES_FINDERS": ["django.contrib.staticfiles.finders.FileSystemFinder"],
        "STATIC_ROOT": str(root),
    }
    with override_settings(**settings):
        collect()
    made = {f"dist/{path.relative_to(out).as_posix()}": path for path in out.rglob("*") if path.is_file()}
    # Every name with a part of eight or more random characters, read off the folder; a map's is the script's.
    named = {name for name in made if re.search(r"[-.][\w-]{8,}\.(?:chunk\.)?(?:js|css|png)$|/[0-9a-f]{20}\.", name)}
    assert len(named) >= 3
    manifest = release(root)
    # Rollup writes no manifest, and eight characters prove nothing: its files are hashed again.
    if out.name == "rollup":
        assert not any(entry.kept for entry in manifest.entries.values())
        return
    assert {logical for logical, entry in manifest.entries.items() if entry.kept} == named
    table = read_table(str(root), "/static/")
    for name in named:
        assert (root / name).read_bytes() == made[name].read_bytes()
        assert not list(root.glob(f"{os.path.splitext(name)[0]}.????????????.*"))
        answer = respond(table, Request("GET", f"/static/{name}", {}.get))
        assert answer is not None
        assert (answer.status, "immutable" in dict(answer.headers)["Cache-Control"]) == (200, True)
        if hasattr(answer.body, "close"):
            answer.body.close()
    # Node runs the modules that were published, by the URLs that a page would have: each module once.
    entries = [
        manifest.entries[name].name for name in sorted(named) if re.search(r"/(?:main|other|lazy)[-.].*js$", name)
    ]
    imports = "".join(f"await import({json.dumps((root / name).as_uri())});" for name in entries)
    said = run(["node", "--input-type=module", "--eval", imports], tmp_path)
    if out.name in ("vite", "esbuild"):
        assert {line.split(" ")[1] for line in said.splitlines()} == {"1"}
        assert {line.split(" ")[0] for line in said.splitlines()} >= {"main", "other", "lazy"}


def test_a_comment_changes_a_source_map_alone(packages: Path, tmp_path: Path) -> None:
    """Why maps are not kept: Vite and webpack give other bytes the same name, and the second collection is silent."""
    for name, body in SOURCES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body if isinstance(body, bytes) else body.encode())
    os.symlink(packages, tmp_path / "node_modules")
    settings = {
        "STATICFILES_DIRS": [("dist", str(tmp_path / "out" / "vite"))],
        "STATICFILES_FINDERS": ["django.contrib.staticfiles.finders.FileSystemFinder"],
        "STATIC_ROOT": str(tmp_path / "root"),
    }
    maps = []
    for comment in ("one", "two"):
        (tmp_path / "src/shared.js").write_text(f"// {comment}\n{SOURCES['src/shared.js']!s}")
        run(COMMANDS["vite"], tmp_path)
        maps.append({path.name: path.read_bytes() for path in (tmp_path / "out/vite").rglob("*.map")})
        with override_settings(**settings):
            _, err = collect()
        assert err == ""
    assert maps[0].keys() == maps[1].keys()
    assert maps[0] != maps[1]
    for path in (tmp_path / "out/vite").rglob("*.map"):
        published = tmp_path / "root" / "dist" / path.relative_to(tmp_path / "out/vite")
        assert published.read_bytes() == path.read_bytes()
