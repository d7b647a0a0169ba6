#!/usr/bin/env python3
"""Measures how files are served: Shipfiles and its peers under the same servers, and nginx, in one interleaved run.

    python bench/serve.py --rounds 3 --seconds 2 --json figures.json
    python bench/serve.py --quick

One worker, pinned to one core; wrk with 32 kept-alive connections on another. Every contender must first give the right
answer (status, bytes, coding) to each case. Printed are medians over the rounds. Linux only; needs wrk and nginx.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import http.client
import json
import os
import random
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import figures
from processes import free_port, last_words, server, tree_cpu_seconds
from products import PRODUCTS, environment
from workplace import BENCH, DEFAULT_FOLDER, enter_environment, fail, run

ACCEPTED = "gzip, deflate, br"
CONNECTIONS = 32
# nginx is given a finished release: hashed names with .br and .gz files beside them.
NGINX_SERVES = "shipfiles"
PACKAGES = ("Django", "shipfiles", "whitenoise", "servestatic", "gunicorn", "uvicorn", "uvloop", "httptools", "granian")


@dataclass(frozen=True, slots=True)
class Case:
    """One request."""

    name: str
    file: str
    compressible: bool = False
    conditional: bool = False


CASES = {
    case.name: case
    for case in (
        Case("1k", "1k.png"),
        Case("10k-br", "10k.css", compressible=True),
        Case("10k-304", "10k.css", compressible=True, conditional=True),
        Case("100k", "100k.png"),
        Case("1m", "1m.png"),
    )
}
SIZES = {"1k.png": 1_000, "10k.css": 10_000, "100k.png": 100_000, "1m.png": 1_000_000}


@dataclass(frozen=True, slots=True)
class Way:
    """How a product is put into a site."""

    product: str
    module: str = "project.plain"
    middleware: str = ""


WAYS = {
    "bare": Way("", "project.bare"),
    "whitenoise-mw": Way("whitenoise", middleware="whitenoise.middleware.WhiteNoiseMiddleware"),
    "whitenoise-wrap": Way("whitenoise", "project.around"),
    "servestatic-mw": Way("servestatic", middleware="servestatic.middleware.ServeStaticMiddleware"),
    "servestatic-wrap": Way("servestatic", "project.around"),
    "shipfiles-mw": Way("shipfiles", middleware="shipfiles.django.middleware.ShipfilesMiddleware"),
    "shipfiles-wrap": Way("shipfiles", "project.around"),
}


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def gunicorn(app: str, port: int, kind: str, *more: str) -> list[str]:
    """The command that starts gunicorn with one worker of that kind."""
    quiet = ("--no-control-socket", "--log-level", "warning")
    bound = ("--bind", f"127.0.0.1:{port}", "--workers", "1", "--worker-class", kind)
    return _python("gunicorn", f"{app}:wsgi", *bound, *quiet, *more)


def uvicorn(app: str, port: int, http: str = "httptools") -> list[str]:
    """The command that starts uvicorn in its fastest set-up, with that protocol class."""
    quiet = ("--log-level", "warning", "--no-access-log", "--lifespan", "off")
    fast = ("--loop", "uvloop", "--http", http)
    return _python("uvicorn", f"{app}:asgi", "--host", "127.0.0.1", "--port", str(port), *fast, *quiet)


def granian(app: str, port: int, interface: str) -> list[str]:
    """The command that starts granian with one worker."""
    quiet = ("--log-level", "warning", "--no-ws", "--http", "1")
    bound = ("--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    return _python("granian", f"{app}:{interface.removesuffix('nl')}", "--interface", interface, *bound, *quiet)


SERVERS: dict[str, Callable[[str, int], list[str]]] = {
    "gunicorn-gthread": lambda app, port: gunicorn(app, port, "gthread", "--threads", "4", "--keep-alive", "75"),
    "gunicorn-sync": lambda app, port: gunicorn(app, port, "sync"),
    "gunicorn-lane": lambda app, port: gunicorn(
        app, port, "shipfiles.serve.gunicorn.ThreadWorker", "--threads", "4", "--keep-alive", "75"
    ),
    "uvicorn": uvicorn,
    "uvicorn-lane": lambda app, port: uvicorn(app, port, "shipfiles.serve.uvicorn:StaticProtocol"),
    "granian-wsgi": lambda app, port: granian(app, port, "wsgi"),
    "granian-asgi": lambda app, port: granian(app, port, "asginl"),
}
CONTENDERS = (
    "nginx",
    "nginx-nosendfile",
    *(
        f"gunicorn-{kind}/{way}"
        for kind in ("gthread", "sync")
        for way in ("bare", "whitenoise-mw", "whitenoise-wrap", "shipfiles-mw", "shipfiles-wrap")
    ),
    *(f"{lane}/{way}" for lane in ("gunicorn-lane", "uvicorn-lane") for way in ("shipfiles-mw", "shipfiles-wrap")),
    *(f"uvicorn/{way}" for way in ("bare", "servestatic-mw", "servestatic-wrap", "shipfiles-mw", "shipfiles-wrap")),
    *(f"granian-wsgi/{way}" for way in ("bare", "whitenoise-mw", "whitenoise-wrap", "shipfiles-mw", "shipfiles-wrap")),
    *(f"granian-asgi/{way}" for way in ("bare", "servestatic-wrap", "shipfiles-mw", "shipfiles-wrap")),
)
QUICK = ("nginx", "gunicorn-gthread/shipfiles-wrap")


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of wrk."""

    contender: str
    case: str
    round: int
    per_second: float
    cpu_us: float
    p50: str
    p99: str
    coding: str
    errors: str = ""


