"""Every command of `manage.py`, option by option, is given words that are none.

To add a command or an option, add it to `COMMANDS` with a value that is good; one that
is in no row fails the test. A flag that takes no value needs none. Each is then given
every hostile word, alone. It must be refused with 1 or 2 and a sentence, and nothing
may be changed, but for the words named in `TAKES`, which do no harm there.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class

from tests.badinput.values import SCRIPT, SECRET
from tests.badinput.watching import fingerprint, listening, undone
from tests.badinput.world import World
from tests.terminal.typing import Said, typed

#: By flag or name; None: tried, but not among what is good.
Words = dict[str, str | None]

#: What a shell can hand over: no NUL, but bytes that are no text.
WORDS = {
    "empty": "",
    "spaces": "  ",
    "long": "x" * 5_000,
    "two lines": "one\ntwo",
    "terminal": "\x1b[2J\u202egnp",
    "no text": "\udcff",
    "code": f"=cmd|' /C x'!A0 '; DROP TABLE a; -- {SCRIPT}",
}
NUMBERS = {
    "word": "many",
    "power": "1e400",
    "nan": "NaN",
    "negative": "-1",
    "beyond bigint": str(2**63),
    "endless": "9" * 5_000,
    "part": "1.5",
}
#: Nothing of Django's own is tried, nor what never ends or takes no words.
LEFT_OUT = {
    "doctor",
    "migrate",
    "demo",
    "demo_agents",
    "make_admin",
    "up",
    "worker",
    "web",
}


def _place(world: World) -> Words:
    place = world.free
    return {"application": place.application.name, "--env": place.environment.name}


def _pressed(world: World, **more: str) -> Words:
    number = str(world.deployment.pk)
    given = {"--env": str(world.deployment.environment), "--by": "alice"}
    return {"deployment": number, **given, "--reason": "so", **more}


def _version(world: World, **more: str) -> Words:
    name = world.free.application.name
    return {"application": name, "version": "2.0", "--by": "alice", **more}


def _file(world: World, name: str, content: Any) -> str:
    path = world.folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def _free(world: World) -> Words:
    return {"--env": str(world.free.environment), "--by": "alice"}


def _by(world: World, **more: str) -> Words:
    return {"name": "new", "--by": "alice", **more}


def _seen(world: World) -> Words:
    return _pressed(world, **{"--expect": str(world.deployment.control_version)})


def _deploy(world: World) -> Words:
    # Without --simulate they are refused, whatever they are.
    made_up: Words = dict.fromkeys(("--broken", "--takes", "--seed"))
    how: Words = {
        "--strategy": "rolling",
        "--template": "usual",
        "--option": "retries=1",
        "--where": "name=t*",
    }
    return {**_version(world), **_place(world), **how, **made_up, **_WHY}


def _template(world: World, **more: str) -> Words:
    return {**_place(world), "template": "usual", "--by": "alice", **more}


_WHY: Words = {"--why": "T-7", "--hash": None}
_ABOUT: Words = {"--digest": "d", "--notes": "n", "--ticket": "T"}
#: By command, and verb if it has some: words that are good.
COMMANDS: dict[str, Callable[[World], Words]] = {
    "abort": _pressed,
    "pause": _pressed,
    "resume": _seen,
    "promote": _seen,
    "rollback": _seen,
    "retry": lambda world: {
        **_pressed(world, deployment=str(world.failed.pk)),
        "--env": str(world.failed.environment),
    },
    "status": lambda world: {
        "deployment": str(world.deployment.pk),
        "--env": str(world.deployment.environment),
    },
    "history": lambda world: {
        "deployment": str(world.free.application),
        "--env": str(world.free.environment),
        "--state": "failed",
        "--limit": "3",
    },
    "deploy": _deploy,
    "completion": lambda _: {"shell": "bash", "--words": "manage.py "},
    "addresses": lambda world: {
        "environment": str(world.free.environment),
        "--allow": "10.0.0.0/8",
        "--by": "alice",
    },
    "edit_targets": lambda world: {
        **_place(world),
        "--where": "name=t1",
        "--label": "a=b",
        "--unlabel": "c",
        "--disable": "it burns",
        "--by": "alice",
    },
    "enrol": lambda world: {
        "target": "t0",
        "--app": str(world.free.application),
        **_free(world),
        "--yes": "SHA256:x",
    },
    "export_targets": lambda world: {
        **_place(world),
        "--where": "name=t1",
        "--format": "csv",
    },
    "import_targets": lambda world: {
        **_place(world),
        "file": _file(world, "fleet.csv", "name,kind\nt9,simulated\n"),
        "--format": "csv",
        "--setting": "version=v1",
        "--by": "alice",
    },
    "application add": _by,
    "application list": lambda _: {},
    "audit list": lambda world: {
        "deployment": str(world.deployment.pk),
        "--limit": "3",
    },
    "environment add": _by,
    "environment list": lambda _: {},
    "probe": lambda world: {
        "target": "t0",
        "--app": str(world.free.application),
        "--env": str(world.free.environment),
        "--seconds": "1",
    },
    "router list": lambda _: {},
    "router set": lambda world: {
        **_place(world),
        "--kind": "simulated",
        "--slots": "blue,green",
        "--settings": _file(world, "router.json", {"file": "/x", "serving": "blue"}),
        "--by": "alice",
    },
    "secret set": lambda world: {"name": "deploy", **_free(world)},
    "secret remove": lambda world: {"name": "deploy", **_free(world)},
    "secret list": lambda _: {},
    "secret rotate": lambda _: {"--by": "alice"},
    "template save": lambda world: _template(
        world,
        **{"--strategy": "rolling", "--option": "retries=2"},
        **{"--query": "all", "--over": "1"},
    ),
    "template list": lambda world: {**_place(world)},
    "template show": lambda world: {**_place(world), "template": "usual"},
    "template rename": lambda world: _template(world, name="new"),
    "template remove": _template,
    "template drafts": lambda _: {"--by": "alice"},
    "version register": lambda world: {**_version(world, version="3.0"), **_ABOUT},
    "version withdraw": lambda world: _version(world, **{"--reason": "it burns"}),
    "version import": lambda world: {
        "file": _file(world, "v.json", []),
        "--by": "alice",
    },
    "version list": lambda world: {"application": world.free.application.name},
}
_PROSE = {"empty", "spaces", "code"}
#: By command and option: the words that do no harm there.
TAKES: dict[tuple[str, str], set[str]] = {
    **{
        (press, "--reason"): _PROSE
        for press in ("abort", "pause", "resume", "promote", "rollback", "retry")
    },
    ("deploy", "--why"): _PROSE,
    # Nobody reads what it says but a shell, which is told nothing then.
    ("completion", "--words"): {*WORDS},
    ("edit_targets", "--disable"): _PROSE,
    ("export_targets", "--where"): {"empty"},
    ("import_targets", "--setting"): {"empty", "spaces"},
    ("history", "deployment"): {"empty"},
    ("audit list", "deployment"): {"empty"},
    # Odd, and nothing but a name: pages show it as text.
    **{(f"{noun} add", "name"): {"code"} for noun in ("application", "environment")},
    ("history", "--env"): {"empty"},
    **{("template list", each): {"empty"} for each in ("application", "--env")},
    # Without slots it shares traffic.
    ("router set", "--slots"): {"empty", "spaces"},
    # What was not set is not there afterwards either.
    ("secret remove", "name"): _PROSE,
    **{("version register", each): _PROSE for each in _ABOUT},
    ("version register", "--notes"): {*_PROSE, "two lines"},
    ("version withdraw", "--reason"): {"two lines", "code"},
    ("version list", "application"): {"empty"},
}
#: What is well typed, and refused all the same as things are here: there is no gate, no
#: host that is reached by SSH, and no target that answers to more than its worker.
REFUSED_ANYWAY = {"promote", "enrol", "probe"}


def parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield the parser of each command of ours, or of each of its verbs."""
    for name, app in sorted(get_commands().items()):
        if app != "deployctl" or name in LEFT_OUT:
            continue
        parser = load_command_class(app, name).create_parser("manage.py", name)
        verbs = [
            a for a in parser._actions if isinstance(a, argparse._SubParsersAction)
        ]
        for action in verbs:
            yield from ((f"{name} {verb}", own) for verb, own in action.choices.items())
        if not verbs:
            yield name, parser


