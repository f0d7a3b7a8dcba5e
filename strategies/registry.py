"""Strategies by name, and options from text; it knows no strategy from inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from strategies.base import CALLBACKS, DeploymentStrategy
from strategies.blue_green import BlueGreenDeployment
from strategies.canary import CanaryDeployment
from strategies.errors import InvalidOptions
from strategies.explained import Explained, explained
from strategies.health import Health
from strategies.options import truth
from strategies.rolling import RollingDeployment

#: The prefix of options that are settings of the health rule.
HEALTH = "health_"

_STRATEGIES: dict[str, type[DeploymentStrategy]] = {}


def register(strategy: type[DeploymentStrategy]) -> type[DeploymentStrategy]:
    """Make a strategy known by its `name`; usable as a decorator.

    Raises:
        ValueError: if it has no name, or the name is taken by another one.
    """
    name = strategy.name
    if not name or _STRATEGIES.get(name, strategy) is not strategy:
        raise ValueError(f"the strategy name {name!r} is empty or taken")
    _STRATEGIES[name] = strategy
    return strategy


def names() -> tuple[str, ...]:
    """Return the names of all registered strategies, in order of registration."""
    return tuple(_STRATEGIES)


def create_strategy(name: str, **options: Any) -> DeploymentStrategy:
    """Return a strategy by its name, with its options checked.

    `health` may be a `Health` or a mapping of its fields.

    Raises:
        InvalidOptions: for an unknown strategy or option, or an impossible value.
    """
    strategy = _STRATEGIES.get(name)
    if strategy is None:
        known = ", ".join(_STRATEGIES)
        raise InvalidOptions({"strategy": f"{name!r} is not one of {known}"})
    allowed = {f.name for f in fields(strategy)}
    unknown = [key for key in options if key not in allowed]
    if unknown:
        sentence = "is not an option of this strategy"
        raise InvalidOptions(dict.fromkeys(unknown, sentence))
    if "health" in options and not isinstance(options["health"], Health):
        options["health"] = health_from(options["health"])
    return strategy(**_with_truths(strategy, options))


def _with_truths(
    strategy: type[DeploymentStrategy], options: dict[str, Any]
) -> dict[str, Any]:
    """Return options with what was typed as yes or no read; any text is true else."""
    read, wrong = dict(options), {}
    for name in strategy.truths():
        if name in options:
            try:
                read[name] = truth(options[name])
            except ValueError as error:
                wrong[name] = str(error)
    if wrong:
        raise InvalidOptions(wrong)
    return read


def attended_options(name: str) -> dict[str, Any]:
    """Return the options of a strategy that differ where people watch and decide."""
    strategy = _STRATEGIES.get(name)
    return dict(strategy.attended) if strategy else {}


def option_names(name: str) -> tuple[str, ...]:
    """Return the names of all options of a strategy, also of the library's callbacks.

    The settings of the health rule follow, as `health_interval_seconds`. An unknown
    strategy has none.
    """
    strategy = _STRATEGIES.get(name)
    if strategy is None:
        return ()
    own = [each.name for each in fields(strategy)]
    return (*own, *(f"{HEALTH}{each.name}" for each in fields(Health)))


def explained_options(name: str) -> dict[str, Explained]:
    """Return what each option of a strategy does where people watch and decide.

    The settings of the health rule are among them, as `health_interval_seconds`. What
    only the library calls is not; an unknown strategy has none.
    """
    strategy = _STRATEGIES.get(name)
    if strategy is None:
        return {}
    own = explained(strategy, strategy.attended)
    health = {f"{HEALTH}{key}": each for key, each in explained(Health).items()}
    return {
        **{key: own[key] for key in own if key not in ("health", *CALLBACKS)},
        **{key: replace(each, name=key) for key, each in health.items()},
    }


def with_health(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with those of the health rule in one mapping, as they are taken.

    Args:
        options: by the names that people type: `health_interval_seconds`.
    """
    health = {
        name.removeprefix(HEALTH): value
        for name, value in options.items()
        if name.startswith(HEALTH)
    }
    others = {k: v for k, v in options.items() if not k.startswith(HEALTH)}
    return {**others, "health": health} if health else others


def health_from(values: object) -> Health:
    """Return the health rule made of texts or numbers by field name.

    Raises:
        InvalidOptions: by field, as `health_interval_seconds`.
    """
    if not isinstance(values, Mapping):
        raise InvalidOptions({"health": "must be settings by their names"})
    try:
        return Health.read(values)
    except InvalidOptions as wrong:
        errors = {f"{HEALTH}{name}": text for name, text in wrong.errors.items()}
        raise InvalidOptions(errors) from None


for _kind in (RollingDeployment, BlueGreenDeployment, CanaryDeployment):
    register(_kind)
