"""Tags by which CDNs know answers: what the field that OPTIONS["serve"]["cache_tags"] names says of a file."""

from __future__ import annotations

from urllib.parse import quote

from ..digest import digest_bytes, hex_prefix

EVERY_FILE = "static"
"""The tag of all static files."""

# Fastly takes keys of 1,024 bytes, Cloudflare tags of 1,024; neither has spaces, and a comma ends Cloudflare's.
_LONGEST = 200
# Cloudflare compares without regard to case: capitals are written by their digits, so that no other file has the tag.
_SAFE = "/._-~!$*+=:@"


def tag_of(logical: str) -> str:
    """The tag of the file ``logical`` under all names whose bytes may change: ``static:css/app.css``."""
    text = "".join(f"%{ord(char):02X}" if "A" <= char <= "Z" else char for char in logical)
    tag = f"{EVERY_FILE}:{quote(text, safe=_SAFE + '%')}" if "%" not in logical else ""
    if not tag or len(tag) > _LONGEST:
        return f"{EVERY_FILE}:{hex_prefix(digest_bytes(logical.encode('utf-8', 'surrogateescape')), 32)}"
    return tag


def tags_of(logical: str, *, immutable: bool) -> tuple[str, ...]:
    """The tags of an answer with the file ``logical``; one with an ``immutable`` name never has to be forgotten."""
    return (EVERY_FILE,) if immutable else (EVERY_FILE, tag_of(logical))
