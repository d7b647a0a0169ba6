"""``ship config``: the configuration of what stands in front, from the same policy as the application's answers."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...edge.drift import drift
from ...edge.generators import NAMES, SERVERS, configuration
from ...edge.policy import EdgePolicy
from ...errors import fit_to_show, os_reason, printable
from ...regular import open_regular, read_at_most
from ..edge_conf import Found, Wanted, edge_policy
from ..progress import count
from ..static_storage import StaticStorage
from .shared import add_json, errors_as_json, print_json

HELP = "Write the configuration of a web server or a CDN in front, or say whether an installed one is still the same."

_LARGEST = 4 << 20
_HIDDEN = "(a key of OPTIONS['signed'])"
_KEYED = re.compile(r"(\bsecure_link_md5)\b.*")
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
        help="The application, http://127.0.0.1:8000, to which goes what is no file.",
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
    add_json(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Write it, or compare it. Raises ``CommandError``, with status 1 if they differ, and `ShipfilesError`."""
    with errors_as_json(command, options):
        found = _found(options)
        files = configuration(options["server"], found.policy)
        secrets = _secrets(found.policy, files)
        if options["check"] is not None:
            drifted = _drifted(options["check"], files, secrets)
        elif options["output"] is not None:
            return _write(command, options, found, files, is_secret=bool(secrets))
    if not options["json"]:
        for note in found.notes:
            command.stderr.write(fit_to_show(f"note: {note}"))
    if options["check"] is not None:
        return _tell(command, options, found, drifted)
    _print(command, options, found, files, secrets)
    return None


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
    if bool(certificate) != bool(key):
        raise CommandError("--certificate and --certificate-key belong together: give both, or none.", returncode=2)
    if options["output"] is not None and options["check"] is not None:
        raise CommandError("--output and --check: say one of them.", returncode=2)
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


def _print(
    command: BaseCommand, options: Mapping[str, Any], found: Found, files: Mapping[str, str], secrets: list[str]
) -> None:
    if options["json"]:
        facts = {"server": options["server"], "mode": found.policy.mode, "files": dict(files)}
        print_json(command, {**facts, "notes": list(found.notes), "secret": bool(secrets)})
        return
    if secrets:
        command.stderr.write(
            "note: this has a key of OPTIONS['signed'], with which anybody can sign links. Let nobody else read it; "
            "--output writes a file that only you can read."
        )
    for name, text in files.items():
        if len(files) > 1:
            command.stdout.write(f"{_comment(name)} {name}")
        command.stdout.write(text.rstrip("\n") + "\n")


def _comment(name: str) -> str:
    """What begins a line that says which file follows."""
    return "//" if name.endswith((".js", ".mjs", ".json")) else "#"


def _write(
    command: BaseCommand, options: Mapping[str, Any], found: Found, files: Mapping[str, str], *, is_secret: bool
) -> str | None:
    output = os.path.abspath(options["output"])
    if len(files) == 1:
        (text,) = files.values()
        if os.path.isdir(output):
            raise CommandError(f"--output {printable(options['output'])} is a folder: say the file in it.")
        paths = {output: text}
    else:
        paths = {os.path.join(output, name): text for name, text in files.items()}
    for path, text in paths.items():
        _write_file(path, text, 0o600 if is_secret else 0o644)
    if options["json"]:
        facts = {"server": options["server"], "mode": found.policy.mode, "written": [*paths]}
        print_json(command, {**facts, "notes": list(found.notes), "secret": is_secret})
        return None
    for note in found.notes:
        command.stderr.write(fit_to_show(f"note: {note}"))
    if not options["verbosity"]:
        return None
    secret = " It has a key of OPTIONS['signed'], and only you can read it." if is_secret else ""
    return f"Written: {', '.join(map(printable, paths))}.{secret}"


def _write_file(path: str, text: str, mode: int) -> None:
    """The file whole or as it was, with ``mode`` less the umask. Raises ``CommandError``."""
    temporary = f"{path}.new"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
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
    """File → how it differs, for those that do. Raises ``CommandError`` for one that cannot be read."""
    paths = {name: place if len(files) == 1 else os.path.join(place, name) for name in files}
    found = {path: drift(_read(path), files[name], name, printable(path)) for name, path in paths.items()}
    return {path: _masked(text, secrets) for path, text in found.items() if text}


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


def _tell(command: BaseCommand, options: Mapping[str, Any], found: Found, drifted: Mapping[str, str]) -> str | None:
    if options["json"]:
        facts = {"server": options["server"], "mode": found.policy.mode, "ok": not drifted, "drift": dict(drifted)}
        print_json(command, {**facts, "notes": list(found.notes)})
    else:
        for text in drifted.values():
            command.stdout.write(fit_to_show(text))
    if drifted:
        raise CommandError(
            f"{count(len(drifted), 'file')} not as 'ship config {options['server']}' would write it now with these "
            "settings and options.",
            returncode=_DIFFERENT,
        )
    return None if options["json"] or not options["verbosity"] else f"{printable(options['check'])} is as it should be."
