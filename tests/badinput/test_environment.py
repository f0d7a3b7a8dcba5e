"""Every variable that a process reads, set to what it cannot be.

To add a variable, add a row to `VARIABLES`; one that is read and in no row fails the
test. Settings are read anew here, by running their file under the changed environment.
"""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from deployctl.environment import flag, noted
from deployctl.launch import LaunchError
from deployctl.launch.ports import choose_port
from deployctl.management.commands.up import worker_count
from tests.badinput.values import SECRET
from tests.support import ROOT

PACKAGE = ROOT / "deployctl"
#: No number of seconds and no count, whatever the bounds are.
_NONE = ("many", "-1", "-0", "1e400", "NaN", "inf", "\u0663", "1_0", "0x10", "9" * 5000)
_SECONDS = ("0", "0.0", "86401", *_NONE)
_COUNT = ("0", "1.5", "100001", *_NONE)
_PORTS = ("0", "65536", "1.5", *_NONE)
_FLAG = ("ja", "2", "\u0663", "truefalse")
_DATABASE = (f"postgresql://u:{SECRET}@[::", f"password {SECRET}", f"a={SECRET}", "%")
_PATH = ("nowhere", "/dev/null/x")

Reads = Callable[[], Any]


def read_settings() -> None:
    """Run the settings' own file, as a process does that starts."""
    runpy.run_path(str(PACKAGE / "settings.py"))


def read_pace() -> None:
    runpy.run_path(str(PACKAGE / "live" / "pace.py"))


def read_port() -> None:
    choose_port("127.0.0.1", os.environ["PORT"])


def read_host() -> None:
    choose_port(os.environ["HOST"], "")


#: By name: what reads it, and what it must refuse.
VARIABLES: dict[str, tuple[Reads, tuple[str, ...]]] = {
    **{
        f"DEPLOYCTL_{name}_SECONDS": (read_settings, _SECONDS)
        for name in (
            *("BEAT", "DEAD_AFTER", "TRUST", "POLL", "SWEEP", "RECONCILE", "WATCH"),
            *("LOCK_TIMEOUT", "LOOK", "REACH"),
        )
    },
    **{
        f"DEPLOYCTL_LIVE_{name}_SECONDS": (read_pace, _SECONDS)
        for name in ("TICK", "POLL", "HEARTBEAT", "RECHECK")
    },
    "DEPLOYCTL_LIVE_SOCKETS_PER_USER": (read_pace, _COUNT),
    "DEPLOYCTL_LOOKS": (read_settings, _COUNT),
    "DEPLOYCTL_PLACES": (read_settings, _COUNT),
    "DATABASE_POOL": (read_settings, ("1001", "1.5", *_NONE)),
    "DATABASE_URL": (read_settings, _DATABASE),
    "DATABASE_OWNER_URL": (read_settings, _DATABASE),
    "DATABASE_LISTEN_URL": (read_settings, _DATABASE),
    "DEBUG": (read_settings, _FLAG),
    "DEMO": (partial(flag, "DEMO"), _FLAG),
    "HTTPS": (read_settings, _FLAG),
    "LOG_LEVEL": (read_settings, ("info", "LOUD", "10")),
    "PUBLIC_URL": (read_settings, ("deploy", "ftp://a", "https://", "http://[")),
    "SECRET_KEY_FILE": (read_settings, ("/", "/proc/self/mem")),
    "PORT": (read_port, _PORTS),
    "HOST": (read_host, ("nowhere.invalid", "192.0.2.7", "x" * 300, "a b", "::ffff")),
    "WORKERS": (worker_count, ("65", "1.5", *_NONE)),
}
#: What may be anything: a name, a path that is looked for later, words; and what
#: is no setting, but given to programs, targets and tests.
FREE = {
    *("ALLOWED_HOSTS", "DATA_DIR", "DEPLOYCTL_SECRETS_KEY_FILE", "PROXY_HEADER"),
    *("PYTHONPATH", "DEPLOYCTL_SECRETS_DIR", "DEPLOYCTL_SECRETS_KEY"),
    *("DEPLOYCTL_SECRET_", "DEPLOYCTL_CRASH_AT", "DEPLOYCTL_SIMULATED_LOG"),
    *("DEPLOYCTL_AGENT_TOKEN", "DEPLOYCTL_CONFIG", "DEPLOYCTL_"),
}
_READ = re.compile(
    r'\b(?:env|environment)\.\w+\(\s*"([A-Z_]+)"|"(DEPLOYCTL_[A-Z_]*)"', re.DOTALL
)


def test_every_variable_has_its_row() -> None:
    found = {
        name
        for path in sorted(PACKAGE.rglob("*.py"))
        for pair in _READ.findall(path.read_text())
        for name in pair
        if name
    }
    given = {name for name in found if re.search(r"_(TARGET|ADDRESS|VERSION)$", name)}
    assert found - given - FREE == set(VARIABLES)


@pytest.mark.parametrize("name", VARIABLES)
def test_what_a_variable_cannot_be_is_said_in_a_sentence(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the variable, says what would do, and shows no address's password."""
    read, values = VARIABLES[name]
    for value in values:
        monkeypatch.setenv(name, value)
        with pytest.raises((ValueError, LaunchError)) as caught:
            read()
        said = str(caught.value)
        assert said.startswith(name), said
        assert said.endswith("."), said
        assert len(said) < 300
        assert said.isprintable()
        assert SECRET not in said
        assert type(caught.value).__name__ in ("Wrong", "LaunchError")


@pytest.mark.parametrize("name", sorted(set(VARIABLES) - {"PORT", "HOST", "WORKERS"}))
def test_empty_is_as_if_it_were_not_set(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "")
    VARIABLES[name][0]()


def test_beats_that_would_let_two_workers_act_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DEPLOYCTL_TRUST_SECONDS", "10")
    with pytest.raises(ValueError, match="else two workers could act at once"):
        read_settings()


def test_a_process_ends_with_the_sentence(tmp_path: Path) -> None:
    """And with nothing else: no traceback, and no word of what else is set."""
    given = {"DEPLOYCTL_PLACES": "many", "DATABASE_URL": f"host=x password={SECRET}"}
    done = subprocess.run(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "status"],
        env={**os.environ, **given, "DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "DEPLOYCTL_PLACES must be a whole number from 1 to 100,000, not 'many'.\n"
    )


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"])
def test_what_nobody_has_noted_is_nothing(
    tmp_path: Path, content: bytes | None
) -> None:
    """Where `up` serves is a help, and no reason to refuse a command."""
    note = tmp_path / "url"
    if content is not None:
        note.write_bytes(content)
    assert noted(note) == ""
    assert noted(note / "below a file") == ""
