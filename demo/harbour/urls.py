"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView
from rest_framework.routers import DefaultRouter

from ships.api import ShipViewSet
from ships.views import home, ship_list

router = DefaultRouter()
router.register("ships", ShipViewSet)

urlpatterns = [
    path("", home, name="home"),
    path("ships/", ship_list, name="ship-list"),
    path("admin/", admin.site.urls),
    path("api/", include(router.urls)),
    path("api-auth/", include("rest_framework.urls")),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("swagger/", SpectacularSwaggerView.as_view(url_name="schema"), name="swagger"),
    path("redoc/", SpectacularRedocView.as_view(url_name="schema", template_name="ships/redoc.html"), name="redoc"),
]
