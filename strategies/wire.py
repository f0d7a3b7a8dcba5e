"""Plans, progress and messages as JSON-able dicts and back, with a format number.

It knows shapes only. A kind or a format that it does not know is an error, never a
guess: a newer engine must read what an older one wrote, not the other way round.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any

from strategies.errors import StrategyError
from strategies.health import Health
from strategies.messages import Fact
from strategies.plan import (
    Plan,
    PlannedRouter,
    PlannedTarget,
    SkippedTarget,
    is_written,
)
from strategies.progress import OpenBatchAt, Progress
from strategies.steps import Course, Limits, Step
from strategies.tally import Tally

#: What this code writes, and the only one that it reads until a second one exists.
FORMAT = 1

_KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        *typing.get_args(Fact),
        *typing.get_args(Step),
        *(Limits, Health, Course),
        *(Plan, PlannedRouter, PlannedTarget, SkippedTarget),
        *(Tally, OpenBatchAt, Progress),
    )
}


class UnknownFormat(StrategyError):
    """Data written by a newer or foreign program; nothing was read from it."""


def dump(value: Any) -> Any:
    """Return a value of this library as dicts, lists, strings, numbers and None."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple | list):
        if value and type(value[0]) is int:  # positions: many, and only numbers
            return list(value)
        return [dump(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): dump(item) for key, item in value.items()}
    kind: Any = type(value)
    content = {
        f.name: dump(item)
        for f in _fields(kind)
        if is_written(f, item := getattr(value, f.name))
    }
    return {"kind": kind.__name__, **content}


def load(data: Mapping[str, Any]) -> Any:
    """Return the value that `dump` wrote.

    Raises:
        UnknownFormat: if its kind, or a field in it, is not known here.
    """
    kind = _KINDS.get(str(data.get("kind")))
    if kind is None:
        raise UnknownFormat(f"kind {data.get('kind')!r} is not known to this version")
    unknown = set(data) - set(_names(kind)) - {"kind"}
    if unknown:
        raise UnknownFormat(f"{kind.__name__} has unknown fields {sorted(unknown)}")
    hints = _hints(kind)
    given = {name: _read(hints[name], data[name]) for name in data if name != "kind"}
    required = {f.name for f in fields(kind) if _is_required(f)}
    if required - set(given):
        missing = sorted(required - set(given))
        raise UnknownFormat(f"{kind.__name__} lacks {missing}")
    return kind(**given)


def dump_facts(facts: list[Fact] | tuple[Fact, ...]) -> dict[str, Any]:
    """Return the content of one event."""
    return {"format": FORMAT, "facts": [dump(fact) for fact in facts]}


def load_facts(data: Mapping[str, Any]) -> list[Fact]:
    """Return the facts of one event, in order."""
    _check_format(data)
    return [load(fact) for fact in data["facts"]]


def dump_progress(progress: Progress) -> dict[str, Any]:
    """Return progress without its course, which is the plan's and does not change."""
    content = {
        f.name: dump(item)
        for f in _fields(Progress)
        if f.name != "course" and is_written(f, item := getattr(progress, f.name))
    }
    return {"format": FORMAT, **content}


def load_progress(data: Mapping[str, Any], course: Course) -> Progress:
    """Return the progress that was dumped, over the course of its plan."""
    _check_format(data)
    hints = _hints(Progress)
    content = {name: item for name, item in data.items() if name != "format"}
    unknown = content.keys() - hints.keys()
    if unknown:
        raise UnknownFormat(f"Progress has unknown fields {sorted(unknown)}")
    known = {name: _read(hints[name], item) for name, item in content.items()}
    return Progress(course=course, **known)


def dump_plan(plan: Plan) -> dict[str, Any]:
    """Return a plan as it is stored and downloaded."""
    return {"format": FORMAT, "hash": plan.hash, "plan": dump(plan)}


def load_plan(data: Mapping[str, Any]) -> Plan:
    """Return a stored plan.

    Raises:
        UnknownFormat: also if the content does not give the hash it is stored under.
    """
    _check_format(data)
    plan: Plan = load(data["plan"])
    if plan.hash != data["hash"]:
        raise UnknownFormat("the plan's content does not match its hash")
    return plan


def _check_format(data: Mapping[str, Any]) -> None:
    if data.get("format") != FORMAT:
        raise UnknownFormat(
            f"format {data.get('format')!r} is not known; this version reads {FORMAT}"
        )


@cache
def _fields(kind: Any) -> tuple[Field[Any], ...]:
    return fields(kind)


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(f.name for f in _fields(kind))


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _is_required(f: Any) -> bool:
    return f.default is MISSING and f.default_factory is MISSING


def _read(hint: Any, data: Any) -> Any:
    """Return data as the annotation says: enums, datetimes, tuples, nested kinds."""
    if isinstance(data, dict) and "kind" in data:
        return load(data)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _read_union(typing.get_args(hint), data)
    if origin is tuple and isinstance(data, list):
        inner = typing.get_args(hint)[0]
        if inner is int:  # positions: many, and as they are
            return tuple(data)
        return tuple(_read(inner, item) for item in data)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(data)
    if hint is datetime:
        return datetime.fromisoformat(data)
    if hint is float:
        return float(data)
    return data


def _read_union(options: tuple[Any, ...], data: Any) -> Any:
    if data is None:
        return None
    inner = [option for option in options if option is not type(None)]
    return _read(inner[0], data) if len(inner) == 1 else data
