from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("a page")


# One, so that with DEBUG Django does not take the project for an empty one, whose every page is a welcome.
urlpatterns = [path("page/", page)]
