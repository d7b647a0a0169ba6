"""``ship purge``: let CDNs and caches in front forget what has changed, or what is named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...edge.changed import Stale, addresses_of, url_of
from ...edge.purging import Wish
from ...errors import did_you_mean, fit_to_show, nearest_names
from ...manifest import load
from ..progress import count
from ..purges import Purges
from ..purging import Purging, purging_of
from .shared import add_json, errors_as_json, print_json, static_storage, targets_of_storage

HELP = "Let CDNs and caches in front forget what the current release has changed, or what is named."


def add_arguments(parser: CommandParser) -> None:
    """The options of this verb."""
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="A path of the site (/about/), a URL, the logical path of a static file (css/app.css) or a pattern of "
        "those ('css/*', in which * also stands for slashes). Default: what differs from the release that was current "
        "before, and what a purge has left that failed.",
    )
    parser.add_argument("--all", action="store_true", help="Let them forget everything, of the site and all else.")
    parser.add_argument("--dry-run", action="store_true", help="Show what would be purged; nobody is asked.")
    add_json(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Purge. Raises ``CommandError``, which ends with status 1, if that failed anywhere; all caches are tried."""
    named: Sequence[str] = options["paths"]
    if named and options["all"]:
        raise CommandError("--all purges everything, so that no PATH goes with it.", returncode=2)
    with errors_as_json(command, options):
        storage = static_storage()
        purging = purging_of(storage, by_hand=True)
        if purging is None:
            raise CommandError("OPTIONS['purge']['caches'] names no CDN or cache that can be purged.")
        targets = targets_of_storage(storage)
        if options["all"]:
            wish = Wish(everything=True)
        elif named:
            wish = _named(
                purging, named, {path for body in purging.manifests(targets) for path in load(body, "").entries}
            )
        else:
            wish = purging.repeat(targets)
    if options["dry_run"]:
        _tell_dry(command, options, purging, wish)
        return None
    purged = purging.purge(wish) if wish else Purges()
    if (options["all"] or not wish) and not purged.failure:
        purging.forget_notes()
    if options["json"]:
        print_json(command, ({"error": purged.failure} if purged.failure else {}) | purged.facts | {"dry_run": False})
    elif options["verbosity"] >= 1:
        for line in purged.lines:
            command.stdout.write(fit_to_show(line))
    if purged.failure:
        raise CommandError(fit_to_show(purged.failure)) from purged.cause
    return None


def _tell_dry(command: BaseCommand, options: dict[str, Any], purging: Purging, wish: Wish) -> None:
    caches = ", ".join(map(str, purging.purgers))
    if options["json"]:
        print_json(command, Purges(wish).facts | {"dry_run": True})
    elif options["verbosity"] >= 1:
        for url in wish.urls:
            command.stdout.write(fit_to_show(url))
        what = "Everything" if wish.everything else count(len(wish.urls), "URL") if wish else "Nothing"
        command.stdout.write(fit_to_show(f"{what} would be purged from {caches}."))


def _named(purging: Purging, named: Iterable[str], known: set[str]) -> Wish:
    """What people have named. Raises ``CommandError`` for what nobody knows."""
    logicals: list[str] = []
    urls: list[str] = []
    for text in named:
        if text.startswith(("/", "http://", "https://")):
            urls.append(_url(purging, text))
        elif text in known:
            logicals.append(text)
        else:
            found = [logical for logical in known if fnmatchcase(logical, text)]
            if not found:
                what = "is no static file, nor a pattern that fits one. A path of the site begins with a slash"
                raise CommandError(f"{text!r} {what}{did_you_mean(nearest_names(text, known))}")
            logicals += found
    stale = addresses_of(logicals, purging.addresses) if logicals else Stale()
    return Wish(stale, tuple(sorted({*urls})))


def _url(purging: Purging, text: str) -> str:
    """A path or URL that people have written, as browsers ask for it. Raises ``CommandError``."""
    text = text.partition("#")[0]
    if "*" in text:
        raise CommandError(
            f"{text!r}: not all caches know patterns of URLs. Write a pattern of static files ('css/*'), or --all; for "
            "a star in a URL write %2A."
        )
    if text.startswith("/") and not text.startswith("//"):
        base = urlsplit(purging.addresses.base)
        site = purging.addresses.site
        if not site or (base.path != "/" and text.startswith(base.path)):
            host = f"{base.scheme}://{base.netloc}"
        else:
            host = "{0.scheme}://{0.netloc}".format(urlsplit(site))
        text = host + text
    try:
        named, url = urlsplit(text).hostname, url_of(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is no URL: {error}.") from None
    if not named:
        raise CommandError(f"{text!r} is no URL: it names no host.")
    return url
