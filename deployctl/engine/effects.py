"""How an effect on the outside world can end: words that drivers and routers share.

It knows no protocol, and nothing of what an effect was for.
"""

from __future__ import annotations

from dataclasses import dataclass


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

    def __init__(self, message: str, *, heard: int | None = None) -> None:
        self.heard = heard
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Applied:
    """How an apply ended. `ok` is the target's word; a probe must confirm it."""

    ok: bool
    error: str = ""
    output: str = ""
