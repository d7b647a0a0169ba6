"""Ships in the admin."""

from django.contrib import admin

from .models import Ship


@admin.register(Ship)
class ShipAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list with a search, filters and a date hierarchy: much of the admin's own CSS and JavaScript."""

    list_display = ("name", "rig", "berth", "cargo", "built")
    list_filter = ("rig",)
    search_fields = ("name", "cargo")
    date_hierarchy = "arrived"
