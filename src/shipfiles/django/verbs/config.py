"""``ship config``: the configuration of what stands in front, from the same policy as the application's answers."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...doctor.edge import NO_ANSWER, EdgeQuestion, examine_edge
from ...doctor.edge_asking import Finding
from ...doctor.public import public_fault
from ...edge.drift import drift
from ...edge.generators import INSTALL, NAMES, SERVERS, configuration
from ...edge.policy import EdgePolicy
from ...errors import fit_to_show, os_reason, printable
from ...regular import open_regular, read_at_most
from ..edge_conf import Found, Wanted, edge_policy
from ..progress import count
from ..static_storage import StaticStorage
from .shared import Column, add_json, errors_as_json, place_of, print_json, print_table

HELP = "Write the configuration of a web server or a CDN in front, or say whether an installed one is still the same."

_LARGEST = 4 << 20
_NO_APPLICATION = "No application is named with --app: what is no file is answered with 404, pages too."
_HIDDEN = "(a key of OPTIONS['signed'])"
_KEYED = re.compile(r"(\bsecure_link_md5)\b.*")
_ADDRESS = re.compile(r"[0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")
_DIFFERENT, _UNREADABLE = 1, 2


def add_arguments(parser: CommandParser) -> None:
    """The options of this verb."""
    parser.add_argument("server", choices=NAMES, metavar="SERVER", help=f"Of what: {', '.join(NAMES)}.")
    parser.add_argument(
        "--mode",
        choices=("static-server", "proxy", "dedicated"),
        help="static-server: the web server has the files, and stands before the application; proxy: the application "
        "has them, and what stands in front keeps what it answers; dedicated: a host for static files alone. Default: "
        "what the settings are for.",
    )
    parser.add_argument(
        "--include-media",
        action="store_true",
        help="Uploads on this machine's disk too, those of closed folders never.",
    )
    parser.add_argument(
        "--server-name",
        action="append",
        metavar="HOST",
        help="The name of the host. Default: any; for a host of static files alone, that of their URLs.",
    )
    parser.add_argument("--listen", default="", metavar="ADDRESS", help="A port, or address:port. Default: the usual.")
    parser.add_argument(
        "--root",
        default="",
        metavar="FOLDER",
        help="The folder of the releases, where the web server has it elsewhere.",
    )
    parser.add_argument(
        "--prefix",
        default="",
        metavar="PATH",
        help="The path of the URLs, as they arrive. Default: that of STATIC_URL.",
    )
    parser.add_argument(
        "--app",
        default="",
        metavar="URL",
        help="The application, http://127.0.0.1:8000, to which goes what is no file; for a CDN: where it asks.",
    )
    parser.add_argument("--certificate", metavar="FILE", help="The certificate, for HTTPS, on the web server's disk.")
    parser.add_argument("--certificate-key", metavar="FILE", help="Its key.")
    parser.add_argument(
        "--max-upload",
        type=_size,
        default=0,
        metavar="BYTES",
        help="The largest body of a request to the application. Default: as safety.max_size of the media storages, if "
        "all have one; else the server's own limit.",
    )
    parser.add_argument(
        "--output", metavar="PATH", help="Write there: a file, or a folder where it is several. Default: print it."
    )
    parser.add_argument(
        "--check",
        metavar="PATH",
        help="End with status 1 if this file, or folder, says anything else than what would be written now, comments "
        "and blank lines aside; with 2 if it cannot be read.",
    )
    parser.add_argument(
        "--url",
        metavar="URL",
        help="Ask this address, https://www.example.com, for files of the current release, and end with status 1 if it "
        "answers otherwise than the application would. With --server-name it is asked for that host.",
    )
    add_json(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Write it, or compare it. Raises ``CommandError``, with status 1 if they differ, and `ShipfilesError`."""
    with errors_as_json(command, options):
        _check(options)
        options = {**options, "server_name": (options["server_name"] or [None])[0]}
        found = _found(options)
        if options["check"] is None and options["url"] is None:
            return _make(command, options, found)
        facts: dict[str, Any] = {"server": options["server"], "mode": found.policy.mode}
        drifted: Mapping[str, str] = {}
        if options["check"] is not None:
            files = configuration(options["server"], found.policy)
            facts["drift"] = drifted = _drifted(options["check"], files, _secrets(found.policy, files))
        findings: Sequence[Finding] = ()
        if options["url"] is not None:
            findings = _asked(options, found)
            facts["answers"] = [asdict(finding) for finding in findings]
    failures = _failures(options, drifted, findings)
    if options["json"]:
        print_json(command, {"ok": not failures, **facts, "notes": [*found.notes]})
    elif options["verbosity"]:
        _tell_notes(command, found)
        for text in drifted.values():
            command.stdout.write(fit_to_show(text))
        _show(command, options["url"], findings)
    if failures:
        raise CommandError(" ".join(failures), returncode=_DIFFERENT)
    return None if options["json"] or not options["verbosity"] else _praise(options, findings)