class Files:
    """The files that are served, and what each product has published of them."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.source = work / "serve" / "source"
        self.bodies: dict[str, bytes] = {}
        chance = random.Random(20_261_121)
        self.source.mkdir(parents=True, exist_ok=True)
        for name, size in SIZES.items():
            body = _css(chance, size) if name.endswith(".css") else chance.randbytes(size)
            self.bodies[name] = body
            (self.source / name).write_bytes(body)

    def root(self, product: str) -> Path:
        """Where the product publishes."""
        return self.work / "serve" / product

    def environment(self, way: Way) -> dict[str, str]:
        """The environment variables of a server that uses ``way``."""
        import django.contrib.admin

        admin = Path(next(iter(django.contrib.admin.__path__)), "static")
        variables = environment(
            PRODUCTS[way.product or "django"],
            self.root(way.product or "django"),
            folders=[("", admin), ("serve", self.source)],
            middleware=[way.middleware] if way.middleware else [],
            bare_files=self.source,
        )
        return {**variables, "BENCH_AROUND": way.product}

    def collect(self, products: set[str]) -> None:
        """Let every product publish the files and Django's admin."""
        for product in sorted(products):
            shutil.rmtree(self.root(product), ignore_errors=True)
            command: list[str | Path] = [sys.executable, "-m", "django", "collectstatic", "--noinput"]
            run(command, cwd=BENCH, env=self.environment(Way(product)))

    def url(self, product: str, file: str) -> str:
        """The URL path under which a product has published a file: with a hash, if it hashes."""
        name = f"serve/{file}"
        manifest = self.root(product) / "staticfiles.json"
        if product and manifest.is_file():
            name = json.loads(manifest.read_text())["paths"][name]
        return f"/static/{name}"


def _css(chance: random.Random, size: int) -> bytes:
    """Style rules that compress about as well as real ones do: 10 KB to about 2 KB."""
    names = [chance.randbytes(chance.randint(2, 5)).hex() for _ in range(120)]
    text = ""
    while len(text) < size:
        text += f".{chance.choice(names)} .{chance.choice(names)} {{ color: #{chance.randbytes(3).hex()}; "
        text += f"padding: {chance.randint(0, 32)}px {chance.randint(0, 32)}px; }}\n"
    return text[: size - 1].encode() + b"\n"


