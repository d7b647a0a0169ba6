"""An open page in Chromium learns of a newer release: once, from real servers, and under a strict policy."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.oracles.corpora import ROOT

from .servers import free_port, wait_until_listening

pytestmark = pytest.mark.services

SITE = "tests.services.newer_site"
HOUR = 3600_000


@dataclass
class Ship:
    """The site's commands and servers on one store."""

    folder: Path
    servers: ExitStack

    def environment(self, release: str) -> dict[str, str]:
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": SITE,
            "SITE_ROOT": str(self.folder / "root"),
            **({"SITE_RELEASE": release} if release else {"SITE_FOLLOWS": "1"}),
        }

    def collect(self, release: str) -> None:
        """Publish a release of that name."""
        self._manage(self.environment(release), "collectstatic", "--noinput")

    def rollback(self) -> None:
        self._manage(self.environment(""), "ship", "rollback")

    def _manage(self, environment: dict[str, str], *arguments: str) -> None:
        command = [sys.executable, "-m", "django", *arguments]
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr

    def serve(self, release: str = "") -> str:
        """The origin of a process of that release; without one, of a process that follows the current one."""
        return self.servers.enter_context(serving(self.environment(release), self.folder / f"server-{release}.txt"))


@contextmanager
def serving(environment: dict[str, str], log: Path) -> Iterator[str]:
    port = free_port()
    arguments = ("--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "4", "--log-level", "warning")
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *arguments, f"{SITE}.wsgi:application"],
            cwd=ROOT, env=environment, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        wait_until_listening(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def ship(tmp_path: Path) -> Iterator[Ship]:
    with ExitStack() as servers:
        yield Ship(tmp_path, servers)


@dataclass
class Seen:
    """An open page and what it asked for."""

    page: Any
    asked: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def told(self) -> list[dict[str, str]]:
        return self.page.evaluate("window.told")

    def wait_until(self, what: Callable[[], bool]) -> None:
        for _ in range(600):
            if what():
                return
            self.page.wait_for_timeout(50)
        pytest.fail(f"it did not happen; asked: {self.asked}, told: {self.told()}, faults: {self.faults}")


def opened(context: Any, origin: str, *, clock: bool = False) -> Seen:
    """The site's page. With ``clock`` time stands still but for what the test lets pass."""
    page = context.new_page()
    seen = Seen(page)
    if clock:
        page.clock.install(time=0)
    page.on("console", lambda said: said.type == "error" and seen.faults.append(said.text))
    page.on("pageerror", lambda error: seen.faults.append(str(error)))
    page.on("request", lambda request: request.url.endswith("/release.json") and seen.asked.append(request.url))
    page.goto(f"{origin}/")
    if clock:
        page.clock.pause_at(1000)
    return seen


def answers(seen: Seen, *replies: tuple[int, str]) -> None:
    """Answer the page's questions so, the last again and again."""
    left = list(replies)

    def answer(route: Any) -> None:
        status, body = left.pop(0) if len(left) > 1 else left[0]
        route.fulfill(status=status, body=body, content_type="application/json")

    seen.page.route("**/release.json", answer)


def pass_time(seen: Seen, milliseconds: int, times: int = 1) -> None:
    """Let time pass, and what was asked meanwhile be answered."""
    # A question that is asked on the way would wait for the rest of so long a time, and be given up.
    go_on = seen.page.clock.fast_forward if milliseconds >= HOUR else seen.page.clock.run_for
    for _ in range(times):
        go_on(milliseconds)
        seen.page.evaluate("fetch('/').then(() => null)")


def test_a_page_learns_of_the_next_release_and_of_a_rollback(context: Any, ship: Ship) -> None:
    ship.collect("v1")
    origin = ship.serve()
    first = opened(context, origin)
    assert first.page.inner_text("p") == "v1"
    first.wait_until(lambda: len(first.asked) >= 2)
    assert first.told() == []
    ship.collect("v2")
    first.wait_until(lambda: first.told() != [])
    (told,) = first.told()
    assert told["release"] == "v2"
    # Found is found: it asks no more and tells no more, and nothing else happens to the page.
    asked = len(first.asked)
    second = opened(context, origin)
    assert second.page.inner_text("p") == "v2"
    second.wait_until(lambda: len(second.asked) >= 3)
    assert second.told() == []
    assert (len(first.asked), len(first.told()), first.page.inner_text("p")) == (asked, 1, "v1")
    ship.rollback()
    second.wait_until(lambda: second.told() != [])
    assert [told["release"] for told in second.told()] == ["v1"]
    assert first.faults == second.faults == []


def test_a_process_of_the_older_release_tells_nothing(context: Any, ship: Ship) -> None:
    """In a rolling deploy, the page of a new process may ask one that has not been replaced yet."""
    ship.collect("v1")
    old = ship.serve("v1")
    first = opened(context, old)
    # Times are whole seconds.
    first.page.wait_for_timeout(1100)
    ship.collect("v2")
    new = ship.serve("v2")
    second = opened(context, new)

    def ask_at(other: str) -> Callable[[Any], None]:
        return lambda route: route.fulfill(response=route.fetch(url=f"{other}/ship/release.json"))

    second.page.route("**/release.json", ask_at(old))
    second.wait_until(lambda: len(second.asked) >= 3)
    assert second.told() == []
    first.page.route("**/release.json", ask_at(new))
    first.wait_until(lambda: first.told() != [])
    assert [told["release"] for told in first.told()] == ["v2"]


def test_how_often_it_asks(context: Any, ship: Ship) -> None:
    ship.collect("v1")
    seen = opened(context, ship.serve(), clock=True)
    # every=1: between one second and a quarter more.
    answers(seen, (200, '{"release": "v1"}'))
    pass_time(seen, 100, 100)
    assert 7 <= len(seen.asked) <= 10
    # Nobody looks: nothing is asked.
    seen.page.evaluate("hide(true)")
    seen.asked.clear()
    pass_time(seen, HOUR)
    assert seen.asked == []
    # Somebody looks again: at once, but only once.
    seen.page.evaluate("hide(false)")
    pass_time(seen, 1)
    assert len(seen.asked) == 1
    for hidden in ("true", "false") * 5:
        seen.page.evaluate(f"hide({hidden})")
    pass_time(seen, 1)
    assert len(seen.asked) == 1
    assert seen.told() == []


@pytest.mark.parametrize("reply", [(500, "{}"), (404, '{"release": "v2"}'), (200, "<p>Log in</p>"), (200, "null")])
def test_errors_make_it_ask_less(context: Any, ship: Ship, reply: tuple[int, str]) -> None:
    ship.collect("v1")
    seen = opened(context, ship.serve(), clock=True)
    answers(seen, reply)
    pass_time(seen, 500, 200)
    # 1, 2, 4, ... seconds and up to a quarter more: six or seven questions in 100 seconds, not a hundred.
    assert 5 <= len(seen.asked) <= 7
    # However long it lasts, at least once in a day and a quarter.
    pass_time(seen, 6 * HOUR, 12)
    before = len(seen.asked)
    pass_time(seen, 6 * HOUR, 6)
    assert len(seen.asked) > before
    # And after one good answer as before.
    answers(seen, (200, '{"release": "v1"}'))
    pass_time(seen, 6 * HOUR, 6)
    seen.asked.clear()
    pass_time(seen, 100, 100)
    assert 7 <= len(seen.asked) <= 10
    assert seen.told() == []


def test_a_question_carries_no_session_and_does_not_wait_for_ever(context: Any, ship: Ship) -> None:
    ship.collect("v1")
    origin = ship.serve()
    context.add_cookies([{"name": "sessionid", "value": "secret", "url": origin}])
    page = context.new_page()
    cookies: list[str | None] = []

    def hang(route: Any) -> None:
        cookies.append(route.request.all_headers().get("cookie"))  # and no answer

    page.route("**/release.json", hang)
    seen = Seen(page)
    page.goto(f"{origin}/")
    seen.wait_until(lambda: len(cookies) >= 2)
    assert cookies == [None] * len(cookies)
