"""Faults as people make them: a line of a function or a word of a statement, changed.

What is to be changed must stand there exactly once: when the code moves on, a fault
that would change nothing fails instead. It knows nothing of what the code is for.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from types import CodeType, ModuleType
from typing import Any

import pytest


def edit(
    patch: pytest.MonkeyPatch, function: Callable[..., Any], *changes: tuple[str, str]
) -> None:
    """Change lines of a function, for whoever calls it, by whatever name.

    Args:
        patch: takes the changes out again.
        function: of a module or a class; a decorator is kept.
        changes: (what its source says, what it says instead), one by one.

    Raises:
        LookupError: if its source does not say so exactly once.
    """
    plain = inspect.unwrap(function)
    plain = getattr(plain, "__func__", plain)
    source = textwrap.dedent(inspect.getsource(plain))
    for was, now in changes:
        source = _changed(source, was, now, plain.__qualname__)
    file = inspect.getsourcefile(plain) or ""
    made = compile(source, file, "exec").co_consts
    code = next(
        each
        for each in made
        if isinstance(each, CodeType) and each.co_name == plain.__name__
    )
    patch.setattr(plain, "__code__", code)


def reword(
    patch: pytest.MonkeyPatch, module: ModuleType, name: str, was: str, now: str
) -> None:
    """Change a statement that a module keeps under a name.

    Raises:
        LookupError: if it does not say so exactly once.
    """
    text = getattr(module, name)
    where = f"{module.__name__}.{name}"
    patch.setattr(module, name, _changed(text, was, now, where))


def _changed(text: str, was: str, now: str, where: str) -> str:
    if text.count(was) != 1 or was == now:
        raise LookupError(
            f"{where} says {was!r} {text.count(was)} times, not once, so no fault was"
            " put in. Write the fault anew for what the code says today."
        )
    return text.replace(was, now)
