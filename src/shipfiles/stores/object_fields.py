"""The header fields that an object answers with, in HTTP's words and in obstore's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..errors import ConfigError, StoreError, did_you_mean, nearest_names
from ..paths import PROBES, RESERVED, path_fault

_NAMES = {
    name.lower(): name
    for name in ("Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type")
}
PARAMETERS = {name.replace("-", "_"): field for name, field in _NAMES.items()}
"""The words of Google's and Azure's ``object_parameters`` for them: ``cache_control`` and so on."""
STORAGE_CLASS = "Storage-Class"
"""Not answered with, but told like what is."""
_TOKENS = 16
TOKEN = "shipfiles"  # letters only: Azure takes no others, and some proxies drop fields with an underscore
"""The name of the metadata by which a put knows its own object again, if the answer to it was lost: its token, and
those of the last puts before it, each of which may not know yet that it has been followed."""


def canonical(fields: Mapping[str, str], own: str, key: str) -> dict[str, str]:
    """``fields`` as obstore takes them, for an object ``key`` of a store whose own metadata begin with ``own``.

    Raises `StoreError` for a field that an object cannot answer with, and for a value that is none.
    """
    found = {}
    for name, value in fields.items():
        lower = name.lower()
        if lower in _NAMES:
            known = _NAMES[lower]
        elif lower.startswith(own) and lower[len(own) :] not in ("", TOKEN):
            known = lower[len(own) :]
        elif name == STORAGE_CLASS:
            known = name
        else:
            raise StoreError(
                key, f"an object cannot answer with {name}, only with {', '.join(_NAMES.values())} and {own}..."
            )
        if not _is_value(value):
            raise StoreError(key, f"the value of {name} has characters that a header cannot have: {value!r}")
        found[known] = value
    return found


def held(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Those of the header ``fields`` that every object store answers with, written as it writes their names.

    That is what Amazon calls system-defined metadata that a user can control, Google fixed-key metadata, and Azure blob
    HTTP headers. Values that are no visible ASCII are left out, and empty ones, which say nothing.
    """
    return {_NAMES[name.lower()]: value for name, value in fields if is_held(name, value)}


def is_held(name: str, value: str) -> bool:
    """Whether every object store can answer with the header field ``name`` and this ``value``."""
    return name.lower() in _NAMES and _is_value(value) and value != ""


def _is_value(text: str) -> bool:
    return text.isascii() and text.isprintable()


def told(attributes: Mapping[str, str], own: str) -> dict[str, str]:
    """The reverse: what an object with these ``attributes`` answers with."""
    return {
        name if name in _NAMES.values() else own + name: value
        for name, value in attributes.items()
        if name not in (TOKEN, STORAGE_CLASS)
    }


def as_headers(attributes: Mapping[str, str], own: str) -> dict[str, str]:
    """``attributes`` as the header fields of a request that S3 makes a copy with."""
    return {
        "x-amz-storage-class"
        if name == STORAGE_CLASS
        else (name.lower() if name in _NAMES.values() else own + name): value
        for name, value in attributes.items()
    }


def marked(attributes: Mapping[str, str], tokens: Sequence[str]) -> dict[str, str]:
    """``attributes`` with the tokens of a put, the newest first, and of those that it takes the place of."""
    return {**attributes, TOKEN: "-".join(tokens[:_TOKENS])} if tokens else dict(attributes)


def tokens_of(attributes: Mapping[str, str]) -> tuple[str, ...]:
    """The tokens that an object with ``attributes`` has."""
    return tuple(attributes.get(TOKEN, "").split("-"))


def without_token(attributes: Mapping[str, str]) -> dict[str, str]:
    """``attributes`` without that of the put that made the object."""
    return {name: value for name, value in attributes.items() if name != TOKEN}


def checked_parameters(
    given: Mapping[str, object], names: Mapping[str, str], own: str, also: Mapping[str, str] = {}
) -> dict[str, str]:
    """The option ``object_parameters`` as header fields; ``names`` are its words for them, ``also`` those for other
    things. Raises `ConfigError`."""
    fields: dict[str, str] = {}
    for name, value in given.items():
        if name in also:
            continue
        if name.lower() == "metadata" and isinstance(value, Mapping):
            fields |= {f"{own}{key}": text for key, text in value.items()}
        elif name in names and isinstance(value, str):
            fields[names[name]] = value
        elif name in names or name.lower() == "metadata":
            raise ConfigError(f"object_parameters[{name!r}] cannot be {value!r}.")
        else:
            known = {*names, *also, "Metadata" if names.keys() >= {"CacheControl"} else "metadata"}
            nearest = did_you_mean(nearest_names(name, known))
            raise ConfigError(f"object_parameters[{name!r}] is none that an object gets here{nearest}", sorted(known))
    try:
        canonical(fields, own, "object_parameters")
    except StoreError as error:
        raise ConfigError(str(error)) from None
    return fields


def is_record(key: str) -> bool:
    """Whether ``key`` is of what a store says of its releases: meant for publishers and web processes, not browsers."""
    return key.startswith(f"{RESERVED}/") and not key.startswith(f"{PROBES}/")


def folder(location: str) -> str:
    """The option ``location`` as a prefix of keys. Raises `ConfigError`."""
    prefix = location.strip("/")
    if prefix and (fault := path_fault(prefix)):
        raise ConfigError(f"location {location!r} cannot be used: {fault}")
    return f"{prefix}/" if prefix else ""
