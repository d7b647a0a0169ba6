"""What is said where another program would write files that only a release writes."""

from __future__ import annotations

from django.core.management.base import CommandError


class OnlyReleases(CommandError, NotImplementedError):
    """A storage's files are in a store far away, where only releases change anything.

    ``NotImplementedError`` is what storages raise that cannot do something. A command that meets it, such as Django's
    own ``collectstatic``, ends with its message alone.
    """

    def __init__(self, does: str, where: str) -> None:
        super().__init__(
            f"Only a release {does} files in {where}: Shipfiles' 'manage.py collectstatic' publishes one, with "
            "'shipfiles.django' in INSTALLED_APPS above 'django.contrib.staticfiles' and everything else that has a "
            "collectstatic of its own, and 'manage.py ship prune' removes old ones."
        )
