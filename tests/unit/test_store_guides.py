"""What the guides to stores give to paste can be read by whom it is for, and says what the guides say it does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from shipfiles.paths import TEMPORARY
from shipfiles.stores.permissions import AZURE, GOOGLE
from tests.guides import FOLDER, GUIDES, blocks

# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
ON_BUCKETS = {"s3:ListBucket", "s3:PutBucketPolicy"}
ON_OBJECTS = {"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"}

guides = pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)


def documents(guide: Path) -> list[tuple[str, Any]]:
    return [(one.name, json.loads(one.text)) for one in blocks(guide) if one.kind == "json"]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_there_is_one_for_each_provider() -> None:
    assert {guide.stem for guide in GUIDES} == {
        "s3", "digitalocean", "cloudflare-r2", "backblaze", "wasabi", "scaleway", "hetzner", "minio", "google", "azure",
        "ssh",
    }  # fmt: skip
    text = (FOLDER / "README.md").read_text()
    for guide in GUIDES:
        assert f"({guide.name})" in text


@guides
def test_each_has_all_parts(guide: Path) -> None:
    text = guide.read_text()
    headings = re.findall("^## (.*)$", text, re.MULTILINE)
    assert headings[0] == "Settings"
    assert headings[-4:] == ["CORS", "Lifecycle", "Check", "Undo"]
    assert any("ermissions" in heading for heading in headings)
    lets_read = any(heading.startswith("Let browsers read") for heading in headings)
    assert lets_read or "LetEverybodyRead" in text
    assert "ship store check" in text
    assert len(re.findall(r"\]\(https://", text)) >= 2, "facts are cited"


@guides
def test_policies(guide: Path) -> None:
    """Known actions, each on what it is about; only reading is for everybody."""
    for name, document in documents(guide):
        for statement in document.get("Statement", []) if isinstance(document, dict) else []:
            assert statement["Effect"] in ("Allow", "Deny"), name
            actions, resources = set(listed(statement["Action"])), listed(statement["Resource"])
            if statement.get("Sid") == "KeepYourOwnAccess":
                continue
            assert actions <= ON_BUCKETS | ON_OBJECTS
            objects = {"/" in resource.removeprefix("arn:aws:s3:::") for resource in resources}
            assert objects == ({True} if actions <= ON_OBJECTS else {False} if actions <= ON_BUCKETS else {True, False})
            if statement["Effect"] == "Allow":
                assert all(re.search(r"example-static(/static/(\.shipfiles/)?\*)?$", one) for one in resources)
            if statement.get("Principal") in ("*", {"AWS": "*"}):
                assert actions == {"s3:GetObject"}


@guides
def test_cors_lets_everybody_read_and_nothing_else(guide: Path) -> None:
    """In each provider's own words."""
    found = [one for one in blocks(guide) if one.name == "cors"]
    if guide.stem == "ssh":
        assert "`Access-Control-Allow-Origin: *`" in guide.read_text()
        assert found == []
        return
    (one,) = found
    if one.kind == "xml":
        rules = ET.fromstring(one.text)
        assert [rule.text for rule in rules.iter("AllowedOrigin")] == ["*"]
        assert [rule.text for rule in rules.iter("AllowedMethod")] == ["GET", "HEAD"]
        return
    document = json.loads(one.text)
    while isinstance(document, dict):
        (document,) = document.values()
    (rule,) = document
    low = {name.lower().removeprefix("allowed").rstrip("s"): value for name, value in rule.items()}
    assert low["origin"] == ["*"]
    methods = low.get("method") or low["operation"]
    assert [method.rpartition("_")[2].upper() for method in methods][:2] == ["GET", "HEAD"]
    assert not {"PUT", "POST", "DELETE"} & {method.upper().removeprefix("S3_") for method in methods}