PARSERS = dict(parsers())
#: What Django gives each command, but not to its verbs.
_DJANGOS = {"--verbosity", "--settings", "--pythonpath"}


def takers(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Return what takes a value, by its long flag or its name."""
    found = {}
    own = {flag for action in parser._actions for flag in action.option_strings}
    passed_over = _DJANGOS if own >= _DJANGOS else set()
    for action in parser._actions:
        if action.nargs == 0 or passed_over & set(action.option_strings):
            continue
        flags = [flag for flag in action.option_strings if flag.startswith("--")]
        found[flags[0] if flags else action.dest] = action
    return found


def line(name: str, words: Words) -> list[str]:
    """Return the command line of these words."""
    given = {each: word for each, word in words.items() if word is not None}
    flags = [f"{each}={word}" for each, word in given.items() if each.startswith("-")]
    named = [each.dest for each in PARSERS[name]._actions if not each.option_strings]
    places = [given[each] for each in named if each in given]
    return [*name.split(), *flags, *(["--", *places] if places else [])]


def test_every_command_and_option_has_its_row(world: World) -> None:
    found = {name: {*takers(parser)} for name, parser in PARSERS.items()}
    assert found == {name: {*good(world)} for name, good in COMMANDS.items()}


@pytest.mark.parametrize("name", COMMANDS)
def test_words_that_are_none_are_refused(
    name: str, world: World, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOYCTL_SECRET_DEPLOY", SECRET)
    good, wrong, before = COMMANDS[name](world), [], fingerprint()
    for row, words, is_taken in rows(name, good):
        monkeypatch.setattr(sys, "stdin", io.StringIO(SECRET))
        with undone(), listening() as watch:
            try:
                said = typed(*line(name, words))
            except Exception as error:
                wrong.append(f"{row}: raised {error!r:.200}")
                continue
            changed = fingerprint() != before
            told = [*watch.wrong, *judged(name, said, changed, is_taken=is_taken)]
            wrong += [f"{row}: {what}" for what in told]
    assert not wrong, "\n".join(wrong)


def rows(name: str, good: Words) -> Iterator[tuple[str, Words, bool]]:
    """Yield what is good, and each hostile word in each place; and if it is taken."""
    yield "good", good, name not in REFUSED_ANYWAY
    for each, action in takers(PARSERS[name]).items():
        takes = TAKES.get((name, each), set())
        for value, word in (NUMBERS if action.type in (int, float) else WORDS).items():
            is_taken = value in takes and name not in REFUSED_ANYWAY
            yield f"{each} {value}", {**good, each: word}, is_taken


def judged(name: str, said: Said, changed: bool, *, is_taken: bool) -> Iterator[str]:
    """Yield what is wrong with how a command ended."""
    if SECRET in said.out + said.err:
        yield "it prints the secret"
    if is_taken:
        yield from () if said.code == 0 else [f"ended with {said.code}: {said.err}"]
        return
    if said.code not in (1, 2) or said.out:
        yield f"ended with {said.code}: {said.out[:80]}"
    if changed:
        yield "it changed something"
    lines = said.err.splitlines()
    if not any(len(each.split()) > 3 for each in lines):
        yield f"says no sentence: {said.err[:80]}"
    if not all(each.isprintable() for each in lines):
        yield f"obeyed by a terminal: {ascii(said.err)[:80]}"
