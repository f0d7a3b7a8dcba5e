"""How an effect on the outside world can end: words that drivers and routers share.

It knows no protocol, and nothing of what an effect was for.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Part of the time that is kept for the answer's way back, and its most.
_MARGIN, _MAX_MARGIN_SECONDS = 0.2, 3.0


def inner(seconds: float) -> float:
    """Return what the far side gets of the time, so that its answer is here in it."""
    return seconds - min(_MAX_MARGIN_SECONDS, seconds * _MARGIN)


class DriverError(Exception):
    """What a driver or a router may raise; the text is clean and made for people."""


class ProbeFailed(DriverError):
    """The target could not be asked, or gave no answer that makes sense."""


class NotSent(DriverError):
    """Certainly nothing reached the target: the request was never written."""


class OutcomeUnknown(DriverError):
    """Sent, and the answer was lost or came too late: nobody knows what happened."""


class StaleFence(DriverError):
    """The target refused: a higher fence has been there. Nothing was changed.

    Attributes:
        heard: the highest fence that the target knows of, when it said so.
    """

    def __init__(self, message: str, *, heard: object = None) -> None:
        self.heard = heard if type(heard) is int else None
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Applied:
    """How an apply ended. `ok` is the target's word; a probe must confirm it."""

    ok: bool
    error: str = ""
    output: str = ""
