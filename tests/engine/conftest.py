"""Servers that several tests of the engine share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.sshd import KEY_VARIABLE, Sshd


@pytest.fixture(scope="module")
def sshd(request: pytest.FixtureRequest) -> Iterator[Sshd]:
    """A running SSH server of a user (whoever runs the tests), and its key at hand."""
    running = Sshd(getattr(request, "param", "")).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY_VARIABLE, running.key)
        yield running
    # The last one may be about to end: its answer comes before its end.
    left = [] if running.is_quiet() else running.running()
    running.remove()
    assert left == []
