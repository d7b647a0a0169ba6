"""Whose file it is: what the functions for `protected` ask of the database."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, models
from django.http import HttpRequest
from django.test.utils import isolate_apps

from shipfiles.django import views

NOBODY = SimpleNamespace(is_authenticated=False, is_staff=True, pk=None)


@pytest.fixture
def made(database: None) -> Iterator[SimpleNamespace]:
    with isolate_apps("shipfiles.django"):

        class Person(models.Model):
            is_authenticated = True
            name = models.CharField(max_length=20)
            is_staff = models.BooleanField(default=False)

            class Meta:
                app_label = "shipfiles"

            def has_perm(self, permission: str, thing: Any = None) -> bool:
                return permission == "shipfiles.view_paper" and thing.reader_id == self.pk

        class Paper(models.Model):
            file = models.FileField()
            owner = models.ForeignKey(Person, models.CASCADE, null=True)
            reader = models.ForeignKey(Person, models.CASCADE, null=True, related_name="+")

            class Meta:
                app_label = "shipfiles"

        with connection.schema_editor() as editor:
            editor.create_model(Person)
            editor.create_model(Paper)
        try:
            ann, bob = Person.objects.create(name="ann"), Person.objects.create(name="bob", is_staff=True)
            Paper.objects.create(file="ann.pdf", owner=ann, reader=bob)
            Paper.objects.create(file="bob.pdf", owner=bob)
            Paper.objects.create(file="nobody.pdf")
            Paper.objects.create(file="both.pdf", owner=ann)
            Paper.objects.create(file="both.pdf", owner=bob)
            yield SimpleNamespace(Paper=Paper, ann=ann, bob=bob)
        finally:
            with connection.schema_editor() as editor:
                editor.delete_model(Paper)
                editor.delete_model(Person)


def of(user: Any) -> HttpRequest:
    request = HttpRequest()
    if user is not None:
        request.user = user
    return request


FILES = ["ann.pdf", "bob.pdf", "nobody.pdf", "both.pdf", "none.pdf", "ANN.pdf", "ann.pdf ", "", "ann", "%"]


def seen(may_see: Any, user: Any) -> list[str]:
    return [name for name in FILES if may_see(of(user), name)]


def test_owners_see_what_is_theirs(made: SimpleNamespace) -> None:
    may_see = views.owner_of(made.Paper, "file", "owner")
    assert seen(may_see, made.ann) == ["ann.pdf", "both.pdf"]
    assert seen(may_see, made.bob) == ["bob.pdf", "both.pdf"]
    assert seen(may_see, NOBODY) == []
    assert seen(may_see, None) == []


def test_permissions_are_asked_of_the_object(made: SimpleNamespace) -> None:
    assert seen(views.permitted(made.Paper, "file", "shipfiles.view_paper"), made.bob) == ["ann.pdf"]
    assert seen(views.permitted(made.Paper, "file", "shipfiles.view_paper"), made.ann) == []
    assert seen(views.permitted(made.Paper, "file", "shipfiles.view_paper"), NOBODY) == []
    ownerless = views.permitted(made.Paper, "file", lambda request, paper: paper.owner_id is None)
    assert seen(ownerless, None) == ["nobody.pdf"]
    with pytest.raises(TypeError, match="must say True or False"):
        views.permitted(made.Paper, "file", lambda request, paper: paper.owner)(of(made.ann), "ann.pdf")


def test_a_database_that_compares_otherwise_opens_no_other_file(
    made: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As MySQL's usual collations do: without case, and without spaces at the end.
    plain = models.query.QuerySet.filter

    def folding(self: Any, **wanted: Any) -> Any:
        if "file" in wanted:
            wanted["file__iexact"] = wanted.pop("file").strip()
        return plain(self, **wanted)

    monkeypatch.setattr(models.query.QuerySet, "filter", folding)
    assert seen(views.owner_of(made.Paper, "file", "owner"), made.ann) == ["ann.pdf", "both.pdf"]
    assert seen(views.permitted(made.Paper, "file", "shipfiles.view_paper"), made.bob) == ["ann.pdf"]


def test_everybody_who_is_logged_in_or_staff(made: SimpleNamespace) -> None:
    assert [views.logged_in(of(user), "a") for user in (made.ann, made.bob, NOBODY, None)] == [
        True, True, False, False,
    ]  # fmt: skip
    assert [views.staff(of(user), "a") for user in (made.ann, made.bob, NOBODY, None)] == [
        False, True, False, False,
    ]  # fmt: skip
