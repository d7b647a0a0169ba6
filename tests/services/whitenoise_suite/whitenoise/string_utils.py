from __future__ import annotations

from shipfiles.django.whitenoise import meanings


def ensure_leading_trailing_slash(path: str | None) -> str:
    (meant,) = meanings({"WHITENOISE_STATIC_PREFIX": path}, debug=False)
    return meant.value
