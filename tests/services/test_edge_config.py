"""``ship config`` from its command to the answers of the real programs, which it asks itself at last."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from shipfiles.doctor.public import NotReached, fetch
from tests.bucket import running as running_bucket
from tests.django.project_files import in_project, make_project, uploads

from .apache import run_apache
from .caddy import run_caddy
from .nginx import run_nginx
from .servers import free_port

pytestmark = pytest.mark.services

Run = Callable[[Path, str, int], AbstractContextManager[object]]
RUN: dict[str, Run] = {"nginx": run_nginx, "apache": run_apache, "caddy": run_caddy}
BY_HAND = """
  types {{ text/plain css js; }}
  server {{ listen 127.0.0.1:{port}; location /static {{ alias {root}/; expires 1y; }} }}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("project")
    make_project(folder)
    with in_project(folder, uploads(folder)):
        yield folder


def asked(server: str, port: int, *more: str) -> tuple[dict[str, Any], bool]:
    """What the command says of a live address, and whether it ended well."""
    out = io.StringIO()
    try:
        call_command("ship", "config", server, "--url", f"http://127.0.0.1:{port}", *more, "--json", stdout=out)
    except CommandError:
        return json.loads(out.getvalue()), False
    return json.loads(out.getvalue()), True


@pytest.mark.parametrize("server", RUN)
def test_the_generated_configuration_answers_like_the_application(project: Path, tmp_path: Path, server: str) -> None:
    port, file = free_port(), tmp_path / "site.conf"
    given = ["--listen", f"127.0.0.1:{port}", "--server-name", "www.example.com", "--include-media"]
    call_command("ship", "config", server, *given, "--output", str(file), verbosity=0)
    with RUN[server](tmp_path, file.read_text(), port):
        facts, well = asked(server, port, *given, "--check", str(file))
    wrong = [answer for answer in facts["answers"] if answer["state"] != "ok"]
    assert [(answer["name"], answer["why"], answer["answer"]) for answer in wrong] == []
    assert well
    assert facts["ok"] is True
    assert facts["drift"] == {}
    assert len(facts["answers"]) > 25


def test_one_that_is_written_by_hand(project: Path, tmp_path: Path) -> None:
    """A location without its closing slash gives away what lies beside the folder, as every guide to nginx warns."""
    port = free_port()
    with run_nginx(tmp_path, BY_HAND.format(port=port, root=project / "root"), port):
        facts, well = asked("nginx", port)
    wrong = {answer["name"] for answer in facts["answers"] if answer["state"] == "wrong" and answer["needed"]}
    assert not well
    assert wrong >= {"hashed", "plain", "cors", "missing", "pointer", "manifest", "record", "outside", "root"}


def test_a_certificate_for_the_host_that_is_asked_for(
    certificates: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9110 section 4.3.4: it is for the host that is meant, whatever the address."""
    own, root = certificates
    with running_bucket(own) as bucket:
        url = bucket.url.replace("127.0.0.1", "localhost")
        with pytest.raises(NotReached, match="its certificate is not trusted") as told:
            fetch(url, {})
        assert "SSL_CERT_FILE" in told.value.todo
        monkeypatch.setenv("SSL_CERT_FILE", str(root))
        with pytest.raises(NotReached, match="its certificate is not trusted") as told:
            fetch(url, {})
        assert "--server-name" in told.value.todo
        for other, host in ((url, "127.0.0.1"), (bucket.url, "127.0.0.1.")):
            assert fetch(other, {"Host": host}).status in range(400, 500)
        assert fetch(bucket.url, {}).status in range(400, 500)
        with pytest.raises(NotReached, match="its certificate is not trusted"):
            fetch(bucket.url, {"Host": "www.example.com"})
    with pytest.raises(NotReached, match="no name server knows its name") as told:
        fetch("https://nobody.invalid/", {})
    assert "--server-name" in told.value.todo
