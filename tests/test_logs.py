"""What a log line holds of an error: where it came from, and no value of a variable."""

from __future__ import annotations

import logging
import sys

import pytest
import structlog

from deployctl import logs


def failing(token: str) -> None:
    """Fail while a secret is at hand."""
    assert token
    raise RuntimeError("something broke")


@pytest.mark.parametrize("at_terminal", [True, False])
def test_a_traceback_shows_no_variables(
    at_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal too, where structlog would show them with rich beside it."""
    before = structlog.get_config()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: at_terminal)
    try:
        formatter = logs.formatter()
    finally:
        structlog.configure(**before)
    record = logging.LogRecord("a", logging.ERROR, __file__, 1, "flush.fault", (), None)
    try:
        failing("canary-" + "5d1c")
    except RuntimeError:
        record.exc_info = sys.exc_info()
    said = formatter.format(record)
    assert "something broke" in said
    assert "in failing" in said
    assert "canary-5d1c" not in said
