"""What each option does, in the words of its class's docstring; it reads no value.

The docstring is the one place where an option is told of: pages, the help of commands
and the manual take their words from here.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

_ATTRIBUTE = re.compile(r" {4}(\w+): (.*)")


@dataclass(frozen=True)
class Explained:
    """One option: what it does, and what it is when it is left out.

    `default` is empty where the sentence says what leaving it out means.
    """

    name: str
    text: str
    default: str


def explained(
    kind: type, usual: Mapping[str, Any] | None = None
) -> dict[str, Explained]:
    """Return what the fields of a dataclass do, those of its bases first.

    Args:
        kind: the class; of a docstring that Python left out nothing is told.
        usual: what is the default instead of the class's own.
    """
    told: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        told.update(_attributes(each.__doc__ or ""))
    given = {field.name: field.default for field in fields(kind)} | dict(usual or {})
    return {
        name: Explained(name, told[name], _written(name, default))
        for name, default in given.items()
        if name in told
    }


def _attributes(docstring: str) -> Iterator[tuple[str, str]]:
    """Yield each name and its sentence from the section `Attributes`."""
    _, _, section = inspect.cleandoc(docstring).partition("\nAttributes:\n")
    name, words = "", ""
    for line in section.splitlines():
        begins = _ATTRIBUTE.fullmatch(line)
        if not begins and not line.startswith(" " * 8):
            break
        if begins:
            if name:
                yield name, _sentence(words)
            name, words = begins[1], begins[2]
        else:
            words += f" {line.strip()}"
    if name:
        yield name, _sentence(words)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _written(name: str, default: object) -> str:
    if default is None or default is MISSING:
        return ""
    if isinstance(default, bool):
        return "yes" if default else "no"
    unit = " s" if name.endswith("_seconds") else ""
    return f"{default:g}{unit}" if isinstance(default, float) else f"{default}{unit}"
