"""What every command of ours has; it knows none of them."""

from __future__ import annotations

from django.core.management.base import BaseCommand


class OurCommand(BaseCommand):
    """A command that begins at once.

    Django would look at the code before each: models, addresses, templates. That takes
    a second, for which all pages are imported, and finds what `make lint` found before
    a release and `migrate` finds at each upgrade.
    """

    requires_system_checks: list[str] = []
