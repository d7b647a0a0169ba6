"""CloudFront's invalidations: moto's server, and before it the rules of the description that moto does not look at.

https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html and
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html
"""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes, urlsplit
from xml.etree import ElementTree as ET

from tests.bucket import Answer, Asked

from .cdn_apis import Api

KEY = {"AWS_ACCESS_KEY_ID": "id-of-the-tests", "AWS_SECRET_ACCESS_KEY": "key/not+to-be-shown"}
_XML = "{http://cloudfront.amazonaws.com/doc/2020-05-31/}"
# RFC 1738, 2.2: "Unsafe"; and what is no path any more without its percent sign.
_UNSAFE = b' <>"#%{}|\\^~[]`?'


def error(status: int, code: str, message: str) -> Answer:
    """As AWS words one for a service with REST and XML."""
    text = (
        f'<?xml version="1.0"?><ErrorResponse xmlns="{_XML[1:-1]}"><Error><Type>Sender</Type><Code>{code}</Code>'
        f"<Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )
    return Answer(status, text.encode(), {"Content-Type": "text/xml"})


class CloudFrontApi(Api):
    """In front of moto at ``server``, for the distribution ``name``."""

    def __init__(self, server: str, name: str) -> None:
        super().__init__()
        self.moto, self.name = server, name
        self.is_as_asked = False
        """Whether what is kept is known by the path that was asked for, and not by that which RFC 1738 would write."""
        self.in_progress: list[list[str]] = []
        """Invalidations that take their time."""
        self.is_slow = False
        self.refuses_again = False
        """Whether a reference is refused also with what it was used for, as it was seen to be."""
        self.used: dict[str, tuple[list[str], Answer]] = {}

    def keep(self, url: str, tags: Sequence[str] = (), origin: str = "") -> None:
        super().keep(self.path(url), tags)

    def has(self, url: str, origin: str = "") -> bool:
        return super().has(self.path(url))

    def path(self, url: str) -> str:
        """What CloudFront keeps ``url`` under."""
        parts = urlsplit(url)
        asked = parts.path + (f"?{parts.query}" if parts.query else "")
        if self.is_as_asked:
            # No invalidation can have these as they are.
            return re.sub(r"[][|~]", lambda match: f"%{ord(match[0]):02X}", asked)
        return "?".join(
            "".join(chr(b) if 0x20 < b < 0x7F and b not in _UNSAFE else f"%{b:02X}" for b in unquote_to_bytes(part))
            for part in asked.split("?", 1)
        )

    def told(self, asked: Asked) -> Answer:
        if f"Credential={KEY['AWS_ACCESS_KEY_ID']}/" not in asked.headers.get("authorization", ""):
            return error(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        if self.is_refusing:
            key = KEY["AWS_SECRET_ACCESS_KEY"]
            return error(403, "AccessDenied", f"User is not authorized to perform: cloudfront:CreateInvalidation {key}")
        if asked.method != "POST" or asked.path != f"/2020-05-31/distribution/{self.name}/invalidation":
            return self._moto(asked)  # it knows no such distribution
        batch = ET.fromstring(asked.body)
        items = [item.text or "" for item in batch.iter(f"{_XML}Path")]
        if int(batch.findtext(f"{_XML}Paths/{_XML}Quantity") or 0) != len(items):
            return error(400, "InconsistentQuantities", "The value of Quantity and the size of Items don't match.")
        return self._invalidated(items, batch.findtext(f"{_XML}CallerReference") or "", asked)

    def _invalidated(self, items: list[str], reference: str, asked: Asked) -> Answer:
        if wrong := [item for item in items if not self._can_be(item)]:
            message = f"Your request contains one or more invalid invalidation paths. {len(wrong)}"
            return error(400, "InvalidArgument", message)
        if not 1 <= len(reference) <= 128:
            return error(400, "InvalidArgument", "CallerReference")
        if reference in self.used:
            before, answer = self.used[reference]
            if before != items:
                return error(400, "InvalidationBatchAlreadyExists", "Already exists.")
            if self.refuses_again:
                return error(
                    400, "InvalidArgument", "Your request contains a caller reference that was used for a previous "
                    "invalidation batch for the same distribution.",
                )  # fmt: skip
            return answer
        under_way = [item for batch in (*self.in_progress, items) for item in batch]
        wild = [item for item in under_way if item.endswith("*")]
        if len(under_way) - len(wild) > 3000 or len(wild) > 15:
            message = (
                "Processing your request will cause you to exceed the maximum number of in-progress invalidations."
            )
            return error(400, "TooManyInvalidationsInProgress", message)
        answer = self._moto(asked)
        if answer.status == 201:
            self.used[reference] = (items, answer)
            self.in_progress += [items] * self.is_slow
            self._forget(items)
        return answer

    @staticmethod
    def _can_be(item: str) -> bool:
        if item.startswith("#"):
            return 2 <= len(item) <= 257 and all(0x21 <= ord(char) <= 0x7E and char != "," for char in item)
        plain = item.removesuffix("*")
        # "you must include the query strings": a question mark may be there, as well as a percent sign.
        unsafe = {chr(byte) for byte in _UNSAFE} - {"%", "?"}
        return (
            item.startswith("/") and len(item) <= 4000 and "*" not in plain and item.isascii() and item.isprintable()
            and not unsafe & {*plain} and not re.search(r"%(?![0-9A-Fa-f]{2})", plain)
        )  # fmt: skip

    def _forget(self, items: list[str]) -> None:
        exact = {*items}
        starts = tuple(item[:-1] for item in items if item.endswith("*") and item.startswith("/"))
        tags = {item[1:].lower() for item in items if item.startswith("#")}
        self.cached = {
            (path, origin): kept
            for (path, origin), kept in self.cached.items()
            if path not in exact and not path.startswith(starts or ("\0",)) and not tags & {tag.lower() for tag in kept}
        }

    def _moto(self, asked: Asked) -> Answer:
        # botocore names no type, and urllib would name that of forms.
        headers = {"Content-Type": "text/xml", "Authorization": asked.headers["authorization"]}
        url = f"{self.moto}{asked.path}"
        request = urllib.request.Request(url, asked.body, headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return Answer(answer.status, answer.read(), {"Content-Type": "text/xml"})
        except urllib.error.HTTPError as refused:
            with refused:
                return Answer(refused.code, refused.read(), {"Content-Type": "text/xml"})
