"""What a project includes: ``path("shipfiles/", include("shipfiles.django.newer.urls"))``."""

from __future__ import annotations

from django.urls import path

from .views import release_used

app_name = "shipfiles"
urlpatterns = [path("release.json", release_used, name="release")]
