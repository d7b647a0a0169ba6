"""Shipfiles under the names of WhiteNoise, for WhiteNoise's own tests. What has no counterpart is not here."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

from django.core.management import call_command
from django.test import override_settings

from shipfiles.django import conf
from shipfiles.serve.watch import WatchTable
from shipfiles.serve.wsgi import StaticApp


class WhiteNoise:
    """Folders around an application: with ``autorefresh`` as in development, else a release of what is in them now."""

    def __init__(self, application: Any, root: Any = None, prefix: str | None = None, **options: Any) -> None:
        self.autorefresh = options.pop("autorefresh", False)
        self._settings = {f"WHITENOISE_{name.upper()}": value for name, value in options.items()}
        with override_settings(**self._settings):
            self._config = conf.static_config({}).serve
        self._application = application
        if root is not None:
            self.add_files(root, prefix)

    @property
    def immutable_file_test(self) -> Callable[[str, str], object]:
        return self._config.add_headers.test

    def add_files(self, root: Any, prefix: str | None = None) -> None:
        """Files added later go first."""
        bare = (prefix or "").strip("/")
        place = f"/{bare}/" if bare else "/"
        if self.autorefresh:
            files = {"table": WatchTable(lambda logical: os.path.join(root, logical), place, self._config)}
        else:
            files = {"root": self._published(root), "prefix": place, "config": self._config}
        self._application = StaticApp(self._application, **files)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self._application(environ, start_response)

    def _published(self, folder: Any) -> str:
        root = tempfile.mkdtemp()
        with override_settings(
            **self._settings,
            STATICFILES_DIRS=[os.fspath(folder)],
            STATICFILES_FINDERS=["django.contrib.staticfiles.finders.FileSystemFinder"],
            STATIC_ROOT=root,
            STORAGES={"staticfiles": {"BACKEND": conf.BACKEND}},
        ):
            call_command("collectstatic", verbosity=0, interactive=False)
        return root