def _check(options: Mapping[str, Any]) -> None:
    """Raises ``CommandError`` for options that do not go together."""
    fault = ""
    if bool(options["certificate"]) != bool(options["certificate_key"]):
        fault = "--certificate and --certificate-key belong together: give both, or none."
    elif len(options["server_name"] or ()) > 1:
        fault = "--server-name: say one host; others are sent to it with a redirect of your own."
    elif options["output"] is not None and (options["check"] is not None or options["url"] is not None):
        fault = "--output writes, --check and --url compare: say one of them."
    elif options["url"] is not None and (why := public_fault(options["url"])):
        fault = f"--url: {why}."
    if fault:
        raise CommandError(fault, returncode=_UNREADABLE)


def _size(text: str) -> int:
    try:
        size = int(text)
    except ValueError:
        size = 0
    if size < 1:
        raise argparse.ArgumentTypeError("say a number of bytes, 10485760")
    return size


def _found(options: Mapping[str, Any]) -> Found:
    certificate, key = options["certificate"], options["certificate_key"]
    wanted = Wanted(
        is_server=options["server"] in SERVERS,
        certificate=(certificate, key) if certificate else None,
        application=options["app"],
        **{
            name: options[name]
            for name in ("mode", "include_media", "server_name", "listen", "root", "prefix", "max_upload")
        },
    )
    try:
        storage: object = staticfiles_storage
        # A lazy object, whose class is that of what it stands for.
        ours = storage if isinstance(storage, StaticStorage) else None
        if ours is None and not wanted.include_media:
            other = storage.__class__
            raise CommandError(
                f"STORAGES['staticfiles'] is {other.__module__}.{other.__qualname__}, of whose files nothing is known. "
                "Let it be shipfiles.django.storage.StaticStorage; --include-media alone needs none."
            )
        return edge_policy(None if ours is None else ours.config, wanted)
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error


# What is written.


def _secrets(policy: EdgePolicy, files: Mapping[str, str]) -> list[str]:
    """What must not be seen by others, of the texts."""
    keys = {media.config.signed.key for media in policy.media}
    return sorted((key for key in keys if key and any(key in text for text in files.values())), key=len, reverse=True)


def _make(command: BaseCommand, options: Mapping[str, Any], found: Found) -> str | None:
    files = configuration(options["server"], found.policy)
    if found.policy.mode == "static-server" and not found.policy.application:
        found = Found(found.policy, [*found.notes, _NO_APPLICATION])
    secret = bool(_secrets(found.policy, files))
    facts: dict[str, Any] = {"server": options["server"], "mode": found.policy.mode}
    if options["output"] is not None:
        facts["written"] = written = _write(options["output"], files, is_secret=secret)
    else:
        facts["files"] = dict(files)
    if options["json"]:
        print_json(command, {**facts, "notes": [*found.notes], "secret": secret})
        return None
    _tell_notes(command, found)
    if options["output"] is not None:
        told = " It has a key of OPTIONS['signed'], and only you can read it." if secret else ""
        steps = [f"{name}: {INSTALL[name]}." for name in files if name in INSTALL]
        said = "\n".join([f"Written: {', '.join(map(printable, written))}.{told}", *steps])
        return said if options["verbosity"] else None
    if secret:
        command.stderr.write(
            "note: this has a key of OPTIONS['signed'], with which anybody can sign links. Let nobody else read it; "
            "--output writes a file that only you can read."
        )
    for name, text in files.items():
        if len(files) > 1:
            command.stdout.write(f"{_comment(name)} {name}")
        command.stdout.write(text.rstrip("\n") + "\n")
    return None


def _tell_notes(command: BaseCommand, found: Found) -> None:
    for note in found.notes:
        command.stderr.write(fit_to_show(f"note: {note}"))


def _comment(name: str) -> str:
    """What begins a line that says which file follows."""
    return "//" if name.endswith((".js", ".mjs", ".json")) else "#"


def _write(output: str, files: Mapping[str, str], *, is_secret: bool) -> list[str]:
    """The paths that were written. Raises ``CommandError``."""
    place = os.path.abspath(output)
    if len(files) == 1 and os.path.isdir(place):
        raise CommandError(f"--output {printable(output)} is a folder: say the file in it.")
    if len(files) > 1:
        _make_folder(place)
    paths = {place if len(files) == 1 else os.path.join(place, name): text for name, text in files.items()}
    for path, text in paths.items():
        _write_file(path, text, 0o600 if is_secret else 0o644)
    return [*paths]


def _make_folder(path: str) -> None:
    """One, but not those above it, in whose name there may be a mistake. Raises ``CommandError``."""
    try:
        with suppress(FileExistsError):
            os.mkdir(path)
    except OSError as error:
        raise CommandError(f"--output {printable(path)} cannot be made: {os_reason(error)}.") from error
    if not os.path.isdir(path):
        raise CommandError(f"--output {printable(path)} is a file: this is several, so say a folder.")


