"""``collectstatic``: Django's own command, with a release at its end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from django.contrib.staticfiles.management.commands.collectstatic import Command as DjangoCommand
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser

from shipfiles.django.collect import collect
from shipfiles.django.ends import INTERRUPTED, clear_ends
from shipfiles.django.progress import PlainProgress, Shows, Timing, is_plain
from shipfiles.django.report import Report, changes, deleted, failure_problems, problem_lines
from shipfiles.django.sources import find_sources
from shipfiles.django.storage import StaticStorage
from shipfiles.errors import BrokenReferences, ShipfilesError, fit_to_show
from shipfiles.events import Changed, Event, Notice, phase
from shipfiles.release.catalog import records_of
from shipfiles.work import rare_collections


class Command(DjangoCommand):
    """Same options, prompts and closing line as Django's; with a storage that is not ours it is Django's."""

    help = "Collect static files into a release in a single location."

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Newer versions of Django have these; the closing line of an older one does not count them.
        self.skipped_files: list[str] = []
        self.deleted_files: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--json",
            action="store_true",
            help="Print one JSON object with all counts and times instead of text; asks nothing, as --noinput.",
        )

        parser.add_argument(
            "--verify",
            action="store_true",
            help="Read every file, those too that have the same size and time as in the last run, and all that is "
            "published.",
        )

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            with clear_ends(self):
                output: str | None = super().execute(*args, **options)
        except ImproperlyConfigured as error:
            # Who calls the command from code expects what Django's own raises.
            if not self.on_command_line:
                raise
            raise CommandError(str(error)) from error
        return output

    def set_options(self, **options: Any) -> None:
        super().set_options(**options)
        self.json = bool(options.get("json"))
        self.verify = bool(options.get("verify"))
        self.report: Report | None = None
        if self.json:
            self.interactive = False

    @property
    def ours(self) -> bool:
        """Whether the static files storage is Shipfiles'."""
        # The storage is a lazy object, whose class is that of what it stands for.
        return isinstance(self.storage, StaticStorage)

    @property
    def on_command_line(self) -> bool:
        """Whether a person or a script has called the command, not code in a process that does other things too."""
        return bool(getattr(self, "_called_from_command_line", False))

    def is_local_storage(self) -> bool:
        return self.ours or bool(super().is_local_storage())

    def handle(self, **options: Any) -> str | None:
        if options.get("json") and not self.ours:
            raise CommandError("--json needs STORAGES['staticfiles'] to be shipfiles.django.storage.StaticStorage.")
        try:
            asks = options["interactive"] or options["dry_run"]
            if options["clear"] and asks and self.ours and not options.get("json") and options["verbosity"] >= 1:
                self._say_what_clears(dry_run=options["dry_run"])
            closing: str | None = super().handle(**options)
        except ShipfilesError as error:
            if options.get("json"):
                self.stdout.write(json.dumps({"error": str(error), "problems": failure_problems(error)}, indent=2))
            raise CommandError(fit_to_show(str(error))) from error
        except KeyboardInterrupt as error:
            text = "Interrupted. What is live is whole; run again to finish."
            raise CommandError(text, returncode=INTERRUPTED) from error
        except EOFError as error:
            raise CommandError("Collecting static files cancelled: nobody answered. --noinput asks nothing.") from error
        if self.report is not None and self.json:
            return json.dumps({**self.report.facts(), "dry_run": self.dry_run}, indent=2)
        return fit_to_show(closing) if closing else closing

    def _say_what_clears(self, *, dry_run: bool) -> None:
        """Django's prompt, which comes next, cannot know of releases."""
        releases = records_of(self.storage.store) if self.storage.location else {}
        if releases:
            there = f"{len(releases):,} {'is' if len(releases) == 1 else 'are'} there"
            what = (
                f"--clear {'would delete' if dry_run else 'deletes'} every release but the one that it makes ({there})"
            )
            keep = "To delete old ones only, use 'manage.py ship prune', or OPTIONS['retain']"
            self._warn(f"{what}: then there is nothing to roll back to. {keep}.")

    def log(self, msg: str, level: int = 2) -> None:
        # Names of files are whatever somebody called them.
        super().log(fit_to_show(msg), level)

    def _say(self, text: str) -> None:
        self.stdout.write(fit_to_show(text))

    def _warn(self, text: str) -> None:
        self.stderr.write(fit_to_show(text))

    def collect(self) -> dict[str, list[str]]:
        if not self.ours:
            found: dict[str, list[str]] = super().collect()
            return found
        # Called from code, the process has done other things before.
        start_seconds = time.process_time() if self.on_command_line else None
        timing = Timing()
        terminal = self.verbosity >= 1 and not self.json and self.stdout.isatty()
        quiet = self.json or self.verbosity < 1
        # The wrapper of the output stream adds line ends of its own, which a progress bar must not have.
        stream: Any = getattr(self.stdout, "_out", self.stdout)
        write: Callable[[str], object] = (lambda _: None) if quiet else self._say
        progress: Shows = PlainProgress(write)
        if terminal:
            from shipfiles.django.bars import BarProgress

            progress = bars = BarProgress(stream, plain=is_plain(self))
            write = bars.print

        told: list[str] = []

        def listen(event: Event) -> None:
            timing(event)
            if isinstance(event, Notice):
                told.append(event.text)
            progress(event)
            if isinstance(event, Changed) and not self.json:
                text, level = changes(event, dry_run=self.dry_run)
                if self.verbosity >= level:
                    write(text)
            elif isinstance(event, Notice) and not terminal and self.verbosity >= 1:
                self._warn(event.text)

        try:
            with progress, rare_collections(), ExitStack() as stack:
                with phase(listen, "find") as finding:
                    sources = stack.enter_context(find_sources(self.ignore_patterns))
                    finding(len(sources.sources), 0)
                self._note_shadowed(sources.shadowed, write)
                collected = collect(
                    self.storage,
                    sources,
                    post_process=self.post_process,
                    clear=self.clear,
                    link=self.symlink,
                    dry_run=self.dry_run,
                    verify=self.verify,
                    listener=listen,
                )
        except BrokenReferences as error:
            # The line that Django prints, which people look for in the logs of a build.
            names = ", ".join(dict.fromkeys(problem.logical for problem in error.problems if problem.logical))
            for line in problem_lines(error.warnings, error.notes, all_of_them=self.verbosity >= 2):
                self._warn(line)
            if names:
                self._warn(f"Post-processing '{names}' failed!\n\n")
            raise
        self.report = Report(sources, collected, timing.total, timing.phases, start_seconds, told)
        if not quiet:
            self._show(self.report, terminal, stream)
        return self._collected(self.report)

    def _note_shadowed(self, shadowed: list[Any], write: Callable[[str], object]) -> None:
        for loser, winner in shadowed:
            self.skipped_files.append(loser.logical)
            if self.verbosity >= 2:
                write(
                    f"Found another file with the destination path '{loser.logical}'. It will be ignored since only "
                    f"the first encountered file is collected. If this is not what you want, make sure every static "
                    f"file has a unique path.\n  collected: {winner.place}\n  ignored:   {loser.place}"
                )

    def _show(self, report: Report, terminal: bool, stream: Any) -> None:
        for line in report.problems(all_of_them=self.verbosity >= 2):
            self._warn(line)
        if terminal:
            from shipfiles.django.bars import print_table

            self.stdout.write("")
            print_table(stream, report.rows(), plain=is_plain(self))
        elif self.verbosity >= 1:
            for name, value in report.rows():
                self._say(f"{name}: {value}")

    def _collected(self, report: Report) -> dict[str, list[str]]:
        published = report.collected.published
        plain = [change for change in published.changed if change.kind == "plain"]
        self.copied_files += [change.logical for change in plain if change.action == "write"]
        self.symlinked_files += [change.logical for change in plain if change.action == "link"]
        self.unmodified_files += published.unchanged
        self.deleted_files += deleted(published.changed)
        if self.post_process and not self.dry_run:
            self.post_processed_files += report.collected.post_processed
            if not self.json and self.verbosity >= 2:
                for logical in report.collected.post_processed:
                    self.log(f"Post-processed '{logical}' as '{self.storage.stored_name(logical)}'", level=2)
        if not self.json:
            for logical in published.unchanged:
                self.log(f"Skipping '{logical}' (not modified)", level=2)
        return {
            "modified": self.copied_files + self.symlinked_files,
            "unmodified": self.unmodified_files,
            "post_processed": self.post_processed_files,
            "skipped": self.skipped_files,
            "deleted": self.deleted_files,
        }