@guides
def test_no_lifecycle_rule_expires_files(guide: Path) -> None:
    for name, document in documents(guide):
        if name != "lifecycle":
            continue
        text = json.dumps(document)
        assert "Expiration" not in text
        assert '"Delete"' not in text
        assert "baseBlob" not in text
        if guide.stem == "backblaze":
            assert document["daysFromUploadingToHiding"] is None
    for one in blocks(guide):
        if one.kind == "xml":
            assert "Expiration" not in one.text


@guides
def test_uploads_that_were_broken_off_are_removed(guide: Path) -> None:
    found = [one.text for one in blocks(guide) if one.name == "lifecycle"]
    if guide.stem == "ssh":
        assert f"find /srv/static -type f -name '{TEMPORARY}*' -mmin +60 -delete" in guide.read_text()
        return
    if guide.stem == "azure":
        assert "needed" in guide.read_text().partition("## Lifecycle")[2].partition("##")[0]
        return
    (text,) = found
    assert re.search(
        r'"DaysAfterInitiation": 1\b|<DaysAfterInitiation>1<|UnfinishedLargeFiles": 1\b|"age": 1\b', text
    )  # fmt: skip


@guides
def test_no_secret_stands_in_settings(guide: Path) -> None:
    for one in blocks(guide):
        if one.kind == "python":
            compile(one.text, guide.name, "exec")
            assert not re.search(r'"(access_key|secret_key|sas_token|account_key)": "', one.text)


def test_roles_have_what_the_check_asks_for() -> None:
    (role,) = [document for name, document in documents(FOLDER / "google.md") if name == "role"]
    told = set(re.findall(r"storage\.objects\.\w+", " ".join(GOOGLE.values())))
    assert set(role["includedPermissions"]) == told
    (role,) = [document for name, document in documents(FOLDER / "azure.md") if name == "role"]
    told = set(re.findall(r"blobs/\w+", " ".join(AZURE.values())))
    assert told <= {f"blobs/{action.partition('/blobs/')[2].partition('/')[0]}" for action in role["DataActions"]}


def undo(guide: str) -> str:
    """What the page says of taking back."""
    return (FOLDER / guide).read_text().partition("\n## Undo\n")[2].replace("\\\n", "")


def test_amazons_program_asks_who_is_meant() -> None:
    """https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-endpoints.html: without it, Amazon."""
    text = (FOLDER / "scaleway.md").read_text()
    commands = [*re.findall(r"`(aws [^`]*)`", text), *re.findall("^aws .*$", text, re.MULTILINE)]
    assert len(commands) == 6
    for command in commands:
        assert "--endpoint-url https://s3.fr-par.scw.cloud" in " ".join(command.split())


def test_what_is_granted_is_taken_back() -> None:
    def given(text: str, command: str) -> list[list[str]]:
        return sorted(sorted(found.split()) for found in re.findall(f"^{command} (.*)$", text, re.MULTILINE))

    for guide, verb, back in (
        ("azure.md", "az role assignment create", "az role assignment delete"),
        (
            "google.md", "gcloud storage buckets add-iam-policy-binding",
            "gcloud storage buckets remove-iam-policy-binding",
        ),
    ):  # fmt: skip
        text = (FOLDER / guide).read_text().replace("\\\n", "")
        assert given(text, verb) == given(undo(guide), back)
    # https://learn.microsoft.com/en-us/powershell/module/az.resources/remove-azroledefinition: not while it is assigned
    azure = undo("azure.md")
    assert azure.rindex("az role assignment delete") < azure.index("az role definition delete")


def test_minio_is_not_asked_what_it_cannot() -> None:
    """https://github.com/minio/minio/issues/21332: no CORS rules for a bucket."""
    assert "delete-bucket-cors" not in undo("minio.md").partition("At SeaweedFS and Ceph")[0]
    (web,) = [document for name, document in documents(FOLDER / "minio.md") if name == "web"]
    assert [statement["Action"] for statement in web["Statement"]] == [["s3:ListBucket"], ["s3:GetObject"]]
