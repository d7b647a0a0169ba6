"""Contract suites: what an implementation must do, as tables of cases that run over anything.

`HttpContract` holds the rules of HTTP that bear on a static file, each with the clause that it comes from. What is
asked may be a function, a WSGI or ASGI application or a server on the network; a `Site` is what it must serve::

    contract = HttpContract(ask, Site(folder))
    for case in HTTP_CASES:
        contract.check(case)

`CONFIGURED_CASES` need `OPTIONS`.
"""

import sys

from .cases import CASES as HTTP_CASES

if (_pytest := sys.modules.get("pytest")) is not None:
    # So that an assertion of a contract that fails shows its values; before these are loaded.
    _pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in ("purger", "rewriter", "store")))

from .cases import CONFIGURED as CONFIGURED_CASES
from .http import APPLICATION, Answer, Ask, Case, HttpContract
from .site import OPTIONS, PREFIX, Site

__all__ = [
    "APPLICATION", "CONFIGURED_CASES", "HTTP_CASES", "OPTIONS", "PREFIX", "Answer", "Ask", "Case", "HttpContract",
    "Site",
]  # fmt: skip

if (_pytest := sys.modules.get("pytest")) is not None:
    # So that an assertion of a contract that fails shows its values; before these are loaded.
    _pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in ("purger", "rewriter", "store")))
