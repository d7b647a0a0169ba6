"""What tests of Django's part share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def database(django_db_blocker: Any) -> Iterator[None]:
    """A database in memory without tables, for this test alone.

    Not pytest-django's: its connection stays, and is looked at after each request of other tests, which may have none.
    """
    from django.db import connection

    with django_db_blocker.unblock():
        try:
            yield
        finally:
            if connection.connection is not None:
                connection.connection.close()
                connection.connection = None
