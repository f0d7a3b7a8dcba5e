"""Addresses of the web pages: holds the map, and refuses to know what is behind it."""

from __future__ import annotations

from django.urls import path

from deployctl.web import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
]
