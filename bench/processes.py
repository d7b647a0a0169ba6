"""Processes and what they cost: wall and CPU seconds of a whole process tree, peak memory, servers that always stop."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one finished process and all its children took."""

    status: int
    wall: float
    cpu: float
    peak_mb: float
    """Of the whole tree, by samples, or of its largest process, which the kernel keeps: whichever is more."""
    timed_out: bool = False


def measured(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str], output: Path, time_out: float
) -> Cost:
    """Run ``command`` to its end and say what it cost. Its words go to ``output``."""
    late = threading.Event()
    over = threading.Event()
    peaks = [0.0]

    def watch() -> None:
        while not over.wait(0.05):
            peaks.append(_tree_mb(process.pid))

    def stop() -> None:
        late.set()
        _signal(process.pid, signal.SIGKILL)

    with output.open("wb") as words:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdout=words, stderr=words, start_new_session=True
        )
        timer = threading.Timer(time_out, stop)
        timer.start()
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            _signal(process.pid, signal.SIGKILL)
            raise
        finally:
            wall = time.perf_counter() - start
            timer.cancel()
            over.set()
            watcher.join()
        process.returncode = os.waitstatus_to_exitcode(status)
    if usage.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
        # Else it is what this process had when it started that one.
        peaks.append(usage.ru_maxrss / 1024)
    return Cost(process.returncode, wall, usage.ru_utime + usage.ru_stime, max(peaks), late.is_set())


def tree_cpu_seconds(root: int) -> float:
    """User and system seconds so far of the running process ``root`` and of all below it."""
    return sum(sum(map(int, fields[11:15])) for fields in _tree(root).values()) / TICKS


@dataclass(frozen=True, slots=True)
class Held:
    """What a running process and all below it hold."""

    memory_mb: float
    """Resident; of a page that several processes share, each counts its part (PSS in proc_pid_smaps(5))."""
    descriptors: int
    threads: int


def tree_holds(root: int) -> Held:
    """What the running process ``root`` and all below it hold now."""
    kilobytes = descriptors = threads = 0
    for process in _tree(root):
        with contextlib.suppress(OSError):
            lines = Path("/proc", str(process), "smaps_rollup").read_text().splitlines()
            kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            descriptors += len(os.listdir(f"/proc/{process}/fd"))
            threads += len(os.listdir(f"/proc/{process}/task"))
    return Held(kilobytes / 1024, descriptors, threads)


def tree_opened(root: int) -> Counter[str]:
    """What the running process ``root`` and all below it have open, in the kernel's words."""
    found: Counter[str] = Counter()
    for process in _tree(root):
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{process}/fd"):
                with contextlib.suppress(OSError):
                    found[re.sub(r":\[[0-9]+\]", "", os.readlink(entry.path))] += 1
    return found


def _tree_mb(root: int) -> float:
    """MB of memory of the running process ``root`` and of all below it; pages that they share count for each."""
    tree = _tree(root)
    pages = 0
    for process, fields in tree.items():
        # Until a new process runs its own program, it lives in its parent's memory.
        if process == root or _command(process) != _command(int(fields[1])):
            pages += int(fields[21])
    return pages * PAGE / 2**20


def _tree(root: int) -> dict[int, list[str]]:
    """The process ``root`` and all below it, with the fields of proc_pid_stat(5) from the third on."""
    found: dict[int, list[str]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                # The name in the second field may hold anything; the rest follows its last parenthesis.
                found[int(entry)] = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
    tree = {}
    for process, fields in found.items():
        ancestor = process
        while ancestor not in (root, 0):
            ancestor = int(found[ancestor][1]) if ancestor in found else 0
        if ancestor == root:
            tree[process] = fields
    return tree


def _command(process: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path("/proc", str(process), "cmdline").read_bytes()
    return b""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def server(
    command: Sequence[str], port: int, *, folder: Path, environment: Mapping[str, str], output: Path, core: int | None
) -> Iterator[int]:
    """Run a server as long as the context lasts; gives its process id once ``port`` accepts connections."""
    pinned = ["taskset", "-c", str(core), *command] if core is not None else list(command)
    with output.open("wb") as words:
        process = subprocess.Popen(
            pinned, cwd=folder, env=dict(environment), stdout=words, stderr=words, start_new_session=True
        )
    try:
        _await_port(process, port, output)
        yield process.pid
    finally:
        _signal(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            pass
        finally:
            _signal(process.pid, signal.SIGKILL)
            process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int, output: Path, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}: {last_words(output)}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"the server did not listen within {seconds:.0f} s: {last_words(output)}")


def last_words(output: Path, size: int = 1500) -> str:
    """The end of what a process printed."""
    return output.read_text(errors="replace").strip()[-size:]


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
