"""``{% load shipfiles %}``: what a page may say of the release that it was made with."""

from __future__ import annotations

from typing import Any

from django import template
from django.contrib.staticfiles.storage import staticfiles_storage
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ..newer import views
from ..static_storage import StaticStorage

register = template.Library()


@register.simple_tag
def release_id() -> str:
    """``{% release_id %}``, ``{% release_id as name %}``: the id of the release that this process uses.

    Empty with ``DEBUG``, before the first release, and with a static files storage that is not ours.
    """
    storage: Any = staticfiles_storage
    return storage.release_id if isinstance(storage, StaticStorage) else ""


@register.simple_tag
def newer_release_script(every: float = 300, nonce: str = "") -> SafeString:
    """``{% newer_release_script %}``: a script that tells the page when the site has a newer release than the page's.

    It asks each ``every`` seconds, at least 1, while the page is visible. ``nonce`` is that of a
    Content-Security-Policy which needs one. Empty with ``DEBUG``, before the first release, and with a static files
    storage that is not ours.
    """
    url, used = views.address(), views.used_now()
    if not used:
        return SafeString("")
    every = float(every)
    if not 1 <= every <= 86400:
        raise template.TemplateSyntaxError(f"newer_release_script: every={every} is not from 1 to 86400 seconds.")
    facts = {"nonce": nonce or "", **{f"data-{name}": value for name, value in used.items()}}
    facts |= {"data-url": url, "data-every": f"{every:g}"}
    return format_html(
        '<script src="{}" async{}></script>',
        views.script_url(),
        format_html_join("", ' {}="{}"', ((name, value) for name, value in facts.items() if value)),
    )
