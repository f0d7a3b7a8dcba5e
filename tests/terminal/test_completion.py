"""What a shell offers; bash itself is asked, the way it asks at a tab."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deployctl.models import Application
from deployctl.services import versions
from deployctl.services.saved_forms import save_template
from deployctl.services.saved_queries import save_query
from tests.support import ROOT
from tests.support.fleet import Place, simulated
from tests.terminal.typing import typed

pytestmark = pytest.mark.django_db(transaction=True)


def offered(line: str) -> list[str]:
    """Return what may follow this."""
    return typed("completion", "--words", line).out.splitlines()


@pytest.fixture
def place() -> Place:
    made = Place(simulated(2))
    for version in ("1.0", "2.0", "2.1"):
        versions.register_version(made.application, version, by=made.by)
    return made


def test_commands_and_options() -> None:
    assert {"deploy", "doctor", "pause"} <= set(offered("manage.py "))
    assert offered("./manage.py depl") == ["deploy"]
    flags = offered("manage.py pause --")
    assert {"--wait", "--reason", "--env", "--by"} <= set(flags)
    assert "--pythonpath" not in flags
    assert offered("manage.py migrate-all ") == []
    assert offered("manage.py completion ") == ["bash", "fish", "zsh"]


def test_names_of_what_there_is(place: Place) -> None:
    name, env = place.application.name, place.environment.name
    assert name in offered("manage.py deploy ")
    assert offered(f"manage.py deploy {name} 2") == ["2.0", "2.1"]
    assert env in offered(f"manage.py deploy {name} 2.0 --env ")
    known = ["blue_green", "canary", "rolling"]
    assert offered("manage.py deploy --strategy ") == known
    assert offered("manage.py deploy -o batch") == ["batch_size="]
    assert offered("manage.py deploy --strategy canary -o traffic") == [
        "traffic_shares="
    ]
    assert "health_interval_seconds=" in offered("manage.py deploy -o health")
    at = place.application, place.environment
    save_template(*at, "careful", {"strategy": "canary"}, by=place.by)
    line = f"manage.py deploy {name} 2.0 --env {env} --template "
    assert offered(line) == ["careful"]
    assert offered(line.replace(env, "nowhere")) == []
    row = place.deploy("2.0")
    assert offered("manage.py pause ") == sorted([str(row.pk), name])


def test_the_words_of_a_verb(place: Place) -> None:
    name, env = place.application.name, place.environment.name
    at = place.application, place.environment
    save_template(*at, "careful", {"strategy": "canary"}, by=place.by)
    save_query(place.application, "Some", "name=t1", by=place.by)
    assert {"save", "show"} <= set(offered("manage.py template "))
    assert name in offered("manage.py template show ")
    assert offered(f"manage.py template show {name} ") == ["careful"]
    assert offered(f"manage.py template show --env nowhere {name} ") == []
    assert env in offered(f"manage.py template remove {name} careful --env ")
    line = f"manage.py template save {name} careful --query "
    assert offered(line) == ["Some"]
    line = line.replace("--query", "--strategy canary -o")
    assert offered(f"{line}traffic") == ["traffic_shares="]
    assert "--over" in offered(f"{line}x=1 --")
    assert offered("manage.py template show nothing ") == []
    assert offered(f"manage.py version withdraw {name} 1") == ["1.0"]


def test_a_version_that_was_withdrawn_is_not_offered(place: Place) -> None:
    row = versions.register_version(place.application, "2.1", by=place.by)
    versions.withdraw_version(row.pk, by=place.by, reason="broken")
    assert offered(f"manage.py deploy {place.application} 2") == ["2.0"]


@pytest.mark.parametrize(
    "line", ["", " ", "manage.py deploy 'a", "manage.py deploy \\", "x\0y ", '"']
)
def test_a_line_that_is_none_offers_nothing_and_is_no_error(line: str) -> None:
    said = typed("completion", "--words", line)
    assert (said.code, said.err) == (0, "")


def test_a_name_that_a_shell_would_take_for_more_is_not_offered() -> None:
    for name in ("$(touch /tmp/x)", "a b", "a;b", "`id`", "a\nb", "\x1b[2J"):
        Application.objects.create(name=name)
    assert offered("manage.py deploy ") == []


def test_no_shell_was_named() -> None:
    said = typed("completion")
    assert said.code == 1
    assert said.err == "Say for which shell: bash, fish, zsh."


@pytest.mark.serial
def test_bash_completes_at_a_tab(
    place: Place, child_environment: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "completion"
    script.write_text(typed("completion", "bash").out)
    mine, theirs = pty.openpty()
    shell = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        env={**child_environment, "PS1": "> ", "TERM": "dumb", "HISTFILE": ""},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    alias = f"alias deployctl='{sys.executable} {ROOT / 'manage.py'}'"
    try:
        os.write(mine, f"source {script}; {alias}\n".encode())
        shown(mine, "> ")
        name = place.application.name
        for typing, becomes in (
            ("deployctl depl\t", "deployctl deploy "),
            (f"{name[:-1]}\t", f"deploy {name} "),
            ("2.1\t", f"{name} 2.1 "),
            ("--strategy can\t", "--strategy canary "),
            ("-o health_int\t", "-o health_interval_seconds="),
        ):
            os.write(mine, typing.encode())
            shown(mine, becomes.split(" ", 1)[1][-12:])
    finally:
        shell.kill()
        shell.wait(10)
        os.close(mine)


def shown(handle: int, text: str) -> None:
    """Read from a terminal until it has shown this."""
    seen, end = "", time.monotonic() + 20
    while text not in seen:
        left = end - time.monotonic()
        assert left > 0, (text, seen)
        if select.select([handle], [], [], left)[0]:
            seen += os.read(handle, 4096).decode()


def test_bash_asks_for_nothing_to_be_expanded(
    child_environment: dict[str, str],
) -> None:
    """The answer is taken as it is, a word a line, behind the last `=` as well."""
    script = typed("completion", "bash").out
    assert "compgen" not in script
    asked = f"""{script}
COMP_LINE='manage.py deploy -o max_fail'; COMP_POINT=${{#COMP_LINE}}
_deployctl; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ["bash", "--norc", "-c", asked],
        env=child_environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["max_failure_percent=", "max_failures="]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_are_given_the_same_question(shell: str) -> None:
    script = typed("completion", shell).out
    assert f"{sys.executable} {ROOT / 'manage.py'} completion --words" in script
