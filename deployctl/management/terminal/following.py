"""Following one deployment until what was asked for has come, or cannot come any more.

It looks again and again, and changes nothing: whoever stops following stops nothing
else. A database that goes away for a moment is waited for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connection

from deployctl.management.terminal import showing
from deployctl.management.terminal.base import AWAY, database_words
from deployctl.management.terminal.codes import Code
from deployctl.management.terminal.screen import Screen
from deployctl.models import Deployment
from deployctl.queries import feed, room
from deployctl.queries.glances import waits_for
from deployctl.queries.plans import course_of, progress_of
from strategies.states import State

#: How often is looked.
LOOK_SECONDS = 0.5
#: What a person should not miss is left standing above the line that is redrawn.
_GRAVE = ("is-failed", "is-paused", "is-awaiting", "is-unknown", "is-rolled")

#: Whether what was asked has come: a code, or None while it has not.
Aim = Callable[[Deployment], Code | None]


def rests_as(*wanted: State) -> Aim:
    """Return the aim that it comes to rest in one of these states."""
    names = {state.value for state in wanted}

    def aim(row: Deployment) -> Code | None:
        if row.rested_at is None:
            return None
        return Code.DONE if row.state in names else Code.NOT_AS_ASKED

    return aim


def onward(row: Deployment) -> Aim:
    """Return the aim that it reaches the end of the way that it is on now."""
    back = row.state == State.ROLLING_BACK.value
    return rests_as(State.ROLLED_BACK if back else State.COMPLETED)


def stops(row: Deployment) -> Code | None:
    """Aim: it comes to rest because somebody aborted it."""
    if row.rested_at is None:
        return None
    asked = row.reason == "aborted_by_user"
    return Code.DONE if asked else Code.NOT_AS_ASKED


def is_held(row: Deployment) -> Code | None:
    """Aim: it is paused, and nothing is in flight any more."""
    if row.rested_at is not None:
        return Code.NOT_AS_ASKED
    return Code.DONE if waits_for(progress_of(row)) == "hold" else None


def until_gate(aim: Aim) -> Aim:
    """Return an aim that is given up as soon as a person is waited for."""

    def either(row: Deployment) -> Code | None:
        code = aim(row)
        if code is None and waits_for(progress_of(row)):
            return Code.WAITS
        return code

    return either


class Follower:
    """Follows one deployment on a screen."""

    def __init__(self, screen: Screen, deployment_id: int, *, told: int = 0) -> None:
        """Begin behind the event `told`."""
        self._screen, self._id = screen, deployment_id
        self._told = told
        self._noted = ""
        self._pause = threading.Event()

    def follow(self, aim: Aim) -> Code:
        """Show what happens until the aim has a code, and return it."""
        try:
            while True:
                row = self._looked()
                code = aim(row) if row is not None else None
                if row is not None and code is not None:
                    self._end(row, code)
                    return code
                self._pause.wait(LOOK_SECONDS)
        except KeyboardInterrupt:
            self._screen.note(
                f"Following stopped; deployment {self._id} goes on."
                f" `manage.py status {self._id}` says how it stands."
            )
            return Code.INTERRUPTED

    def _looked(self) -> Deployment | None:
        """Look once, and show what is new; None while the database is away."""
        try:
            row = room.deployment(self._id)
            moved = row.seq > self._told
            if moved:
                self._show(row)
            self._screen.redraw(showing.bar(row) if self._screen.is_live else "")
            self._note("" if row.rested_at else showing.no_worker())
        except AWAY as error:
            connection.close()
            self._note(f"{database_words(error)} It is waited for.")
            return None
        return row

    def _show(self, row: Deployment) -> None:
        if self._screen.is_json:
            self._screen.record(showing.record(row))
        else:
            for told in feed.after(row, course_of(row.plan_id), self._told):
                who = f"{told['who']} " if told["who"] else ""
                if not self._screen.is_live or told["css"] in _GRAVE:
                    at = showing.clock(told["at"])
                    self._screen.line(f"{at}  {who}{told['text']}")
        self._told = row.seq

    def _note(self, text: str) -> None:
        """Say what keeps it from going on, once as long as it is the same."""
        if text != self._noted:
            self._screen.note(text or "It goes on.")
        self._noted = text

    def _end(self, row: Deployment, code: Code) -> None:
        if self._screen.is_json:
            self._screen.record({**showing.record(row), "exit_code": int(code)})
        elif row.rested_at is not None:
            for line in showing.ended(row):
                self._screen.line(line)
        else:
            for line in showing.lines(row):
                self._screen.line(line)
