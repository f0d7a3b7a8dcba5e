"""Hunts on PostgreSQL: tests of the suite, each run alone, with what it asks for.

A hunt wants an empty database and leaves it to others to empty it; it needs no pytest.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from django.db import DataError, ProgrammingError

from tests.mutants.record import Hunt
from tests.services.hands import let_go

#: What only a fault that was badly written brings about: it is raised, not found.
BADLY_WRITTEN = (AttributeError, DataError, NameError, ProgrammingError, TypeError)


@cache
def by_test(test: Callable[..., object], *given: Any) -> Hunt:
    """Return a hunt by one test; what it asks for, but for `given`, is made for it."""

    def hunt() -> str | None:
        with ExitStack() as stack:
            names = [*inspect.signature(test).parameters][len(given) :]
            made = {name: stack.enter_context(_FIXTURES[name]()) for name in names}
            stack.callback(let_go)
            try:
                test(*given, **made)
            except BADLY_WRITTEN:
                raise
            except (Exception, pytest.fail.Exception) as broken:
                said = str(broken).splitlines() or [type(broken).__name__]
                return f"{test.__name__}: {said[0]}"
        return None

    hunt.__name__ = test.__name__
    return hunt


@contextmanager
def _folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)


_FIXTURES: dict[str, Any] = {
    "tmp_path": _folder,
    "monkeypatch": pytest.MonkeyPatch.context,
}
