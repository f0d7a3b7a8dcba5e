"""The one Django application: holds its name, and what follows every migration."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from deployctl.grants import grant_rights


class DeployctlConfig(AppConfig):
    """All tables, commands and templates of the product, folded by layer."""

    name = "deployctl"
    verbose_name = "deployctl"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Grant rights after each migration."""
        post_migrate.connect(_grant, sender=self)


def _grant(using: str, **_: Any) -> None:
    grant_rights(using)