NGINX = """
daemon off; {user} worker_processes 1; pid nginx.pid; error_log error.log warn; {modules}
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile {sendfile}; tcp_nopush on; keepalive_requests 100000000; server_tokens off;
  open_file_cache max=20000 inactive=600s; open_file_cache_valid 600s; open_file_cache_errors on;
  gzip_static on; gzip_vary on; {brotli}
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  types {{ text/css css; image/png png; }}
  server {{
    listen 127.0.0.1:{port};
    location /static/ {{
      alias {root}/;
      add_header Cache-Control "max-age=315360000, public, immutable"; add_header Access-Control-Allow-Origin "*";
    }}
  }}
}}
"""


def nginx_command(folder: Path, root: Path, port: int, *, sendfile: bool) -> list[str]:
    """Write nginx's configuration to ``folder``; the command that starts it."""
    folder.mkdir(parents=True, exist_ok=True)
    module = Path("/usr/lib/nginx/modules/ngx_http_brotli_static_module.so")
    text = NGINX.format(
        user="user root;" if os.geteuid() == 0 else "",
        modules=f"load_module {module};" if module.is_file() else "",
        brotli="brotli_static on;" if module.is_file() else "",
        sendfile="on" if sendfile else "off",
        root=root,
        port=port,
    )
    (folder / "nginx.conf").write_text(text)
    return [program("nginx"), "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"]


def program(name: str) -> str:
    """The path of a program; empty if there is none."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin") or ""


class Bench:
    """Servers one after the other, each asked all cases."""

    def __init__(self, files: Files, cases: Sequence[Case], seconds: int, cores: tuple[int, int] | None) -> None:
        self.files, self.cases, self.seconds, self.cores = files, cases, seconds, cores

    @contextlib.contextmanager
    def serving(self, contender: str) -> Iterator[tuple[int, int]]:
        """Run a contender; gives its process id and port."""
        port = free_port()
        kind, _, name = contender.partition("/")
        log = self.files.work / "serve" / f"{contender.replace('/', '-')}.log"
        if kind.startswith("nginx"):
            folder = self.files.work / "serve" / "nginx-home"
            command = nginx_command(folder, self.files.root(NGINX_SERVES), port, sendfile=kind == "nginx")
            variables = dict(os.environ)
        else:
            command = SERVERS[kind](WAYS[name].module, port)
            variables = self.files.environment(WAYS[name])
        core = self.cores[0] if self.cores else None
        with server(command, port, folder=BENCH, environment=variables, output=log, core=core) as process:
            try:
                yield process, port
            except (OSError, http.client.HTTPException) as error:
                raise RuntimeError(f"{error!r}; the server said: {last_words(log)}") from error

    def round(self, contender: str, number: int) -> Iterator[Sample]:
        """Start a contender, check and measure it in all cases."""
        product = product_of(contender)
        with self.serving(contender) as (process, port):
            for i, case in enumerate(self.cases):
                path = self.files.url(product, case.file)
                heads, coding = check(port, path, case, self.files.bodies[case.file])
                url = f"http://127.0.0.1:{port}{path}"
                if i == 0:
                    self.wrk(url, heads, 1)
                before = tree_cpu_seconds(process)
                words = self.wrk(url, heads)
                used = tree_cpu_seconds(process) - before
                yield read_wrk(words, contender, case.name, number, used, coding)

    def wrk(self, url: str, heads: Mapping[str, str], seconds: int = 0) -> str:
        """What wrk says of ``url``; without ``seconds`` it takes those of this run."""
        pinned = ["taskset", "-c", str(self.cores[1])] if self.cores else []
        fields = [part for name, value in heads.items() for part in ("-H", f"{name}: {value}")]
        command = [
            program("wrk"),
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{seconds or self.seconds}s",
            "--timeout",
            "10s",
            "--latency",
        ]
        return run([*pinned, *command, *fields, url])


def product_of(contender: str) -> str:
    """The product whose published files a contender serves; empty for those that have no product."""
    return NGINX_SERVES if contender.startswith("nginx") else WAYS[contender.partition("/")[2]].product


def check(port: int, path: str, case: Case, body: bytes) -> tuple[dict[str, str], str]:
    """Ask once and compare; gives the header fields of the case's request, and the coding of the answer.

    Raises ``RuntimeError`` that says what was wrong.
    """
    heads = {"Accept-Encoding": ACCEPTED}
    status, fields, content = fetch(port, path, heads)
    if status != 200:
        raise RuntimeError(f"{path}: status {status} instead of 200")
    coding = fields.get("content-encoding", "")
    if int(fields.get("content-length", len(content))) != len(content):
        raise RuntimeError(f"{path}: Content-Length {fields['content-length']}, but {len(content)} bytes came")
    if decoded(content, coding) != body:
        raise RuntimeError(f"{path}: {len(content)} bytes, coding {coding!r}, are not the file's")
    if bool(coding) != case.compressible:
        raise RuntimeError(f"{path}: Content-Encoding is {coding!r}")
    if case.conditional:
        heads["If-None-Match"] = fields.get("etag", '"none"')
        status, _, content = fetch(port, path, heads)
        if status != 304 or content:
            raise RuntimeError(f"{path}: status {status} with {len(content)} bytes instead of 304 with none")
    return heads, coding


def fetch(port: int, path: str, heads: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Status, header fields and body of one GET."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers=dict(heads))
        response = connection.getresponse()
        return response.status, {n.lower(): v for n, v in response.getheaders()}, response.read()
    finally:
        connection.close()


def decoded(content: bytes, coding: str) -> bytes:
    """The file's bytes from those of a content coding."""
    if coding == "br":
        import brotli

        return bytes(brotli.decompress(content))
    if coding == "gzip":
        import gzip

        return gzip.decompress(content)
    return content


