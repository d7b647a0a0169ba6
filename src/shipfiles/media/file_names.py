"""What is wrong with the name that somebody gives to a file."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

NameFault = Literal["empty", "control", "direction", "character", "reserved", "settings", "end", "double"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Unicode UAX 9, section 2: explicit marks, by which "exe.gpj" reads as "jpg.exe".
_DIRECTION = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Microsoft, "Naming Files, Paths, and Namespaces".
_CHARACTERS = re.compile(r'[<>:"/\\|?*]')
_RESERVED = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9\u00b9\u00b2\u00b3])", re.IGNORECASE)
# What Apache, PHP, IIS, and desktops take their settings for a folder from.
_SETTINGS = re.compile(r"\.ht[a-z]+|\.user\.ini|php\.ini|web\.config|desktop\.ini|autorun\.inf")
# What some server or desktop runs, or a browser, that goes by another ending than the last: Apache's mod_mime heeds
# all of them.
_RUN = re.compile(
    "asax|ascx|ashx|asmx|aspx?|bat|cer|cf[cm]|cfml|cgi|cmd|cpl|dll|exe|fcgi|hta|html?|jar|jse?|jsp[xf]?|lnk|mht|mhtml|"
    "mjs|msi|phar|php[0-9st]?|phtml?|pht|pl|ps1|py|rb|reg|scr|sh|shtml?|stm|svgz?|swf|vbe|vbs|wsf|wsh|xhtml|xht"
)
# ``index.html.gz`` is what it says: a server runs no page. ``shell.php.gz`` is run.
_PACKED = ("gz", "bz2", "xz", "zst", "br", "zip")
_PAGE = re.compile("html?|m?js|svg|xhtml|xht")


def name_fault(name: str, *, double: bool = False) -> NameFault | None:
    """What is wrong with the file name ``name``, which has no folders; ``None`` if nothing is.

    ``double`` allows endings in the middle that name a program or a page: ``invoice.html.png``.
    """
    if name in ("", ".", ".."):
        return "empty"
    if _CONTROL.search(name):
        return "control"
    if _DIRECTION.search(name):
        return "direction"
    if _CHARACTERS.search(name):
        return "character"
    # Windows drops them, and so "a.php." is "a.php" there.
    if name[-1] in ". ":
        return "end"
    if _RESERVED.fullmatch(name.partition(".")[0].rstrip(" ")):
        return "reserved"
    plain = unicodedata.normalize("NFKC", name).casefold()
    if _SETTINGS.fullmatch(plain):
        return "settings"
    parts = [part.strip() for part in plain.split(".")]
    packed = parts[-1] in _PACKED
    if not double and any(_RUN.fullmatch(part) and not (packed and _PAGE.fullmatch(part)) for part in parts[1:-1]):
        return "double"
    return None
