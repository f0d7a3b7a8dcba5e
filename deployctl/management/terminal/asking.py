"""Asking a service once, however often the connection breaks under the question.

It knows nothing of what is asked: whatever has an idempotency key may be asked again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import connection

from deployctl.management.terminal.base import AWAY, Unheard, database_words
from deployctl.management.terminal.screen import Screen

T = TypeVar("T")

#: How long an answer is hoped for.
PATIENCE_SECONDS = 15.0
_PAUSE_SECONDS = 1.0


def answered(ask: Callable[[], T], screen: Screen) -> T:
    """Return the answer; while the database is away, ask again under the same key.

    Raises:
        Unheard: there was none; whether it was done is not known then.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except AWAY as error:
            connection.close()
            if time.monotonic() > end:
                raise Unheard(
                    f"{database_words(error)} Whether it was done is not known: look"
                    " with `manage.py status` when it answers again."
                ) from None
            screen.note("The database did not answer; asking again under the same key.")
            threading.Event().wait(_PAUSE_SECONDS)
