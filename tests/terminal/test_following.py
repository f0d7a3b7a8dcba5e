"""Following a deployment: pipes, terminals, Ctrl-C, and a database that goes away."""

from __future__ import annotations

import os
import pty
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.core.management.base import OutputWrapper
from django.db import OperationalError, connection, transaction

from deployctl.launch import Addresses
from deployctl.management.terminal.asking import answered
from deployctl.management.terminal.screen import Screen
from deployctl.models import Command, Deployment, Target
from strategies.states import OperationState
from tests.services.hands import Hands
from tests.support import nursery
from tests.support.fleet import Place, simulated, until
from tests.terminal.typing import (
    QUICK,
    Said,
    beside,
    newest,
    program,
    registered,
    run,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.serial]

BY = ("--by", "ana")


@pytest.fixture
def place() -> Place:
    return Place(simulated(4))


def others(superuser: psycopg.Connection, more: str = "") -> list[int]:
    """Return the backends of this database but for this test's own."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), current_database()")
        own, name = cursor.fetchone()
    query = f"SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> %s {more}"
    return [pid for (pid,) in superuser.execute(query, [name, own]).fetchall()]


@contextmanager
def away(superuser_url: str, database: Addresses) -> Iterator[None]:
    """Cut every connection but this test's, and let nobody in meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        (name,) = cursor.fetchone()
    with psycopg.connect(superuser_url, autocommit=True) as superuser:
        superuser.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            for pid in others(superuser):
                superuser.execute("SELECT pg_terminate_backend(%s)", [pid])
            yield
        finally:
            superuser.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


class Followed:
    """A process of ours that follows; what it says is read as it comes."""

    def __init__(self, environment: dict[str, str], *argv: object) -> None:
        pipes = [os.pipe() for _ in range(2)]
        self.out, self.err = (os.fdopen(mine) for mine, _ in pipes)
        theirs = [end for _, end in pipes]
        self.process = nursery.start(
            program(*argv), env=environment, stdout=theirs[0], stderr=theirs[1]
        )
        for end in theirs:
            os.close(end)

    def until_line(self, text: str) -> None:
        """Read lines of stdout up to one with this text."""
        for line in self.out:
            if text in line:
                return
        raise AssertionError(self.err.read())

    def end(self) -> Said:
        """Wait for its end."""
        out = "" if self.out.closed else self.out.read()
        err = self.err.read()
        self.out.close()
        self.err.close()
        return Said(self.process.wait(30), out, err)


def test_ctrl_c_stops_following_and_nothing_else(
    place: Place, child_environment: dict[str, str]
) -> None:
    followed = Followed(child_environment, *registered(place), *QUICK, "--wait")
    followed.until_line("ana started it")
    followed.process.send_signal(signal.SIGINT)
    said = followed.end()
    row = newest()
    assert said.code == 130
    assert f"Following stopped; deployment {row.pk} goes on." in said.err
    assert "Traceback" not in said.err
    Hands(row).run()
    row.refresh_from_db()
    assert row.state == "completed"


def test_a_reader_that_goes_away_is_no_traceback(
    place: Place, child_environment: dict[str, str]
) -> None:
    followed = Followed(child_environment, *registered(place), *QUICK, "--wait")
    followed.until_line("ana started it")
    followed.out.close()
    Hands(newest()).run()
    said = followed.end()
    assert said.code == 141
    assert "Traceback" not in said.err
    assert "BrokenPipe" not in said.err


def test_a_terminal_gets_one_line_that_is_redrawn(
    place: Place, child_environment: dict[str, str]
) -> None:
    Target.objects.filter(name="t0").update(name="t0\x1b[31m")
    mine, theirs = pty.openpty()
    given = {**child_environment, "TERM": "xterm", "COLUMNS": "60"}
    words = program(*registered(place), *QUICK, "-o", "max_failures=2", "--wait")
    process = nursery.start(words, env=given, stdout=theirs, stderr=theirs)
    os.close(theirs)
    row = newest()
    hands = Hands(row)
    claims = hands.claims()
    text = read(mine, "0 of 4, 1 in flight")
    claims = hands.finish(claims, OperationState.FAILED).claims
    while claims:
        claims = hands.finish(claims).claims
    text += read(mine)
    assert process.wait(30) == 0
    drawn = [part for part in text.split("\r") if "[" in part and "of 4" in part]
    assert f"\r{row.pk} [" in text
    assert all(len(part.split("\x1b")[0]) < 60 for part in drawn)
    assert "Batch 1 of 4 began" not in text, "only what is grave is left standing"
    assert f"Deployment {row.pk}: completed" in text.split("\x1b[K")[-1]
    assert "\x1b[31m" not in text


