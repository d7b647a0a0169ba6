"""What a fast lane expects of the server that it is built into. Another server is an error at the start."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FunctionType, ModuleType

from ..errors import ConfigError


@contextmanager
def importing(name: str, version: str, *, tested: str, instead: str) -> Iterator[None]:
    """Around the imports from a server. Raises `ConfigError` for another major version, and if one of them fails.

    The version is looked at before anything is imported, so that it is what people read. Arguments as those of
    `require_server`.
    """
    if version.partition(".")[0] != tested.partition(".")[0]:
        problem = "another major version may read or answer requests in another way"
        raise _refusal(name, version, tested, instead, problem)
    try:
        yield
    except ImportError as error:
        raise _refusal(name, version, tested, instead, str(error)) from error


def require_server(
    name: str,
    version: str,
    *,
    tested: str,
    methods: Mapping[type | ModuleType, Mapping[str, Sequence[str]]],
    attributes: Mapping[type | ModuleType, Collection[str]],
    instead: str,
) -> None:
    """Raise `ConfigError` unless the server is one that the lane can be built into.

    ``tested`` is the version with which the lane was tested. A server is refused of which one of ``methods``, with the
    names of their parameters, is missing or has others, or one of ``attributes``, also of objects, is missing.
    ``instead`` says what to use then.
    """
    problem = ""
    for owner, expected in methods.items():
        for method, parameters in expected.items():
            found = getattr(owner, method, None)
            if found is None:
                problem = problem or f"{owner.__name__}.{method}() is gone"
            elif (got := list(inspect.signature(found).parameters)) != list(parameters):
                problem = problem or f"{owner.__name__}.{method}() takes {', '.join(got)}, not {', '.join(parameters)}"
    for owner, names in attributes.items():
        for attribute in names:
            if not _has(owner, attribute):
                problem = problem or f"{owner.__name__}.{attribute} is gone"
    if problem:
        raise _refusal(name, version, tested, instead, problem)


def _refusal(name: str, version: str, tested: str, instead: str, problem: str) -> ConfigError:
    return ConfigError(
        f"The fast lane of Shipfiles was tested with {name} {tested}, and this is {name} {version}: {problem}. "
        f"Until there is a Shipfiles for it, use {instead}: the same answers, more slowly."
    )


def _has(owner: type | ModuleType, attribute: str) -> bool:
    """Whether a class or a module has an attribute, or one of the class's methods gives it to an object."""
    if hasattr(owner, attribute):
        return True
    classes = owner.__mro__ if isinstance(owner, type) else ()
    functions = (function for one in classes for function in vars(one).values() if isinstance(function, FunctionType))
    return any(
        step.opname == "STORE_ATTR" and step.argval == attribute
        for function in functions for step in dis.get_instructions(function)
    )  # fmt: skip
