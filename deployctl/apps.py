"""The one Django application: holds its name, and refuses to do work at start."""

from __future__ import annotations

from django.apps import AppConfig


class DeployctlConfig(AppConfig):
    """All tables, commands and templates of the product, folded by layer."""

    name = "deployctl"
    verbose_name = "deployctl"
    default_auto_field = "django.db.models.BigAutoField"
