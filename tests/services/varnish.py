"""Varnish with any configuration."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.oracles.corpora import missing

from .servers import run, wait_until_listening


@contextlib.contextmanager
def run_varnish(folder: Path, text: str, port: int) -> Iterator[int]:
    """Varnish with the VCL ``text``, its files in ``folder``, which is made. Gives its port."""
    program = shutil.which("varnishd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        missing("Varnish is not installed (Debian: apt-get install varnish)")
    folder.mkdir(exist_ok=True)
    (folder / "cdn.vcl").write_text(text)
    # As the tests' user, whoever that is; it keeps all in memory.
    command = [
        program, "-F", "-j", "none", "-f", str(folder / "cdn.vcl"), "-a", f"127.0.0.1:{port}", "-n",
        str(folder / "run"), "-s", "malloc,64m", "-T", "none", "-p", "thread_pool_min=20",
    ]  # fmt: skip
    log = folder / "log.txt"
    with log.open("wb") as out, run(command, out, folder) as process:
        wait_until_listening(port, process, log)
        yield port
