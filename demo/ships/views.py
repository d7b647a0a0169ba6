"""The home page and the list that htmx asks for while somebody types."""

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from .models import Ship


def home(request: HttpRequest) -> HttpResponse:
    """The home page."""
    return render(request, "ships/home.html", {"ships": found("")})


def ship_list(request: HttpRequest) -> HttpResponse:
    """The ships that match ``?q=``: the list alone."""
    return render(request, "ships/list.html", {"ships": found(request.GET.get("q", ""))})


def found(text: str) -> QuerySet[Ship]:
    """The ships whose name, cargo or berth has ``text`` in it."""
    return Ship.objects.filter(Q(name__icontains=text) | Q(cargo__icontains=text) | Q(berth__icontains=text))
