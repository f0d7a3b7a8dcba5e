"""What the product imports is pinned for those who only run it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions

from tests.support import ROOT

OWN = {"deployctl", "strategies"}
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==", re.MULTILINE)


def imported() -> Iterator[str]:
    """Yield the package of every import, wherever in a file it stands."""
    for path in (path for own in OWN for path in (ROOT / own).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (name.name.partition(".")[0] for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


def test_whoever_only_runs_it_has_what_it_imports() -> None:
    pinned = {
        normal(name) for name in PIN.findall((ROOT / "requirements.txt").read_text())
    }
    known = packages_distributions()
    foreign = set(imported()) - OWN - set(sys.stdlib_module_names)
    lacking = {
        package
        for package in foreign
        if not pinned & {normal(name) for name in known.get(package, [package])}
    }
    assert foreign, "nothing was read"
    assert not lacking


def normal(name: str) -> str:
    """Return a name as an index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
