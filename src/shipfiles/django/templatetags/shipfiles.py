"""``{% load shipfiles %}``: what a page may say of the release that it was made with."""

from __future__ import annotations

from typing import Any

from django import template
from django.contrib.staticfiles.storage import staticfiles_storage

from ..storage import StaticStorage

register = template.Library()


@register.simple_tag
def release_id() -> str:
    """``{% release_id %}``, ``{% release_id as name %}``: the id of the release that this process uses.

    Empty with ``DEBUG``, before the first release, and with a static files storage that is not ours.
    """
    storage: Any = staticfiles_storage
    return storage.release_id if isinstance(storage, StaticStorage) else ""
