"""What the parts of nginx's configuration share: words, the site's variables, and its policy."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..config import ROOT_PREFIX
from ..digest import digest_bytes, hex_prefix
from ..errors import ConfigError
from ..serve.places import checked_prefix
from .nginx_codings import candidates
from .nginx_words import joined
from .policy import EdgePolicy, StaticPolicy

# A name of a file: no part of it is empty or begins with a dot.
PART = r"[^/.][^/]*"
NAME = rf"(?:[^/.][^/]*+/)*+{PART}"
_WELL_KNOWN = rf"(?:{ROOT_PREFIX}\.well-known/)?"


@dataclass(frozen=True, slots=True)
class Site:
    """One server with static files."""

    policy: EdgePolicy
    static: StaticPolicy
    of: str
    """What the names of its variables begin with."""

    @classmethod
    def of_policy(cls, policy: EdgePolicy, static: StaticPolicy) -> Site:
        """That of ``policy``. Raises `ConfigError` for a root or prefix that cannot be meant."""
        checked_prefix(static.prefix)
        if not static.root.startswith("/"):
            raise ConfigError(f"The folder of the releases on nginx's machine must be absolute, not {static.root!r}.")
        return cls(policy, static, variables_of(policy))

    @property
    def root(self) -> str:
        """The folder of the releases, with a slash at its end."""
        return self.static.root.rstrip("/") + "/"

    @property
    def candidates(self) -> tuple[str, ...]:
        """The variants to look for."""
        return candidates(self.static.codings, self.of)

    @property
    def names(self) -> str:
        """The pattern of the names of files below the prefix."""
        return self.well_known + NAME

    @property
    def well_known(self) -> str:
        """The pattern of the one folder that begins with a dot."""
        return _WELL_KNOWN if self.static.serve.root_folder is not None else ""

    @property
    def name(self) -> str:
        """The same as the beginning of a group ``ship_name``."""
        return f"(?<ship_name>{self.names}"

    def file(self, *behind: str) -> str:
        """The path of a file in the folder of the releases as a word; what begins with ``$`` is a variable."""
        return joined("the folder of the releases", self.root, *behind)

    def address(self, *behind: str) -> str:
        """The same below the prefix."""
        return joined("the prefix", self.static.prefix, *behind)

    def beginning(self) -> str:
        """The pattern that addresses below the prefix begin with."""
        return "^" + re.escape(self.static.prefix).replace(r"\-", "-").replace(r"\ ", " ")


def variables_of(policy: EdgePolicy) -> str:
    """What the names of a site's variables begin with: maps of other sites in the same nginx must have other ones."""
    called = policy.host.lower() or policy.listen
    return f"ship_{short(called)}" if called else "ship"


def short(text: str) -> str:
    """Six digits that stand for ``text``: of names with more than 46 letters nginx's table of variables takes none."""
    return hex_prefix(digest_bytes(text.encode()), 6)
