"""System checks for the traps that cost people days. Each has an id, says what is wrong and what to do.

Checks that read folders, or that matter only where the site is deployed, run with ``check --deploy``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, register

from .extras import check_extras
from .media import (
    check_media_acl,
    check_media_delivery,
    check_media_domain,
    check_media_extras,
    check_media_key,
    check_media_options,
    check_media_others,
    check_media_overwrite,
    check_media_private,
    check_media_served,
    check_media_settings,
)
from .media_places import (
    check_media_access,
    check_media_folder,
    check_media_in_release,
    check_media_root,
    check_media_shared,
    check_media_url,
)
from .middleware import check_middleware, check_middleware_in_vain, check_middleware_storage, check_middleware_there
from .options import (
    check_app_order,
    check_collectors,
    check_django_storages_settings,
    check_domain,
    check_options,
    check_plain_lifetime,
    check_removed_settings,
    check_whitenoise_options,
    check_whitenoise_settings,
)
from .places import (
    check_cache_folder,
    check_pull_from,
    check_shadowed_names,
    check_static_root,
    check_static_root_ready,
    check_static_url,
)
from .purge import check_purge, check_purge_extras, check_purge_hosts, check_purge_tags, check_purge_too_soon

Check = Callable[[], Iterable[CheckMessage]]

STATIC, MEDIA = "staticfiles", "files"
"""The tags: ``collectstatic`` runs the checks of the one, ``files`` is Django's own for what concerns uploads."""

ALWAYS: tuple[Check, ...] = (
    check_static_url,
    check_static_root,
    check_cache_folder,
    check_removed_settings,
    check_app_order,
    check_collectors,
    check_options,
    check_whitenoise_settings,
    check_django_storages_settings,
    check_domain,
    check_middleware,
    check_middleware_storage,
    check_purge,
    check_purge_tags,
    check_purge_hosts,
)


ON_DEPLOY: tuple[Check, ...] = (
    check_static_root_ready,
    check_pull_from,
    check_extras,
    check_purge_extras,
    check_purge_too_soon,
    check_whitenoise_options,
    check_middleware_there,
    check_middleware_in_vain,
    check_plain_lifetime,
    check_shadowed_names,
)

OF_MEDIA: tuple[Check, ...] = (
    check_media_options,
    check_media_settings,
    check_media_overwrite,
    check_media_domain,
    check_media_acl,
    check_media_delivery,
    check_media_served,
    check_media_root,
    check_media_folder,
    check_media_url,
    check_media_in_release,
    check_media_access,
)


OF_MEDIA_ON_DEPLOY: tuple[Check, ...] = (
    check_media_shared,
    check_media_extras,
    check_media_private,
    check_media_key,
    check_media_others,
)


def _as_django_calls(check: Check) -> Callable[..., list[CheckMessage]]:
    def called(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
        del app_configs, options  # the settings concern all applications
        return list(check())

    return called


# Made once: Django's registry is a set, and tests set the applications up more than once.


_CALLED = tuple(
    (_as_django_calls(check), tag, deploy)
    for checks, tag, deploy in (
        (ALWAYS, STATIC, False), (ON_DEPLOY, STATIC, True), (OF_MEDIA, MEDIA, False), (OF_MEDIA_ON_DEPLOY, MEDIA, True),
    )
    for check in checks
)  # fmt: skip


def register_all() -> None:
    """Register the checks under their tags."""
    for check, tag, deploy in _CALLED:
        if deploy:
            register(check, tag, deploy=True)
        else:
            register(check, tag)
