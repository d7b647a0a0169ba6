#!/usr/bin/env python3
"""Measures nginx with the configuration that `ship config nginx` writes, and with one that was tuned by hand.

    python bench/edge.py --rounds 15 --seconds 1 --json figures.json
    python bench/edge.py --quick

Both run at the same time, with one worker each on one core; wrk with 32 kept-alive connections asks them in turn from
another. The one by hand has sendfile, open_file_cache for ten minutes, gzip_static and, where its module is there,
brotli_static; it finds out by a map which names are immutable. Both must first give the right answer, with the same
fields. Printed are medians
over the rounds; fails if the ratio is below 0.95 for files under hashed names. Linux only; needs wrk and nginx.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import figures
from processes import free_port, server, tree_cpu_seconds
from serve import ACCEPTED, CASES, NGINX_SERVES, Bench, Case, Files, Sample, check, program, two_cores
from serve import read_wrk as read
from workplace import BENCH, DEFAULT_FOLDER, enter_environment, fail

LEAST = 0.95
BY_HAND, WRITTEN = "by hand", "written"
CONTENDERS = (BY_HAND, WRITTEN)
# Files whose names may be of other bytes with the next release are looked at for each request, and not by the other.
PLAIN = Case("10k-plain", "10k.css", compressible=True)
HASHED = tuple(CASES[name] for name in ("1k", "10k-br", "10k-304", "100k", "1m"))

AROUND = """
daemon off; {user} worker_processes 1; pid nginx.pid; error_log error.log warn; {modules}
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000; server_tokens off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
{http}
}}
"""
TUNED = """
  map $uri $lifetime {{
    default "max-age=60, public"; "~\\.[0-9a-f]{{12}}\\.[^./]+$" "max-age=31536000, public, immutable";
  }}
  server {{
    listen 127.0.0.1:{port};
    sendfile on; tcp_nopush on;
    open_file_cache max=20000 inactive=600s; open_file_cache_valid 600s; open_file_cache_errors on;
    gzip_static on; gzip_vary on; {brotli}
    types {{ text/css css; image/png png; }}
    charset utf-8; charset_types text/css;
    location /static/ {{
      alias {root}/;
      add_header Cache-Control $lifetime; add_header Access-Control-Allow-Origin "*";
      add_header X-Content-Type-Options nosniff;
    }}
  }}
"""
BROTLI = Path("/usr/lib/nginx/modules/ngx_http_brotli_static_module.so")


def tuned(root: Path, port: int) -> str:
    """What an expert writes for the files in ``root``."""
    return TUNED.format(root=root, port=port, brotli="brotli_static on;" if BROTLI.is_file() else "")


def written(root: Path, port: int) -> str:
    """What `ship config nginx` writes for them."""
    from shipfiles.config import RewriteConfig, ServeConfig
    from shipfiles.edge.nginx import configuration
    from shipfiles.edge.policy import EdgePolicy, static_policy

    static = static_policy(str(root), "/static/", ServeConfig(), RewriteConfig(), ("br", "gzip"))
    return configuration(EdgePolicy("dedicated", static, listen=f"127.0.0.1:{port}"))


def nginx_command(folder: Path, http: str) -> list[str]:
    """Write nginx's configuration with ``http`` to ``folder``; the command that starts it."""
    folder.mkdir(parents=True, exist_ok=True)
    user = "user root;" if os.geteuid() == 0 else ""
    modules = f"load_module {BROTLI};" if BROTLI.is_file() else ""
    (folder / "nginx.conf").write_text(AROUND.format(user=user, modules=modules, http=http), encoding="utf-8")
    return [program("nginx"), "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"]


class Edge:
    """Both servers, and one way to ask them."""

    def __init__(self, files: Files, seconds: int, cores: tuple[int, int] | None) -> None:
        self.files, self.cores = files, cores
        self._wrk = Bench(files, (), seconds, cores)

    @contextlib.contextmanager
    def serving(self, contender: str) -> Iterator[tuple[int, int]]:
        """Run a contender; gives its process id and port."""
        port, root = free_port(), self.files.root(NGINX_SERVES)
        folder = self.files.work / "edge" / contender.replace(" ", "-")
        command = nginx_command(folder, tuned(root, port) if contender == BY_HAND else written(root, port))
        core = self.cores[0] if self.cores else None
        with server(
            command, port, folder=BENCH, environment=os.environ, output=folder / "log.txt", core=core
        ) as process:
            yield process, port

    def sample(self, contender: str, process: int, port: int, case: Case, number: int) -> Sample:
        """Check and measure one case."""
        path = f"/static/serve/{case.file}" if case is PLAIN else self.files.url(NGINX_SERVES, case.file)
        heads, coding = check(port, path, case, self.files.bodies[case.file])
        before = tree_cpu_seconds(process)
        words = self._wrk.wrk(f"http://127.0.0.1:{port}{path}", heads)
        return read(words, contender, case.name, number, tree_cpu_seconds(process) - before, coding)


