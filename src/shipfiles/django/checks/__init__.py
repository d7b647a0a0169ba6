"""System checks for the traps that cost people days. Each has an id, says what is wrong and what to do.

Checks that read folders, or that matter only where the site is deployed, run with ``check --deploy``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, register

from .extras import check_extras
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

Check = Callable[[], Iterable[CheckMessage]]

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
)


ON_DEPLOY: tuple[Check, ...] = (
    check_static_root_ready,
    check_pull_from,
    check_extras,
    check_whitenoise_options,
    check_middleware_there,
    check_middleware_in_vain,
    check_plain_lifetime,
    check_shadowed_names,
)


def _as_django_calls(check: Check) -> Callable[..., list[CheckMessage]]:
    def called(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
        del app_configs, options  # the settings concern all applications
        return list(check())

    return called


# Made once: Django's registry is a set, and tests set the applications up more than once.


_ALWAYS = tuple(map(_as_django_calls, ALWAYS))


_ON_DEPLOY = tuple(map(_as_django_calls, ON_DEPLOY))


def register_all() -> None:
    """Register the checks under the tag ``staticfiles``, which ``collectstatic`` runs."""
    for check in _ALWAYS:
        register(check, "staticfiles")
    for check in _ON_DEPLOY:
        register(check, "staticfiles", deploy=True)
