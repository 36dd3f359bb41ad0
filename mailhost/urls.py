"""Every address the web answers."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, path

from protocols.web.front import front
from protocols.web.health import healthz, readyz
from protocols.web.metrics import metrics

admin.autodiscover()

urlpatterns: list[URLPattern | URLResolver] = [
    path("", front, name="front"),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