def read(handle: int, text: str = "") -> str:
    """Read from a terminal until it has shown a text, or to its end."""
    shown = ""
    while not text or text not in shown:
        assert select.select([handle], [], [], 20)[0], shown
        try:
            shown += os.read(handle, 4096).decode()
        except OSError:  # Whoever wrote there has ended.
            os.close(handle)
            break
    return shown


def test_a_database_that_goes_away_is_waited_for(
    place: Place, superuser_url: str, database: Addresses
) -> None:
    command = beside(*registered(place), *QUICK, "--wait", "--json")
    row = newest()
    with away(superuser_url, database):
        assert not command.ended(2), "it waits"
    Hands(row).run()
    said = command.get(20)
    assert said.code == 0
    assert said.records[-1]["state"] == "completed"
    notes = said.err.splitlines()
    assert sum("The database does not answer" in note for note in notes) <= 2
    assert "It is waited for." in said.err
    assert "It goes on." in said.err


def test_what_breaks_under_the_question_is_asked_again_and_done_once(
    place: Place, superuser_url: str
) -> None:
    row = place.deploy()
    with psycopg.connect(superuser_url, autocommit=True) as superuser:
        with transaction.atomic():
            Deployment.objects.select_for_update().get(pk=row.pk)
            command = beside("pause", row.pk, *BY)
            waiting = until(lambda: others(superuser, "AND wait_event_type = 'Lock'"))
            superuser.execute("SELECT pg_terminate_backend(%s)", [waiting[0]])
            until(lambda: others(superuser, "AND wait_event_type = 'Lock'"))
        said = command.get()
    assert said.code == 0
    assert "asking again under the same key" in said.err
    assert Command.objects.filter(deployment=row).count() == 1
    row.refresh_from_db()
    assert row.hold


def test_an_answer_that_was_lost_is_the_first_one(place: Place) -> None:
    """What was done before the connection broke is not done a second time."""
    row, asked = place.deploy(), []

    def press() -> object:
        asked.append(place.press(row, "pause", key="one"))
        if len(asked) == 1:
            raise OperationalError("the server closed the connection")
        return asked[-1]

    with open(os.devnull, "w") as nowhere:
        wrapper = OutputWrapper(nowhere)
        reply = answered(press, Screen(wrapper, wrapper, is_json=False))
    assert reply == asked[0]
    row.refresh_from_db()
    assert row.seq == 2


@pytest.mark.parametrize(
    "argv",
    [
        ("deploy", "a", "1", "--env", "e"),
        ("pause", "1"),
        ("retry", "1"),
        ("status",),
        ("history",),
        ("status", "--json"),
    ],
)
def test_a_database_that_is_not_there_is_one_sentence(
    child_environment: dict[str, str], argv: tuple[str, ...]
) -> None:
    url = "postgresql://deployctl_app:secret@127.0.0.1:1/nowhere"
    said = run({**child_environment, "DATABASE_URL": url}, *argv)
    assert said.code == 1
    assert said.out == ""
    assert said.err.startswith("CommandError: The database does not answer: ")
    assert len(said.err.splitlines()) == 1
    assert "secret" not in said.err


def test_words_that_are_no_command_line_are_argparses(
    child_environment: dict[str, str],
) -> None:
    for argv in (("pause",), ("deploy", "a"), ("pause", "1", "--expect", "x")):
        said = run(child_environment, *argv)
        assert said.code == 2, said
        assert said.out == ""
        assert "usage:" in said.err


def test_a_change_in_another_process_is_told(place: Place) -> None:
    row = place.deploy()
    command = beside("resume", row.pk, *BY, "--wait")
    until(lambda: Command.objects.filter(deployment=row).exists())
    place.press(row, "pause", reason="a look")
    place.press(row, "resume")
    Hands(row).run()
    said = command.get()
    assert "ana paused it: “a look”" in said.out
    assert "ana resumed it" in said.out
    assert said.code == 0
