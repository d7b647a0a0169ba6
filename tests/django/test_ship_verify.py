"""``ship verify``, as people call it."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from shipfiles.release.unsettled import Unsettled
from shipfiles.stores.local import LocalStore

SITE: dict[str, str | bytes] = {
    "css/app.css": "@import 'part.css';\np { background: url(../x.svg) }\n" + "p { color: red }\n" * 30,
    "css/part.css": "q { color: red }\n" * 30,
    "x.svg": "<svg/>",
}


def ship(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("ship", "verify", *arguments, stdout=out, stderr=err, no_color=True)
    return out.getvalue().strip(), err.getvalue().strip()


def fails(*arguments: str) -> tuple[str, str]:
    """What is printed, and the error."""
    out = io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("ship", "verify", *arguments, stdout=out, stderr=out, no_color=True)
    return out.getvalue().strip(), str(caught.value)


@pytest.fixture
def site(project: Path, write, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(SITE)
    call_command("collectstatic", interactive=False, verbosity=0)
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def release(site: Path) -> str:
    return str(json.loads((site / "root/.shipfiles/current.json").read_text())["release"])


def tree(root: Path) -> dict[str, bytes]:
    skipped = {".shipfiles/lock", ".shipfiles/swap", ".shipfiles/state.json"}
    files = (p for p in root.rglob("*") if p.is_file())
    return {key: p.read_bytes() for p in files if (key := str(p.relative_to(root))) not in skipped}


def hashed(root: Path, pattern: str) -> Path:
    (found,) = root.glob(pattern)
    return found


def test_what_somebody_else_put_beside_a_plain_name(project: Path, write):
    """collectstatic leaves it and says so; a repair does the same, and ends with an error."""
    write(SITE)
    (project / "root/css").mkdir(parents=True)
    (project / "root/css/part.css.gz").write_bytes(b"theirs")
    call_command("collectstatic", interactive=False, verbosity=0)
    for arguments in ((), ("--repair",)):
        out, error = fails(*arguments)
        assert "css/part.css.gz  taken: Shipfiles did not write what is there, but web servers may send it as" in out
        assert error.endswith("1 fault. What somebody else has put there is theirs to move away.")
    assert (project / "root/css/part.css.gz").read_bytes() == b"theirs"


def break_all(root: Path, keep: tuple[str, ...] = (".shipfiles/m", ".shipfiles/r", ".shipfiles/c")) -> set[str]:
    """Take away every file, and say which."""
    gone = {key for key in tree(root) if not key.startswith(keep)}
    for key in gone:
        (root / key).unlink()
    return gone


def test_a_release_that_is_whole(site: Path, release: str):
    before = tree(site / "root")
    out, err = ship()
    assert out.startswith("1 release, ")
    assert out.endswith(": all is as it should be.")
    assert err == ""
    for arguments in ((release,), (release[:5],), ("current",), ("--current",), ("--repair",)):
        assert ship(*arguments)[0] == out
    facts = json.loads(ship("--json")[0])
    assert (facts["clean"], facts["releases"], facts["faults"], facts["notes"]) == (True, [release], [], [])
    assert tree(site / "root") == before
    assert ship("--verbosity", "0") == ("", "")


def test_faults_are_told_and_end_with_status_1(site: Path, release: str):
    root = site / "root"
    lost = hashed(root, "css/part.????????????.css")
    lost.unlink()
    plain = root / "css/part.css"
    plain.unlink()
    plain.write_bytes(b"x")
    out, error = fails()
    rows = {line.split()[0]: line for line in out.splitlines()[1:]}
    assert rows.keys() == {"css/part.css", f"css/{lost.name}"}
    assert "missing" in rows[f"css/{lost.name}"]
    assert release in rows[f"css/{lost.name}"]
    assert "it has 1 bytes, and the manifest says 510" in rows["css/part.css"]
    assert ": 2 faults." in error
    assert "--repair" in error
    facts = json.loads(fails("--json")[0])
    assert facts["clean"] is False
    assert {fault["key"]: fault["kind"] for fault in facts["faults"]} == {
        "css/part.css": "damaged",
        f"css/{lost.name}": "missing",
    }


def test_repair_from_the_sources(site: Path):
    root = site / "root"
    before = tree(root)
    gone = break_all(root)
    out, _ = ship("--repair")
    assert out.endswith(f"{len(gone)} faults, all repaired.")
    assert "from the sources" in out
    assert tree(root) == before
    assert ship()[0].endswith("all is as it should be.")
    break_all(root)
    facts = json.loads(ship("--repair", "--json")[0])
    assert facts["clean"] is True
    assert {fault["key"] for fault in facts["faults"]} == gone
    assert all(fault["repaired_from"] and not fault["not_repaired"] for fault in facts["faults"])


def test_what_the_project_does_not_have_any_more(site: Path, release: str, write):
    write({"css/part.css": "q { color: blue }\n" * 30})
    call_command("collectstatic", interactive=False, verbosity=0)
    root = site / "root"
    whole = tree(root)
    call_command("ship", "export", release, "--to", "old.tar", stdout=io.StringIO())
    call_command("ship", "export", release, "--to", "old", stdout=io.StringIO())
    for place in ("old.tar", "old", str(site / "old"), (site / "old").as_uri()):
        gone = break_all(root)
        out, error = fails("--repair")
        assert "its bytes are nowhere to be found" in out
        assert "--from" in error
        left = json.loads(fails("--json")[0])["faults"]
        assert {tuple(fault["releases"]) for fault in left} == {(release,)}
        assert {fault["key"] for fault in left} < gone
        assert ship("--repair", "--from", place)[0].endswith("all repaired.")
        assert tree(root) == whole


def test_sources_that_cannot_be_built(site: Path, write):
    """What the store has itself is repaired all the same."""
    root = site / "root"
    hashed(root, "x.????????????.svg").unlink()
    (root / "css/part.css").unlink()
    (root / "x.svg").unlink()
    write({"css/app.css": "@import 'nowhere.css';\n"})
    out, error = fails("--repair")
    assert "nowhere.css" in out
    assert "3 faults, 1 repaired" in error
    assert (root / "css/part.css").read_text() == SITE["css/part.css"]


def test_other_settings_for_compression_are_a_note(site: Path):
    variant = hashed(site / "root", "css/part.????????????.css.gz")
    variant.unlink()
    variant.write_bytes(gzip.compress(str(SITE["css/part.css"]).encode(), 1))
    out, _ = ship()
    assert "Note: Compressed files were made with other settings" in out
    assert f"css/{variant.name}." in out
    assert out.endswith("all is as it should be.")


def test_a_run_that_did_not_end_left_plain_names(site: Path):
    root = site / "root"
    (root / "css/part.css").unlink()
    (root / "css/part.css").write_bytes(b"of the new release")
    Unsettled(LocalStore(str(root))).begin()
    out, _ = ship()
    assert "Note: 1 plain name not as the current release has it" in out
    assert "(css/part.css)" in out
    assert ship("--repair")[0].endswith("1 fault, all repaired.")
    assert (root / "css/part.css").read_text() == SITE["css/part.css"]
    assert "Note" not in ship()[0]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["nothing"], "There is no release 'nothing' in"),
        (["current", "--current"], "Say either an id or --current."),
        (["--from", "x"], "it needs --repair"),
    ],
)
def test_what_cannot_be_done_is_said(site: Path, arguments: list[str], what: str):
    assert what in fails(*arguments)[1]


def test_a_damaged_pointer_is_for_people_to_decide(site: Path, release: str):
    (site / "root/.shipfiles/current.json").write_text("{")
    for arguments in ((), ("--repair",)):
        out, error = fails(*arguments)
        assert out.count("damaged: ") == 1
        assert "Couldn't load manifest" not in out
        # Neither --repair nor --from can help: it is not among what the releases are made of.
        assert error.endswith(
            "'manage.py ship activate ID' makes a release the current one, and so does collectstatic."
        )
    call_command("ship", "activate", release, stdout=io.StringIO(), stderr=io.StringIO())
    assert ship()[0].endswith("all is as it should be.")


def test_a_damaged_manifest_for_django(site: Path):
    (site / "root/staticfiles.json").write_text("{")
    out, _ = fails()
    assert "damaged: Expecting property name" in out
    assert "Couldn't load manifest" not in out


def test_a_place_that_is_none_although_nothing_is_broken(site: Path):
    assert "--from: there is no folder and no archive nope." in fails("--repair", "--from", "nope")[1]


@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("/no/where", "--from: there is no folder and no archive /no/where."),
        ("nowhere.tar", "nowhere.tar: cannot be read: no such file"),
        ("no.such.store", "--from: 'no.such.store' cannot be imported"),
        ("ftp://place", "--from: there is no store for ftp://"),
    ],
)
def test_places_that_are_none(site: Path, place: str, what: str):
    (site / "root/x.svg").unlink()
    assert what in fails("--repair", "--from", place)[1]


def test_a_folder_without_releases(site: Path):
    with override_settings(STATIC_ROOT=str(site / "empty")):
        assert "There is no release in" in fails()[1]
        assert "Run collectstatic" in json.loads(fails("--json")[0])["error"]
