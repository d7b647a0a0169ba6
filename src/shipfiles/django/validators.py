"""Validators of uploads, for the fields of forms and models: what is wrong is shown beside the field.

    avatar = models.ImageField(validators=[MaxSize(2 << 20), AllowedTypes("image/png"), ImageDimensions()])

A file that a model has stored already is not looked at again: that would fetch it each time a form is saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.files.storage import storages
from django.template.defaultfilters import filesizeformat
from django.utils.deconstruct import deconstructible
from django.utils.translation import gettext_lazy as _

from ..errors import ConfigError, UploadRefused
from ..media.archives import ArchiveLimits, check_archive
from ..media.dimensions import dimensions
from ..media.file_names import NameFault, name_fault
from ..media.inspecting import inspect_upload, inspection_hooks
from ..media.safety import check_upload
from ..media.sniffing import LONGEST, agreed
from ..media_types import is_media_type, media_type
from .media_storage import MediaStorage


@deconstructible(path="shipfiles.django.validators.MaxSize")
@dataclass
class MaxSize:
    """The file has at most ``limit`` bytes."""

    limit: int

    def __call__(self, value: Any) -> None:
        """Raise ``ValidationError`` with the code ``max_size``."""
        if not _is_stored(value) and value.size > self.limit:
            raise ValidationError(
                _("This file has %(size)s, and at most %(limit)s are allowed."),
                code="max_size",
                params={"size": filesizeformat(value.size), "limit": filesizeformat(self.limit), "value": value},
            )


@deconstructible(path="shipfiles.django.validators.AllowedTypes")
class AllowedTypes:
    """The file is of one of the media types by its name, and its first bytes do not say something else.

    ``image/*`` stands for all that begin with ``image/``, of which SVG is one. A picture may be of another allowed type
    than its name says.
    """

    def __init__(self, *types: str) -> None:
        for one in types:
            if not is_media_type(one.replace("/*", "/any")):
                raise ConfigError(f"AllowedTypes: {one!r} is no media type.")
        if not types:
            raise ConfigError("AllowedTypes must be told which types are allowed.")
        self.types = types

    def __call__(self, value: Any) -> None:
        """Raise ``ValidationError`` with the code ``type`` or ``content``."""
        if _is_stored(value):
            return
        by_name = media_type(value.name)
        if not self._allows(by_name):
            raise ValidationError(
                _("Files of the type “%(type)s” are not allowed. Allowed are: %(types)s."),
                code="type",
                params={"type": by_name, "types": ", ".join(self.types), "value": value},
            )
        with _opened(value) as file:
            found = agreed(by_name, file.read(LONGEST))
        if found is None or not self._allows(found):
            raise ValidationError(
                _("By its name this file is of the type “%(type)s”, but its contents are not."),
                code="content",
                params={"type": by_name, "value": value},
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AllowedTypes) and set(self.types) == set(other.types)

    __hash__ = None  # type: ignore[assignment]

    def _allows(self, found: str) -> bool:
        return found in self.types or f"{found.partition('/')[0]}/*" in self.types


@deconstructible(path="shipfiles.django.validators.ImageDimensions")
@dataclass
class ImageDimensions:
    """The picture is a PNG, JPEG, GIF, WebP or BMP within these bounds; its header is read, and no more.

    So put it before what decodes pictures: 50 million pixels take 200 MB there, however small the file is.
    """

    max_width: int | None = None
    max_height: int | None = None
    max_pixels: int | None = 50_000_000
    min_width: int = 1
    min_height: int = 1

    def __call__(self, value: Any) -> None:
        """Raise ``ValidationError`` with the code ``image``, ``too_large`` or ``too_small``."""
        if _is_stored(value):
            return
        with _opened(value) as file:
            found = dimensions(file)
        if found is None:
            raise ValidationError(
                _("This is no picture whose size can be read: PNG, JPEG, GIF, WebP or BMP."),
                code="image",
                params={"value": value},
            )
        width, height = found
        params = {"width": width, "height": height, "value": value}
        if width < self.min_width or height < self.min_height:
            params |= {"min_width": self.min_width, "min_height": self.min_height}
            text = _("This picture has %(width)d × %(height)d pixels; it must have %(min_width)d × %(min_height)d.")
            raise ValidationError(text, code="too_small", params=params)
        if (
            (self.max_width is not None and width > self.max_width)
            or (self.max_height is not None and height > self.max_height)
            or (self.max_pixels is not None and width * height > self.max_pixels)
        ):
            bounds = [(limit, text) for limit, text in self._bounds() if limit is not None]
            params["allowed"] = ", ".join(str(text % {"limit": limit}) for limit, text in bounds)
            text = _("This picture has %(width)d × %(height)d pixels, which is too large. Allowed are: %(allowed)s.")
            raise ValidationError(text, code="too_large", params=params)

    def _bounds(self) -> tuple[tuple[int | None, Any], ...]:
        return (
            (self.max_width, _("%(limit)d pixels in width")),
            (self.max_height, _("%(limit)d pixels in height")),
            (self.max_pixels, _("%(limit)d pixels in all")),
        )


_NAME_TEXTS: dict[NameFault, Any] = {
    "empty": _("The file has no name."),
    "control": _("The file's name has a control character."),
    "direction": _("The file's name has a character that changes the direction in which it is read."),
    "character": _("The file's name has one of the characters < > : \" / \\ | ? *."),
    "end": _("The file's name ends with a dot or a space."),
    "reserved": _("The file's name belongs to Windows."),
    "settings": _("The file's name is one that servers or desktops take settings from."),
    "double": _("The file's name has two endings, of which one is a program's or a page's."),
}


@deconstructible(path="shipfiles.django.validators.FileName")
@dataclass
class FileName:
    """The file has a name that no system takes for something else.

    ``double`` allows endings of programs and pages in the middle: ``invoice.html.png``. ``max_length`` is in
    characters.
    """

    max_length: int = 150
    double: bool = False

    def __call__(self, value: Any) -> None:
        """Raise ``ValidationError`` with the code ``max_length`` or one of `NameFault`."""
        if _is_stored(value):
            return
        name = str(value.name).rpartition("/")[2]
        if len(name) > self.max_length:
            raise ValidationError(
                _("The file's name has %(length)d characters, and at most %(max_length)d are allowed."),
                code="max_length",
                params={"length": len(name), "max_length": self.max_length, "value": value},
            )
        if fault := name_fault(name, double=self.double):
            raise ValidationError(_NAME_TEXTS[fault], code=fault, params={"value": value})


_ARCHIVE_TEXTS = {
    "archive_size": _("This archive unpacks to too much."),
    "archive_ratio": _("This archive unpacks to too much."),
    "archive_members": _("This archive has too many files."),
    "archive_depth": _("This archive has too many archives within each other."),
    "archive_nested": _("An archive in this one is too large to look into."),
    "archive_name": _("A file in this archive has a name that leads elsewhere."),
    "archive_link": _("This archive has links or devices in it."),
    "archive_overlap": _("This archive is made to fill the disk of who unpacks it."),
    "archive_hidden": _("This archive has files in it that not everybody sees."),
    "archive_encrypted": _("This archive is encrypted, so that nobody can look into it."),
    "archive_kind": _("This archive is of a kind that cannot be looked into."),
    "archive_damaged": _("This archive is damaged."),
}


@deconstructible(path="shipfiles.django.validators.ArchiveBomb")
class ArchiveBomb:
    """The file, if it is an archive, can be unpacked: zip (office files are), tar, gzip, bzip2, xz, zstd, nested.

    Takes the fields of `ArchiveLimits`: ``unpacked``, ``ratio``, ``members``, ``depth``, ``nested``.
    """

    def __init__(self, **limits: Any) -> None:
        self.limits = ArchiveLimits(**limits)

    def __call__(self, value: Any) -> None:
        """Raise ``ValidationError`` with one of the codes that begin with ``archive_``."""
        if _is_stored(value):
            return
        with _opened(value) as file:
            _shown(lambda: check_archive(str(value.name), file, self.limits), value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArchiveBomb) and self.limits == other.limits

    __hash__ = None  # type: ignore[assignment]


_STORAGE_TEXTS = {
    "max_size": _("This file is too large."),
    "extension": _("Files with this ending are not allowed."),
    "content": _("The file's contents are not what its name says."),
}


@deconstructible(path="shipfiles.django.validators.TakenByStorage")
@dataclass
class TakenByStorage:
    """The storage with the alias ``using`` takes the file: OPTIONS["safety"] and OPTIONS["inspect"], asked beforehand.

    Else what the storage refuses is an `UploadRefused` that nobody expects when the model is saved. It asks again then,
    so what is dear to inspect is inspected twice.
    """

    using: str = "default"

    def __call__(self, value: Any) -> None:
        """Raise ``ValidationError`` with the code of `UploadRefused`, ``ImproperlyConfigured`` for another storage."""
        if _is_stored(value):
            return
        storage = storages[self.using]
        if not isinstance(storage, MediaStorage):
            raise ImproperlyConfigured(
                f"TakenByStorage({self.using!r}): STORAGES[{self.using!r}] is a {type(storage).__qualname__}, "
                "which refuses nothing. Name the alias of a shipfiles.django.storage.MediaStorage, or leave the "
                "validator out."
            )
        config = storage.config
        name = str(value.name)
        with _opened(value) as file:
            head = file.read(LONGEST)
            _shown(lambda: check_upload(name, value.size, head, config.safety), value)
            _shown(lambda: inspect_upload(name, file, inspection_hooks(config.inspect)), value)


def _shown(check: Any, value: Any) -> None:
    """Do ``check``; what it refuses is said beside the field."""
    try:
        check()
    except UploadRefused as refused:
        texts = _ARCHIVE_TEXTS | _STORAGE_TEXTS
        text = texts.get(refused.code, _("This file is not allowed: %(reason)s."))
        raise ValidationError(text, code=refused.code, params={"reason": refused.what, "value": value}) from None


def _is_stored(value: Any) -> bool:
    """Whether ``value`` is a model's file that was stored before."""
    return bool(getattr(value, "_committed", False))


@contextmanager
def _opened(value: Any) -> Iterator[BinaryIO]:
    """``value`` at its beginning, where it is afterwards, too."""
    value.open("rb")
    try:
        yield value
    finally:
        value.seek(0)
