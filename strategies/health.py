"""When a changed target counts as healthy: the rule, as values; it never asks anyone.

Who asks feeds a gate with what was heard and when; the gate says wait, healthy or
unhealthy. Failures while a target starts are tolerated until the deadline; once it has
been healthy, `failure_threshold` of them in a row end it. A check that cannot be made
is an error: it counts as a failure, and too many in a row end it at any time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, NamedTuple

from strategies import shares
from strategies.errors import InvalidOptions

#: So many errors in a row are tolerated; the next one ends the verification.
ERRORS_TOLERATED = 4


class Answer(StrEnum):
    """What one check said."""

    OK = "ok"
    FAILED = "failed"
    ERROR = "error"


class Reason(StrEnum):
    """Why a target does not count as healthy."""

    DEADLINE = "deadline"
    BECAME_UNHEALTHY = "became_unhealthy"
    CHECK_ERROR = "check_error"


@dataclass(frozen=True, slots=True)
class Health:
    """The settings of one check; all but the thresholds are seconds.

    Attributes:
        initial_delay_seconds: how long after the change the first check is made.
        interval_seconds: how often a target is checked: after its change, and while it
            is watched.
        timeout_seconds: how long a check may take; one without an answer is an error.
        success_threshold: how many successes in a row make a target healthy.
        failure_threshold: how many failures in a row end it, once it was healthy.
        min_healthy_seconds: how long the successes must last without a break.
        deadline_seconds: how long after the change a target must be healthy, or it has
            failed.
    """

    initial_delay_seconds: float = 0
    interval_seconds: float = 5
    timeout_seconds: float = 5
    success_threshold: int = 1
    failure_threshold: int = 3
    min_healthy_seconds: float = 10
    deadline_seconds: float = 300

    @classmethod
    def read(cls, values: Mapping[str, object]) -> Health:
        """Return the rule made of numbers or typed texts, by field name.

        Raises:
            InvalidOptions: with what is wrong, by field.
        """
        known = {each.name for each in fields(cls)}
        read: dict[str, Any] = {}
        wrong = {
            name: "is not a health setting" for name in values if name not in known
        }
        for name in known & values.keys():
            reader = _whole if name.endswith("_threshold") else shares.seconds
            try:
                read[name] = reader(values[name])
            except ValueError as error:
                wrong[name] = str(error)
        if wrong:
            raise InvalidOptions(wrong)
        return cls(**read).checked()

    @property
    def soonest_seconds(self) -> float:
        """How soon after its apply a target can be called healthy."""
        successes = (self.success_threshold - 1) * self.interval_seconds
        return self.initial_delay_seconds + max(successes, self.min_healthy_seconds)

    def problems(
        self, *, progress_deadline_seconds: float | None = None
    ) -> dict[str, str]:
        """Return what is wrong, by field; {} if nothing."""
        found = self._wrong_numbers()
        if found:
            return found
        soonest = self.soonest_seconds
        if self.deadline_seconds <= soonest:
            found["deadline_seconds"] = (
                f"must be more than {soonest:g}, "
                "the soonest that these settings can call a target healthy"
            )
        if progress_deadline_seconds and (
            progress_deadline_seconds <= self.deadline_seconds
        ):
            limit = f"{progress_deadline_seconds:g}"
            found["deadline_seconds"] = (
                f"must be less than the progress deadline, {limit}"
            )
        return found

    def checked(self, *, progress_deadline_seconds: float | None = None) -> Health:
        """Return this, or raise `InvalidOptions` with errors by field."""
        found = self.problems(progress_deadline_seconds=progress_deadline_seconds)
        if found:
            raise InvalidOptions(found)
        return self

    def _wrong_numbers(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            problem = (
                _wrong_count(value)
                if each.name.endswith("_threshold")
                else _wrong_seconds(value, zero=each.name in _MAY_BE_ZERO)
            )
            if problem:
                found[each.name] = problem
        return found


_MAY_BE_ZERO = ("initial_delay_seconds", "min_healthy_seconds")


def _whole(value: object) -> int:
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 7:
        return int(text)
    if isinstance(text, bool) or not isinstance(text, int):
        raise ValueError("must be a whole number of at least 1")
    return text


def _wrong_count(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        return "must be a whole number of at least 1"
    return ""


def _wrong_seconds(value: object, *, zero: bool) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number of seconds"
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        return f"must be {'at least' if zero else 'more than'} 0 seconds"
    return ""


def judged(looks: int, health: Health) -> bool | None:
    """Say whether a target that was accepted is still well; None: too early to tell.

    Args:
        looks: so many good looks in a row, or, below 0, so many bad ones.
        health: the rule by which it was accepted.
    """
    if looks >= health.success_threshold:
        return True
    return False if looks <= -health.failure_threshold else None


@dataclass(frozen=True, slots=True)
class Wait:
    """Check again at `next_at`, in elapsed seconds; at the deadline it is over."""

    next_at: float


@dataclass(frozen=True, slots=True)
class Healthy:
    """The target counts as healthy since `elapsed_seconds` after the apply."""

    elapsed_seconds: float


@dataclass(frozen=True, slots=True)
class Unhealthy:
    """The target does not count as healthy; `detail` is what the last check said."""

    reason: Reason
    detail: str
    elapsed_seconds: float


Says = Wait | Healthy | Unhealthy


class HealthGate(NamedTuple):
    """One verification of one target, as heard so far; `says` is what follows."""

    health: Health
    says: Says
    good_since: float | None = None
    successes: int = 0
    failures: int = 0
    errors: int = 0
    was_healthy: bool = False
    detail: str = ""

    @classmethod
    def opened(cls, health: Health) -> HealthGate:
        """Return a gate that has heard nothing, at the end of the apply."""
        first = min(health.initial_delay_seconds, health.deadline_seconds)
        return cls(health=health, says=Wait(first))

    def told(self, elapsed_seconds: float, answer: Answer, detail: str) -> HealthGate:
        """Return the gate after one answer, which came at `elapsed_seconds`."""
        if not isinstance(self.says, Wait):
            return self
        heard = (
            self._succeeded(elapsed_seconds, detail)
            if answer is Answer.OK
            else self._failed(detail, is_error=answer is Answer.ERROR)
        )
        return heard._replace(says=heard._verdict(elapsed_seconds))

    def overdue(self, elapsed_seconds: float) -> HealthGate:
        """Return the gate when its time has run out without a verdict."""
        if not isinstance(self.says, Wait):
            return self
        end = Unhealthy(Reason.DEADLINE, self.detail, elapsed_seconds)
        return self._replace(says=end)

    def _succeeded(self, elapsed: float, detail: str) -> HealthGate:
        successes = self.successes + 1
        return HealthGate(
            health=self.health,
            says=self.says,
            good_since=elapsed if self.good_since is None else self.good_since,
            successes=successes,
            was_healthy=self.was_healthy or successes >= self.health.success_threshold,
            detail=detail,
        )

    def _failed(self, detail: str, *, is_error: bool) -> HealthGate:
        return HealthGate(
            health=self.health,
            says=self.says,
            failures=self.failures + 1,
            errors=self.errors + 1 if is_error else 0,
            was_healthy=self.was_healthy,
            detail=detail,
        )

    def _verdict(self, elapsed: float) -> Says:
        rule = self.health
        if self.errors > ERRORS_TOLERATED:
            return Unhealthy(Reason.CHECK_ERROR, self.detail, elapsed)
        if self.was_healthy and self.failures >= rule.failure_threshold:
            return Unhealthy(Reason.BECAME_UNHEALTHY, self.detail, elapsed)
        next_at = elapsed + rule.interval_seconds
        if self.good_since is not None and self.successes >= rule.success_threshold:
            enough_at = self.good_since + rule.min_healthy_seconds
            if elapsed >= enough_at and elapsed <= rule.deadline_seconds:
                return Healthy(elapsed)
            next_at = min(next_at, enough_at)
        if elapsed >= rule.deadline_seconds:
            return Unhealthy(Reason.DEADLINE, self.detail, elapsed)
        return Wait(min(next_at, rule.deadline_seconds))
