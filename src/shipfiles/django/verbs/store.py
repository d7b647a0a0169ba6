"""``ship store check``: whether these credentials can do what is needed with the stores, and browsers read them."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...config import ServeConfig
from ...doctor.probe import examine
from ...doctor.public import public_fault
from ...doctor.question import Question, named
from ...doctor.steps import USES, Examined, Step
from ...release.target import Target
from ...stores.opening import open_store
from .. import conf, static_urls
from ..progress import count
from .shared import Column, add_json, errors_as_json, print_json, print_table, static_storage, static_store

HELP = "Try every permission that is needed on the stores, and say which is missing and what to grant."


def add_arguments(parser: CommandParser) -> None:
    """The options of this verb."""
    parser.add_argument("task", choices=["check"], help="'check': put, read, list, copy and delete keys of its own.")
    parser.add_argument(
        "stores",
        nargs="*",
        metavar="STORE",
        help="Which: s3://bucket/folder, gs://, az://, ssh://, file://, or the dotted path of one. What OPTIONS says "
        "of it is heeded. Default: all that are in OPTIONS.",
    )
    parser.add_argument(
        "--for",
        dest="uses",
        type=_uses,
        default=list(USES),
        metavar="USES",
        help=f"What these credentials are for, of {', '.join(USES)}, with commas between. Default: all of them.",
    )
    parser.add_argument(
        "--public-url", metavar="URL", help="Below which browsers find the files of the store. Default: base_url."
    )
    parser.add_argument(
        "--origin",
        metavar="URL",
        help="Where the pages are, https://www.example.com, if not every site may use the files.",
    )
    add_json(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Examine them. Raises ``CommandError``, which ends with status 1, if something is missing that is needed."""
    with errors_as_json(command, options):
        found = [examine(question) for question in _questions(options)]
    failed = [examined for examined in found if examined.missing]
    if options["json"]:
        print_json(command, {"ok": not failed, "stores": [_facts(examined) for examined in found]})
    elif options["verbosity"] >= 1:
        for examined in found:
            _show(command, examined)
    if failed:
        raise CommandError(" ".join(map(_summary, failed)))
    return None if options["json"] or options["verbosity"] < 1 else " ".join(map(_summary, found))


def _uses(text: str) -> list[str]:
    uses = [use.strip() for use in text.split(",") if use.strip()]
    if not uses or not set(uses) <= set(USES):
        raise argparse.ArgumentTypeError(f"say some of {', '.join(USES)}, with commas between")
    return uses


def _questions(options: dict[str, Any]) -> Sequence[Question]:
    shared: dict[str, Any] = {"origin": (options["origin"] or "").rstrip("/").lower(), "uses": options["uses"]}
    public = options["public_url"]
    if public is not None and (fault := public_fault(public)):
        raise CommandError(f"--public-url: {fault}.", returncode=2)
    if not options["stores"]:
        chosen = known = _known()
    else:
        try:
            known = _known()
        except CommandError:
            known = []  # what is named needs none of them
        by_name = {named(target.store): (target, url) for target, url in known}
        # With its own options, if it is one of the settings'; the credentials of others are in the environment.
        chosen = [by_name.get(place) or _other(place, known) for place in options["stores"]]
    if public is not None and len(chosen) > 1:
        raise CommandError("--public-url says where one store is: name that store, and no other.", returncode=2)
    return [
        Question(target.store, public or url, coding=target.shape.coding, serve=target.serve, **shared)
        for target, url in chosen
    ]


def _known() -> Sequence[tuple[Target, str]]:
    """The stores of the settings, and the URL below which browsers find each, empty where nothing says it."""
    try:
        config = static_storage().config
        targets = conf.targets(config)
        url = static_urls.base_url(config) or ""
        if not targets:
            return [(Target(static_store(), serve=config.serve), url)]
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error
    # The first is the storage's own if it is a remote one; else base_url is of this machine's folder, or of a CDN that
    # can only have the files of one.
    if not isinstance(config, conf.RemoteConfig) and len(targets) > 1:
        url = ""
    return [(target, "" if number else url) for number, target in enumerate(targets)]


def _other(place: str, known: Sequence[tuple[Target, str]]) -> tuple[Target, str]:
    serve = known[0][0].serve if known else ServeConfig()
    return Target(open_store(place, "STORE"), serve=serve), ""


def _facts(examined: Examined) -> dict[str, Any]:
    return {
        "store": examined.store,
        "public_url": examined.public_url or None,
        "missing": [step.name for step in examined.missing],
        "left": list(examined.left),
        "steps": [
            {
                "name": step.name, "what": step.what, "for": list(step.uses), "state": step.state,
                "needed": step.needed, "why": step.why or None, "grant": step.grant or None,
            }
            for step in examined.steps
        ],
    }  # fmt: skip


def _show(command: BaseCommand, examined: Examined) -> None:
    public = f", for browsers {examined.public_url}" if examined.public_url else ""
    command.stdout.write(f"{examined.store}{public}\n\n")
    columns = (Column("Can it"), Column("For"), Column("Answer"))
    print_table(command, columns, [(step.what, ", ".join(step.uses), _answer(step)) for step in examined.steps])
    told = [step for step in examined.steps if step.why]
    if told:
        command.stdout.write("")
    # What has one cause is told once. What is needed and missing stands last, next to the outcome.
    causes: dict[tuple[str, str, str], list[Step]] = {}
    for step in sorted(told, key=lambda step: step.failed):
        causes.setdefault((_answer(step), step.why, step.grant), []).append(step)
    for alike in causes.values():
        step = alike[0]
        style = command.style.ERROR if step.failed else str
        command.stdout.write(style(f"{_answer(step)}: {'; '.join(step.what for step in alike)}"))
        command.stdout.write(f"  {step.why}")
        if step.grant:
            command.stdout.write(f"  To do: {step.grant}")
    for folder, number in Counter(key.rpartition("/")[0] for key in examined.left).items():
        command.stderr.write(f"{count(number, 'key')} that cannot be deleted: {folder}/")
    command.stdout.write("")


def _answer(step: Step) -> str:
    return "missing, not needed" if step.state == "missing" and not step.needed else step.state


def _summary(examined: Examined) -> str:
    parts = ["nothing is missing"]
    if examined.missing:
        parts = [f"{len(examined.missing)} of {count(len(examined.steps), 'step')} missing"]
    elif untried := sum(step.state == "not tried" for step in examined.steps):
        parts.append(f"{count(untried, 'step')} not tried")
    if examined.left:
        parts.append(f"{count(len(examined.left), 'key')} below .shipfiles/probe/ left there")
    return f"{examined.store}: {', '.join(parts)}."
