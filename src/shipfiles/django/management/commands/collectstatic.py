"""``collectstatic``: Django's own command, with a release at its end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib.staticfiles.management.commands.collectstatic import Command as DjangoCommand
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser

from shipfiles.django import conf
from shipfiles.django.collect import collect
from shipfiles.django.ends import INTERRUPTED, clear_ends
from shipfiles.django.plans import plan_facts, plan_line
from shipfiles.django.progress import PlainProgress, Shows, Timing, is_plain
from shipfiles.django.report import Report, changes, deleted, failure_problems, problem_lines
from shipfiles.django.shows import shown
from shipfiles.django.sources import find_sources
from shipfiles.django.storage import StaticStorage
from shipfiles.errors import BrokenReferences, ReleaseError, ShipfilesError, StoreError, fit_to_show
from shipfiles.events import Changed, Event, Listener, Notice, phase
from shipfiles.release.catalog import records_of
from shipfiles.work import rare_collections

if TYPE_CHECKING:
    from shipfiles.django.purges import Purges
    from shipfiles.django.purging import Purging
    from shipfiles.django.sending import Sending
    from shipfiles.release.send import Plan
    from shipfiles.release.target import Target


class Command(DjangoCommand):
    """Same options, prompts and closing line as Django's; with a storage that is not ours it is Django's."""

    help = "Collect static files into a release in a single location."

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Newer versions of Django have these; the closing line of an older one does not count them.
        self.skipped_files: list[str] = []
        self.deleted_files: list[str] = []
        self.targets: Sequence[Target] = ()
        self.sending: Sending | None = None
        self.planned: list[Plan] = []
        self.purging: Purging | None = None
        self.purged: Purges | None = None

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
            "published here; of the stores that it is sent to, list what is there.",
        )
        parser.add_argument(
            "--build-only",
            action="store_true",
            help="Build the release on this machine and send it nowhere; 'ship publish' does that later.",
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
        self.sending, self.planned = None, []
        self.told: list[str] = []
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
        if self.ours:
            # Of what is in a store far away nothing is asked before there is something to be sent.
            return self.storage.remote is None
        return bool(super().is_local_storage())

    def handle(self, **options: Any) -> str | None:
        self.purging = self.purged = None
        for option in ("--json", "--build-only"):
            if options.get(option[2:].replace("-", "_")) and not self.ours:
                raise CommandError(f"{option} needs STORAGES['staticfiles'] to be {conf.BACKENDS}.")
        try:
            if self.ours and not options.get("build_only"):
                self.targets = conf.targets(self.storage.config)
                self._refuse_no_release(options)
                self._prepare_to_purge(options)
            self._say_what_is_to_be(options)
            closing: str | None = super().handle(**options)
            self._publish()
            self._purge()
        except ShipfilesError as error:
            if options.get("json"):
                self.stdout.write(json.dumps({"error": str(error), "problems": failure_problems(error)}, indent=2))
            raise CommandError(fit_to_show(str(error))) from error
        except KeyboardInterrupt as error:
            text = "Interrupted. What is live is whole; run again to finish."
            if self.sending:
                text = self.sending.interrupted
                if self.json:
                    self.stdout.write(json.dumps(self.sending.facts(text), indent=2))
            raise CommandError(fit_to_show(text), returncode=INTERRUPTED) from error
        except EOFError as error:
            raise CommandError("Collecting static files cancelled: nobody answered. --noinput asks nothing.") from error
        finally:
            if self.purging:
                self.purging.close()
        return self._answer(closing)

    def _answer(self, closing: str | None) -> str | None:
        """What the command prints last. Raises ``CommandError`` if a store does not have the release."""
        sent = self.sending.outcomes if self.sending else []
        failures = [self.sending.failure if self.sending else "", self.purged.failure if self.purged else ""]
        failure = "\n".join(filter(None, failures))
        purged = self.purged.lines if self.purged else []
        answer = closing
        if self.report is not None and self.json:
            facts = {**self.report.facts(), "dry_run": self.dry_run}
            if self.targets:
                facts["targets"] = [plan_facts(plan) for plan in self.planned]
            facts |= self.sending.facts(failure) if self.sending else {"error": failure} if failure else {}
            if self.purged:
                facts["purge"] = self.purged.facts
            answer = json.dumps(facts, indent=2)
        elif closing:
            answer = fit_to_show(
                "\n".join([closing, *(one.text for one in sent), *purged, *map(plan_line, self.planned)])
            )
        if failure:
            if answer:
                self.stdout.write(answer)
            raise CommandError(fit_to_show(failure))
        return answer

    def _refuse_no_release(self, options: dict[str, Any]) -> None:
        if self.targets and not options["post_process"]:
            where = ", ".join(map(str, self.targets))
            raise CommandError(
                f"--no-post-process makes no release, and only releases are sent to {where}. Leave it out; or add "
                f"--build-only, which copies the files to {self.storage.location} and sends nothing."
            )

    def _prepare_to_purge(self, options: dict[str, Any]) -> None:
        """Raises `ConfigError` while nothing has been done."""
        if self.storage.config.purge.caches and not options["dry_run"]:
            from shipfiles.django.purging import purging_of

            self.purging = purging_of(self.storage)
            if self.purging:
                self.purging.watch(self.targets)

    def _purge(self) -> None:
        """Let caches forget what has changed."""
        if self.purging is None or self.report is None:
            return
        published = self.report.collected.published
        plain = () if published.release else [one.logical for one in published.changed if one.kind == "plain"]
        self.purged = self.purging.finish(plain)

    def _publish(self) -> None:
        """Send the release to all targets; in a dry run only what would be sent."""
        if not self.targets or self.report is None:
            return
        from shipfiles.django.sending import Sending, kept_of, with_manifest_alone

        config, published = self.storage.config, self.report.collected.published
        how: dict[str, Any] = {"clear": self.clear, "verify": self.verify}
        if self.dry_run:
            from shipfiles.release.send import planned

            # A dry run leaves nothing on disk but knows what would be there.
            source, kept = with_manifest_alone(published.release, published.manifest), kept_of(config)
            for target in self.targets:
                try:
                    plan = planned(source, published.release, target, kept=kept, listener=self._noting(), **how)
                except StoreError as error:
                    raise ReleaseError(f"{target}: {error}") from error
                self.planned.append(plan)
            return
        self.sending = Sending(self.storage.store, published.release, self.targets, config, **how)
        self.sending.run(partial(self._showing, published.release))
        # A process that goes on uses what it finds in the store now.
        self.storage.forget()

    @contextmanager
    def _showing(self, release: str, target: Target) -> Iterator[Listener]:
        """Shows what happens while the ``release`` is sent to ``target``."""
        with shown(self, target, as_json=self.json, verbosity=self.verbosity, release=release) as show:
            yield self._noting(show)

    def _noting(self, show: Listener | None = None) -> Listener:
        """Keeps notices for the report, and lets ``show`` show them; else they go to the standard error."""

        def listen(event: Event) -> None:
            if isinstance(event, Notice):
                self.told.append(event.text)
            if show is not None:
                show(event)
            elif isinstance(event, Notice) and self.verbosity >= 1:
                self._warn(event.text)

        return listen

    def _say_what_is_to_be(self, options: dict[str, Any]) -> None:
        """Django's prompt, which comes next, cannot know of releases, nor of stores."""
        if not self.ours or options.get("json") or options["verbosity"] < 1:
            return
        if self.targets and options["interactive"]:
            self._warn(f"The release is sent to {', '.join(map(str, self.targets))}.")
        if options["clear"] and (options["interactive"] or options["dry_run"]):
            self._say_what_clears(dry_run=options["dry_run"])

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
        if self.targets:
            where, does = ", ".join(map(str, self.targets)), "would do" if dry_run else "does"
            self._warn(
                f"--clear {does} the same in {where}: of what Shipfiles, or stock Django, put there and nothing else."
            )

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

        def listen(event: Event) -> None:
            timing(event)
            if isinstance(event, Notice):
                self.told.append(event.text)
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
        self.report = Report(sources, collected, timing.total, timing.phases, start_seconds, self.told)
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