def measure(edge: Edge, cases: Sequence[Case], rounds: int) -> list[Sample]:
    """All rounds, in each of which every case is asked of both, in turns of who is first."""
    samples: list[Sample] = []
    with contextlib.ExitStack() as stack:
        running = {contender: stack.enter_context(edge.serving(contender)) for contender in CONTENDERS}
        for number in range(1, rounds + 1):
            for case in cases:
                for contender in CONTENDERS if number % 2 else CONTENDERS[::-1]:
                    found = edge.sample(contender, *running[contender], case, number)
                    samples.append(found)
                    print(
                        f"{contender:8} {case.name:10} round {number} {found.per_second:10,.0f} /s {found.errors}",
                        file=sys.stderr,
                        flush=True,
                    )
            time.sleep(0.1)
    return samples


def ratios(samples: Sequence[Sample], cases: Sequence[Case]) -> Mapping[str, float]:
    """Case → requests per second of what is written, in the median, as a part of those of the one by hand."""

    def middle(contender: str, case: Case) -> float:
        return figures.median([s.per_second for s in samples if (s.contender, s.case) == (contender, case.name)])

    return {case.name: middle(WRITTEN, case) / middle(BY_HAND, case) for case in cases}


def report(samples: Sequence[Sample], cases: Sequence[Case]) -> str:
    """The table."""
    rows = []
    for case in cases:
        of_case = {c: [s for s in samples if (s.contender, s.case) == (c, case.name)] for c in CONTENDERS}
        rates = [figures.number(figures.median([s.per_second for s in of_case[c]])) for c in CONTENDERS]
        costs = [figures.number(figures.median([s.cpu_us for s in of_case[c]])) for c in CONTENDERS]
        coding = "/".join(sorted({s.coding or "-" for found in of_case.values() for s in found}))
        rows.append([case.name, coding, *rates, f"{ratios(samples, [case])[case.name]:.3f}", *costs])
    heads = ["case", "coding", "/s by hand", "/s written", "ratio", "CPU us by hand", "CPU us written"]
    return figures.table(heads, rows)


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="rounds (default: 15)")
    parser.add_argument("--seconds", type=int, default=1, help="seconds of each measurement (default: 1)")
    parser.add_argument("--json", type=Path, help="write every single measurement to this file")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where to work (default: .work/bench)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a smoke run: one round of one second, which judges no ratio; skipped without wrk or nginx",
    )
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    asked = arguments()
    if missing := [name for name in ("wrk", "nginx") if not program(name)]:
        how = f"{' and '.join(missing)} not found (Debian, Ubuntu: apt-get install {' '.join(missing)})"
        if asked.quick:
            print(f"bench/edge.py --quick: skipped, {how}")
            return
        fail(how)
    work = asked.folder.resolve()
    work.mkdir(parents=True, exist_ok=True)
    enter_environment(work, enough=("django", "shipfiles"))
    about = {
        "machine": figures.machine(),
        "versions": {
            "nginx": figures.program_version([program("nginx"), "-v"]),
            "wrk": figures.program_version(["wrk", "-v"]),
        },
        "accepted": ACCEPTED,
    }
    print(json.dumps(about), end="\n\n", flush=True)
    files = Files(work)
    files.collect({NGINX_SERVES})
    cases = (CASES["10k-br"],) if asked.quick else (*HASHED, PLAIN)
    samples = measure(
        Edge(files, 1 if asked.quick else asked.seconds, two_cores()), cases, 1 if asked.quick else asked.rounds
    )
    if asked.json:
        asked.json.write_text(json.dumps({**about, "runs": [asdict(s) for s in samples]}, indent=1), encoding="utf-8")
    print(report(samples, cases))
    print(f"\nLoad at the end: {figures.machine()['load']}")
    wrong = [f"{s.contender} {s.case}: {s.errors}" for s in samples if s.errors]
    if not asked.quick:
        low = {name: value for name, value in ratios(samples, HASHED).items() if value < LEAST}
        wrong += [f"{name}: {value:.3f} is less than {LEAST}" for name, value in low.items()]
    for line in wrong:
        print(line)
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
