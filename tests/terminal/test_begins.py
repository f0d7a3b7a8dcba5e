"""Commands begin at once: none looks at all code before it does what it is for."""

from __future__ import annotations

import pytest
from django.core.management import get_commands, load_command_class

OURS = sorted(name for name, app in get_commands().items() if app == "deployctl")


#: They look at code: before a release, and at each upgrade.
LOOKING = (("django.core", "makemigrations"), ("deployctl", "migrate"))


@pytest.mark.parametrize("name", [name for name in OURS if name != "migrate"])
def test_no_command_looks_at_all_pages_first(name: str) -> None:
    """It would import each of them, which takes a second."""
    assert not load_command_class("deployctl", name).requires_system_checks


@pytest.mark.parametrize(("application", "name"), LOOKING)
def test_what_looks_at_them_does(application: str, name: str) -> None:
    """`make lint` runs the one, and `manage.py up` the other."""
    assert load_command_class(application, name).requires_system_checks == "__all__"
