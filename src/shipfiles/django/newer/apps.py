"""The Django application."""

from __future__ import annotations

from django.apps import AppConfig


class NewerConfig(AppConfig):
    """Has the script, and the URL that it asks."""

    name = "shipfiles.django.newer"
    label = "shipfiles_newer"
    verbose_name = "Shipfiles: newer releases"
