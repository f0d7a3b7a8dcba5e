"""Fixtures for tests with processes: agents and workers, gone when the test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.drivers.agents import Agents
from tests.support.fleet import Workers


@pytest.fixture
def workers(
    transactional_db: None, child_environment: dict[str, str], tmp_path: Path
) -> Iterator[Workers]:
    """Start workers on this test's database: workers.start(3)."""
    made = Workers(child_environment, tmp_path)
    yield made
    made.end()


@pytest.fixture
def agents(tmp_path: Path) -> Iterator[Callable[..., Agents]]:
    """Start agents in one process: agents(24, apply_seconds=0.1)."""
    made: list[Agents] = []

    def start(count: int, *special: dict[str, Any], **common: Any) -> Agents:
        directory = tmp_path / f"agents-{len(made)}"
        directory.mkdir()
        plain: list[dict[str, Any]] = [{} for _ in range(count - len(special))]
        made.append(Agents(directory, *special, *plain, **common).start())
        return made[-1]

    yield start
    for one in made:
        one.stop()
