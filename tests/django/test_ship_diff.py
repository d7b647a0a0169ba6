"""``ship show`` and ``ship diff``, as people call them; what they say of trees made by hand."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from shipfiles.digest import digest_bytes

from .shipping import refused, ship
from .test_ship_prune import with_options

CSS = "a { background: url(x.svg) }\n"  # 29 bytes
REWRITTEN = 29 + len(".000000000000")  # the hash of x.svg goes into the reference
SVG = "<svg/>"
ONE: dict[str, str | bytes] = {
    "app.css": CSS,
    "x.svg": SVG,
    "a/moved.txt": "moved",
    "gone.txt": "gone",
    "same.txt": "s",
}


@pytest.fixture
def two(project: Path, write) -> Path:
    """Releases "one" and "two", both without compressed variants; none of the files is large enough."""
    write(ONE)
    with with_options(release_id="one"):
        call_command("collectstatic", interactive=False, verbosity=0)
    write({"x.svg": SVG + " ", "b/moved.txt": "moved", "come.txt": "come!"})
    (project / "src/a/moved.txt").unlink()
    (project / "src/gone.txt").unlink()
    with with_options(release_id="two"):
        call_command("collectstatic", interactive=False, verbosity=0)
    return project


def squeezed(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


class TestDiff:
    def test_text(self, two):
        before = REWRITTEN + 6 + 5 + 4 + 1
        after = REWRITTEN + 7 + 5 + 5 + 1
        assert squeezed(ship("diff", "one", "two")[0]) == [
            "What File Before After",
            "added come.txt 5 bytes",
            "removed gone.txt 4 bytes",
            f"references app.css {REWRITTEN} bytes {REWRITTEN} bytes",
            "changed x.svg 6 bytes 7 bytes",
            "renamed a/moved.txt -> b/moved.txt 5 bytes 5 bytes",
            "",
            "From one to two: 1 added, 1 removed, 2 changed (1 in references only), 1 renamed.",
            "",
            "All files Before After Growth",
            f"uncompressed {before} bytes {after} bytes +2 bytes (+{2 / before:.1%})",
        ]
        # Without a second release the current one is meant.
        assert ship("diff", "one") == ship("diff", "one", "two") == ship("diff", "current~1", "current")

    def test_as_json(self, two):
        facts = json.loads(ship("diff", "one", "two", "--json")[0])
        before, after = REWRITTEN + 16, REWRITTEN + 18
        assert facts == {
            "before": "one",
            "after": "two",
            "added": [{"path": "come.txt", "size": 5}],
            "removed": [{"path": "gone.txt", "size": 4}],
            "changed": [
                {"path": "app.css", "before": REWRITTEN, "after": REWRITTEN, "source_changed": False},
                {"path": "x.svg", "before": 6, "after": 7, "source_changed": True},
            ],
            "renamed": [{"from": "a/moved.txt", "path": "b/moved.txt", "before": 5, "after": 5}],
            "recompressed": [],
            "bytes": {"identity": {"before": before, "after": after, "growth": 2}},
            "max_growth": None,
            "exceeded": [],
        }

    def test_the_same(self, two):
        assert ship("diff", "two", "two")[0].startswith("The files of two and two are the same.")

    @pytest.mark.parametrize("limit", ["2", "2 bytes", "0.002kB", "4%", "1GB"])
    def test_within_the_limit(self, two, limit):
        # 2 of 58 bytes are 3.4%.
        assert ship("diff", "one", "two", "--max-growth", limit) == ship("diff", "one", "two")

    @pytest.mark.parametrize("limit", ["1", "0.001kB", "3%", "0%"])
    def test_beyond_the_limit(self, two, limit):
        out = io.StringIO()
        with pytest.raises(CommandError) as told:
            call_command("ship", "diff", "one", "two", "--max-growth", limit, stdout=out)
        more = "1 byte" if limit == "1" else limit
        assert str(told.value) == (
            f"With two, browsers have over {more} more to load than with one: uncompressed +2 bytes (+3.4%)."
        )
        assert "renamed" in out.getvalue()
        out = io.StringIO()
        with pytest.raises(CommandError):
            call_command("ship", "diff", "one", "two", "--max-growth", limit, "--json", stdout=out)
        facts = json.loads(out.getvalue())
        assert (facts["max_growth"], facts["exceeded"]) == (limit, ["identity"])
        # To become smaller is no growth.
        ship("diff", "two", "one", "--max-growth", limit)

    @pytest.mark.parametrize(("limit", "told"), [("0", "0 bytes"), ("1.5", "1.5 bytes"), ("1 bytes", "1 bytes")])
    def test_a_limit_is_told_with_its_unit(self, two, limit, told):
        with pytest.raises(CommandError, match=f"over {re.escape(told)} more"):
            ship("diff", "one", "two", "--max-growth", limit)

    def test_what_changed_in_references_alone(self, two, write):
        write({"x.svg": SVG})
        with with_options(release_id="three"):
            call_command("collectstatic", interactive=False, verbosity=0)
        assert "\nFrom two to three: 2 changed (1 in references only).\n" in ship("diff", "two", "three")[0]
        (two / "src/x.svg").unlink()
        with with_options(release_id="four", rewrite={"own_missing": "warning"}):
            call_command("collectstatic", interactive=False, verbosity=0)
        summary = "\nFrom four to three: 1 added, 1 changed in references only.\n"
        assert summary in ship("diff", "four", "three")[0]

    def test_a_limit_that_is_none(self, two):
        with pytest.raises(CommandError, match="'5 apples' is no limit: write a percentage"):
            ship("diff", "one", "two", "--max-growth", "5 apples")

    def test_many_files_are_counted(self, two, write):
        write({f"many/{number:02}.txt": f"text {number}" for number in range(45)})
        with with_options(release_id="three"):
            call_command("collectstatic", interactive=False, verbosity=0)
        out = ship("diff", "two", "three")[0].splitlines()
        assert "... and 5 more files; --verbosity 2 shows them all" in out
        assert sum(line.startswith("added") for line in out) == 40
        assert sum(line.startswith("added") for line in ship("diff", "two", "three", "-v2")[0].splitlines()) == 45
        assert ship("diff", "two", "three", "-v0") == ("", "")


class TestShow:
    def test_text(self, two):
        lines = squeezed(ship("show", "one")[0])
        assert lines[0] == "Release: one"
        assert lines[3:5] == [f"Files: 5, {REWRITTEN + 16} bytes", "Rewritten: 1 file"]
        assert next(line for line in lines if line.startswith("Current: ")).startswith("Current: until 20")
        assert squeezed(ship("show", "two")[0])[2].startswith("Current: since 20")

    @pytest.mark.parametrize("option", ["--files", "-v2"])
    def test_files(self, two, option):
        digest = digest_bytes(b"moved")
        (name,) = [path.name for path in two.glob("root/a/moved.*.txt")]
        out = squeezed(ship("show", "one", option)[0])
        start = out.index("File Size Hashed name")
        assert [line.split()[0] for line in out[start + 1 :]] == [
            "a/moved.txt", "app.css", "gone.txt", "same.txt", "x.svg",
        ]  # fmt: skip
        assert out[start + 1] == f"a/moved.txt 5 bytes a/{name}"
        facts = json.loads(ship("show", "one", option, "--json")[0])
        assert facts["entries"][0]["digest"] == digest
        assert "entries" not in json.loads(ship("show", "one", "--json")[0])

    def test_totals_of_each_coding(self, project: Path, write):
        write({"big.txt": "x\n" * 5000, "small.txt": "small"})
        call_command("collectstatic", interactive=False, verbosity=0)
        sizes = {token: next(project.glob(f"root/big.*.txt{end}")).stat().st_size
                 for token, end in (("br", ".br"), ("gzip", ".gz"))}  # fmt: skip
        facts = json.loads(ship("show", "current", "--json")[0])
        assert facts["bytes"] == 10_005
        assert facts["compressed"] == {
            token: {"files": 1, "bytes": size, "bytes_with": size + 5} for token, size in sizes.items()
        }
        assert (
            f"As br: {sizes['br'] + 5} bytes (0% of the original); 1 file compressed to {sizes['br']} bytes"
            in ship("show", "current")[0]
        )

    def test_one_file(self, two):
        facts = json.loads(ship("show", "one", "app.css", "--json")[0])
        assert facts["source"] == {"size": 29, "digest": digest_bytes(CSS.encode()), "codings": {}, "stored": ""}
        assert facts["digest"] == digest_bytes((two / "root" / facts["name"]).read_bytes())
        assert (facts["size"], facts["type"], facts["references"]) == (REWRITTEN, "text/css", ["x.svg"])
        # By hashed name, too; and who refers to a file.
        assert json.loads(ship("show", "one", facts["name"], "--json")[0]) == facts
        assert json.loads(ship("show", "one", "x.svg", "--json")[0])["referenced_by"] == ["app.css"]
        lines = squeezed(ship("show", "one", "x.svg")[0])
        assert lines[2:5] == ["Type: image/svg+xml", "Size: 6 bytes", f"Digest: {digest_bytes(SVG.encode())}"]
        assert lines[-2:] == ["Source: the same bytes", "Used by: app.css"]

    def test_no_such_file_or_release(self, two):
        assert refused("show", "one", "ap.css") == (
            "There is no file ap.css in the release one. Did you mean 'app.css'?"
        )  # fmt: skip
        assert "There is no release 'onee'" in refused("show", "onee")
        assert "There is no release 'thre'" in refused("diff", "one", "thre")


def test_a_damaged_manifest_is_an_error(two):
    for manifest in (two / "root/.shipfiles/manifests").iterdir():
        manifest.write_bytes(manifest.read_bytes() + b" ")
    assert "damaged" in refused("show", "one")
    assert "damaged" in refused("diff", "one", "two")


@pytest.mark.parametrize("arguments", [("show", "current"), ("diff", "current")])
def test_no_release_at_all_and_a_storage_that_is_not_ours(project: Path, arguments):
    assert refused(*arguments) == f"There is no release in {project / 'root'} yet. Run collectstatic."
    other = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}}
    with override_settings(STORAGES=other):
        assert "There are releases only where" in refused(*arguments)