def read_wrk(words: str, contender: str, case: str, number: int, cpu: float, coding: str) -> Sample:
    """A sample from what wrk printed."""

    def found(pattern: str) -> str:
        match = re.search(pattern, words)
        return match.group(1) if match else ""

    requests = int(found(r"(\d+) requests in") or 0)
    errors = found(r"Socket errors: (.*)") or found(r"(Non-2xx or 3xx responses: \d+)")
    per_second = float(found(r"Requests/sec:\s+([\d.]+)") or 0)
    cpu_us = cpu / requests * 1e6 if requests else 0.0
    return Sample(
        contender, case, number, per_second, cpu_us, found(r"50%\s+(\S+)"), found(r"99%\s+(\S+)"), coding, errors
    )


def report(samples: Sequence[Sample], contenders: Sequence[str], cases: Sequence[str]) -> str:
    """The two tables: requests per second with their ratio to nginx, and CPU per request."""

    def middle(contender: str, case: str, what: str) -> float | None:
        values = [getattr(s, what) for s in samples if s.contender == contender and s.case == case]
        return figures.median(values) if values else None

    def rate(contender: str, case: str) -> str:
        value = middle(contender, case, "per_second")
        mark = marks(contender, case)
        return f"{figures.number(value)} ({figures.ratio(value, middle('nginx', case, 'per_second'))}){mark}"

    def marks(contender: str, case: str) -> str:
        mine = [s for s in samples if s.contender == contender and s.case == case]
        unusual = {s.coding for s in mine} - {"", "br"}
        return "".join(f" {coding}" for coding in unusual) + (" !" if any(s.errors for s in mine) else "")

    rates = [[c, *(rate(c, case) for case in cases)] for c in contenders]
    costs = [[c, *(figures.number(middle(c, case, "cpu_us")) for case in cases)] for c in contenders]
    heads = ["contender", *cases]
    return (
        f"### Requests per second (ratio to nginx)\n\n{figures.table(heads, rates)}\n\n"
        f"### Server CPU per request, microseconds\n\n{figures.table(heads, costs)}"
    )


