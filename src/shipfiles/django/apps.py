"""The Django application."""

from __future__ import annotations

from django.apps import AppConfig


class ShipfilesConfig(AppConfig):
    """Above ``django.contrib.staticfiles`` in INSTALLED_APPS, so that its commands are ours."""

    name = "shipfiles.django"
    label = "shipfiles"
    verbose_name = "Shipfiles"

    def ready(self) -> None:
        """Register the system checks, and tell the WSGI and ASGI applications where the files are."""
        from ..serve.default import set_provider
        from . import checks, conf, static_urls, tables

        checks.register_all()
        set_provider(
            tables.static_table, static_urls.forced_script_name, conf.passed_over_by_lanes, conf.used_location,
            tables.uploads,
        )  # fmt: skip
