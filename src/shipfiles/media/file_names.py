"""What is wrong with the name that somebody gives to a file."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

NameFault = Literal["empty", "control", "direction", "character", "reserved", "end", "double"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Unicode UAX 9, section 2: explicit marks, by which "exe.gpj" reads as "jpg.exe".
_DIRECTION = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Microsoft, "Naming Files, Paths, and Namespaces".
_CHARACTERS = re.compile(r'[<>:"/\\|?*]')
_RESERVED = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9\u00b9\u00b2\u00b3])", re.IGNORECASE)
# What some server or desktop runs, or a browser, that goes by another ending than the last: Apache's mod_mime heeds
# all of them.
_RUN = re.compile(
    "aspx?|bat|cgi|cmd|dll|exe|hta|html?|jar|jse?|jspx?|lnk|msi|phar|php[0-9s]?|phtml|pht|pl|ps1|py|rb|scr|sh|shtml|"
    "svgz?|swf|vbe|vbs|wsf|xhtml|xht"
)
# ``index.html.gz`` is what it says.
_PACKED = ("gz", "bz2", "xz", "zst", "br", "zip")


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
    parts = unicodedata.normalize("NFKC", name).casefold().split(".")
    if not double and parts[-1] not in _PACKED and any(_RUN.fullmatch(part.strip()) for part in parts[1:-1]):
        return "double"
    return None