def two_cores() -> tuple[int, int] | None:
    """A core for the server and one for wrk; ``None`` if there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 and shutil.which("taskset") else None


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--seconds", type=int, default=2, help="seconds of each measurement (default: 2)")
    parser.add_argument("--cases", default=",".join(CASES), help=f"of {', '.join(CASES)} (default: all)")
    parser.add_argument(
        "--contenders",
        default="",
        help="only those that have one of these comma-separated words in their names; nginx always takes part. "
        f"There are: {', '.join(CONTENDERS)}",
    )
    parser.add_argument("--json", type=Path, help="write every single measurement to this file")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where to work (default: .work/bench)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a smoke run: one server, one file, one second, in this Python if it can; skipped without wrk",
    )
    return parser.parse_args()


def chosen(asked: argparse.Namespace) -> tuple[list[str], list[Case], int, int]:
    """The contenders, cases, rounds and seconds of this run."""
    if asked.quick:
        return list(QUICK), [CASES["1k"]], 1, 1
    words = [word for word in asked.contenders.split(",") if word]
    contenders = [c for c in CONTENDERS if c == "nginx" or not words or any(w in c for w in words)]
    for name in asked.cases.split(","):
        if name not in CASES:
            fail(f"--cases: {name!r} is none of {', '.join(CASES)}")
    return contenders, [CASES[name] for name in asked.cases.split(",")], asked.rounds, asked.seconds


def main() -> None:
    """Measure and print."""
    asked = arguments()
    contenders, cases, rounds, seconds = chosen(asked)
    missing = [name for name in ("wrk", "nginx") if not program(name)]
    if missing:
        how = f"{' and '.join(missing)} not found (Debian, Ubuntu: apt-get install {' '.join(missing)})"
        if asked.quick:
            print(f"bench/serve.py --quick: skipped, {how}")
            return
        fail(how)
    work = asked.folder.resolve()
    work.mkdir(parents=True, exist_ok=True)
    enter_environment(work, enough=("django", "shipfiles", "gunicorn") if asked.quick else ())
    about = {
        "machine": figures.machine(),
        "versions": figures.versions(PACKAGES)
        | {"nginx": figures.program_version([program("nginx"), "-v"]), "wrk": figures.program_version(["wrk", "-v"])},
    }
    print(json.dumps(about), end="\n\n", flush=True)
    samples, failures = measure(Bench(Files(work), cases, seconds, two_cores()), contenders, rounds, asked.json, about)
    print(report(samples, contenders, [case.name for case in cases]))
    print(f"\nLoad at the end: {figures.machine()['load']}")
    for contender, failure in failures.items():
        print(f"\nFailed: {contender}: {failure}")
    if failures or any(s.errors for s in samples):
        raise SystemExit(1)


def measure(
    bench: Bench, contenders: Sequence[str], rounds: int, output: Path | None, about: Mapping[str, object]
) -> tuple[list[Sample], dict[str, str]]:
    """All rounds; the samples, and why contenders fell out."""
    samples: list[Sample] = []
    failures: dict[str, str] = {}
    bench.files.collect({product_of(c) for c in contenders} - {""})
    for number in range(1, rounds + 1):
        for contender in contenders:
            if contender in failures:
                continue
            try:
                for sample in bench.round(contender, number):
                    samples.append(sample)
                    print(
                        f"{contender:32} {sample.case:8} round {number} {sample.per_second:10,.0f} /s "
                        f"{sample.cpu_us:8.1f} us {sample.errors}",
                        file=sys.stderr,
                        flush=True,
                    )
            except RuntimeError as error:
                failures[contender] = str(error)
                print(f"{contender}: {error}", file=sys.stderr, flush=True)
            if output:
                runs = [dataclasses.asdict(s) for s in samples]
                output.write_text(json.dumps({**about, "runs": runs, "failures": failures}, indent=1))
            time.sleep(0.2)
    return samples, failures


if __name__ == "__main__":
    main()