def _write_file(path: str, text: str, mode: int) -> None:
    """The file whole or as it was, with ``mode`` less the umask. Raises ``CommandError``."""
    temporary = f"{path}.new"
    try:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with open(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise CommandError(f"{printable(path)} cannot be written: {os_reason(error)}.") from error


# What is compared.


def _drifted(place: str, files: Mapping[str, str], secrets: list[str]) -> dict[str, str]:
    """File → how it differs, for those that do. Raises ``CommandError`` if any cannot be read."""
    found: dict[str, str] = {}
    faults: list[CommandError] = []
    for name, wanted in files.items():
        path = place if len(files) == 1 else os.path.join(place, name)
        try:
            text = drift(_read(path), wanted, name, printable(path))
        except CommandError as error:
            faults.append(error)
        else:
            found |= {path: _masked(text, secrets)} if text else {}
    if faults:
        told = [*map(str, faults), *(f"{printable(path)} has changed." for path in found)]
        raise CommandError(" ".join(told), returncode=_UNREADABLE)
    return found


def _masked(text: str, secrets: list[str]) -> str:
    """``text`` without keys: those of now, and in nginx's words also the one that was installed before."""
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return _KEYED.sub(rf"\1 {_HIDDEN}", text)


def _read(path: str) -> str:
    try:
        with open_regular(path) as file:
            body = read_at_most(file, _LARGEST)
        return body.decode()
    except UnicodeDecodeError:
        why = "it is not UTF-8"
    except OSError as error:
        why = os_reason(error)
    raise CommandError(f"--check {printable(path)}: cannot be read: {why}.", returncode=_UNREADABLE)


# What is asked.


def _asked(options: Mapping[str, Any], found: Found) -> Sequence[Finding]:
    place = place_of({}) if found.policy.static is not None else None
    host = options["server_name"] or ""
    there = urlsplit(options["url"]).hostname or ""
    if not host and (there == "localhost" or _ADDRESS.fullmatch(there)):
        host = found.policy.host  # which the settings know, and no address tells
    if host.startswith("*.") or host == there:
        host = ""
    if place is None:
        return examine_edge(EdgeQuestion(options["url"], None, found.policy, host))
    return examine_edge(EdgeQuestion(options["url"], place.store, found.policy, host, place.storage.manifest_name))


def _show(command: BaseCommand, url: str | None, findings: Sequence[Finding]) -> None:
    if not findings:
        return
    command.stdout.write(f"{fit_to_show(str(url))}\n\n")
    rows = [(finding.what, _answer(finding)) for finding in findings]
    print_table(command, (Column("Asked for"), Column("Answer")), rows)
    command.stdout.write("")
    # What has one cause is told once, by its first request. What is needed and wrong stands last, next to the outcome.
    causes: dict[tuple[str, ...], list[Finding]] = {}
    for finding in sorted(findings, key=lambda finding: finding.failed):
        if finding.why:
            causes.setdefault((_answer(finding), *finding.why, "", *finding.todo), []).append(finding)
    for (answer, *_), alike in causes.items():
        first = alike[0]
        style = command.style.ERROR if first.failed else str
        command.stdout.write(style(f"{answer}: {'; '.join(finding.what for finding in alike)}"))
        lines = [("asked", first.request), ("answer", first.answer), ("expected", first.expected)]
        lines = [(title, text) for title, text in lines if text]
        lines += [("why", text) for text in first.why] + [("To do", text) for text in first.todo]
        for title, text in lines:
            command.stdout.write(f"  {title}: {text}")


def _answer(finding: Finding) -> str:
    if finding.name == NO_ANSWER:
        return "none"
    return "could be better" if finding.state == "wrong" and not finding.needed else finding.state


def _failures(options: Mapping[str, Any], drifted: Mapping[str, str], findings: Sequence[Finding]) -> list[str]:
    """What is wrong, a sentence each."""
    told = []
    if drifted:
        told.append(
            f"{', '.join(map(printable, drifted))}: not what 'ship config {options['server']}' would write now with "
            "these settings and options."
        )
    if findings and findings[-1].name == NO_ANSWER:
        told.append(f"{fit_to_show(options['url'])} does not answer.")
    elif failed := sum(finding.failed for finding in findings):
        told.append(f"{fit_to_show(options['url'])}: {failed} of {count(len(findings), 'answer')} wrong.")
    return told


def _praise(options: Mapping[str, Any], findings: Sequence[Finding]) -> str:
    told = []
    if options["check"] is not None:
        told.append(f"{printable(options['check'])} is as it should be.")
    if findings:
        untried = sum(finding.state == "not tried" for finding in findings)
        more = f", {untried} not tried" if untried else ""
        told.append(f"{fit_to_show(options['url'])}: {count(len(findings), 'answer')}, none wrong{more}.")
    return " ".join(told)
