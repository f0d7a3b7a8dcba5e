"""What can be wrong with options and commands; it knows neither who asked nor where."""

from __future__ import annotations

from collections.abc import Mapping


class StrategyError(Exception):
    """Anything that this library refuses, with a text that a person can read."""


class InvalidOptions(StrategyError, ValueError):
    """Options that make no plan.

    Attributes:
        errors: the sentence that says what is wrong, by option name.
    """

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(f"{k}: {v}" for k, v in self.errors.items()))


class CommandRefused(StrategyError):
    """A command that the present state does not allow.

    Attributes:
        code: a stable word for programs, as `at_rest` or `nothing_touched`.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class InsideLoop(StrategyError, RuntimeError):
    """A call that waits in line, made where a loop runs and would stand still.

    Attributes:
        instead: the method to await instead.
    """

    def __init__(self, instead: str) -> None:
        self.instead = instead
        super().__init__(
            f"A loop is running here, and this call would stop it: await {instead}()"
            " instead."
        )
