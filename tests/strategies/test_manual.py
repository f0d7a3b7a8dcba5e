"""The library's manual is true: each example is run on a bare Python, and compared."""

from __future__ import annotations

import ast
import doctest
import inspect
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import strategies

ROOT = Path(__file__).parents[2]
MANUAL = (ROOT / "docs" / "strategies.md").read_text()
BLOCKS = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FOUND = BLOCKS.findall(MANUAL)
#: Each example, and what stands below it.
EXAMPLES = [
    (code, FOUND[number + 1])
    for number, (language, code) in enumerate(FOUND)
    if language == "python"
]
TITLES = re.findall(r"^## (.*)$", MANUAL, re.MULTILINE)


def bare(code: str) -> subprocess.CompletedProcess[str]:
    """Run code on a Python without any package, but for what stands in the root."""
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", start + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("code", "below"), EXAMPLES, ids=[str(n) for n in range(len(EXAMPLES))]
)
def test_examples_print_what_the_manual_says(code, below):
    """To the letter; an example without its output is not one."""
    language, expected = below
    assert language == "text"

    ran = bare(code)

    assert (ran.stderr, ran.stdout) == ("", expected)


def test_the_manual_has_examples_of_everything():
    """Each strategy, both directions, awaiting, simulating, and one of one's own."""
    assert len(EXAMPLES) >= 13
    assert len([name for name, _ in FOUND if name == "text"]) == len(EXAMPLES)
    for title in ("A strategy of your own", "Simulate it", "What a sample can tell"):
        assert title in TITLES


def test_the_original_api_works_without_django():
    """Neither it nor any other package is there, and none is asked for."""
    ran = bare(
        """
try:
    import django
except ImportError:
    print("no django")

from strategies import *

ok = lambda *_: True
for name in ("rolling", "blue_green", "canary"):
    fleet = [DeploymentTarget("t1", "one", "::1", version="v1")]
    strategy = create_strategy(name)
    done = strategy.deploy(fleet, "v2", ok)
    back = strategy.rollback(fleet, "v1", ok)
    print(name, done.state.value, back.state.value, fleet[0].version)

used = {name.partition(".")[0] for name in sys.modules}
print(sorted(used - set(sys.stdlib_module_names) - {"__main__"}))
"""
    )

    assert ran.stderr == ""
    assert ran.stdout.splitlines() == [
        "no django",
        "rolling completed rolled_back v1",
        "blue_green completed rolled_back v1",
        "canary completed rolled_back v1",
        "['strategies']",
    ]


def test_the_face_defines_nothing_and_its_example_is_true():
    """Names are handed on, none twice, none forgotten; `>>>` is run."""
    tree = ast.parse(inspect.getsource(strategies))
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    assert not [node for node in tree.body if isinstance(node, defined)]

    handed = [
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    ]
    assert sorted(strategies.__all__) == sorted(handed)
    failed, tried = doctest.testmod(strategies)
    assert (failed, tried > 3) == (0, True)


def test_help_reads_like_a_manual():
    """Every public name, and every public method of it, says what it is."""
    silent = []
    for name in strategies.__all__:
        thing = getattr(strategies, name)
        members = vars(thing) if inspect.isclass(thing) else {}
        silent += [name] if not said(thing) else []
        silent += [
            f"{name}.{member}"
            for member, value in members.items()
            if not member.startswith("_")
            and (inspect.isfunction(value) or isinstance(value, property))
            and not said(value)
        ]
    assert silent == []

    text = pydoc.plain(pydoc.render_doc(strategies))
    for word in (
        *("Units", "Errors", "Callbacks", "Beforehand", "Raises:"),
        *("deploy(", "simulate(", "outlook(", "duration_ms"),
    ):
        assert word in text


def said(thing: object) -> str:
    """Return a docstring that somebody wrote, not what `dataclass` makes of fields."""
    text = inspect.getdoc(thing) or ""
    return "" if text.startswith(f"{getattr(thing, '__name__', '?')}(") else text
