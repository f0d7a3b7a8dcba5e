"""`manage.py make_admin`: the first person who can sign in; makes nobody else."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth import get_user_model

from deployctl.management.base import OurCommand


class Command(OurCommand):
    """Make the user `admin` with a generated password, when there is nobody at all."""

    help = "Make the first user and print its password, once."

    def handle(self, *args: Any, **options: Any) -> None:
        """Do nothing when anybody exists: a password is printed once."""
        users = get_user_model().objects
        if users.exists():
            return
        password = secrets.token_urlsafe(15)
        users.create_superuser(username="admin", email="", password=password)
        self.stdout.write(f"\n    user admin\n    password {password}\n")
        self.stdout.write("This password is shown this once; keep it.")
