"""Frames: what a page of a deployment must change, from the events it has not seen.

The same for every viewer: it holds no buttons and knows no person, no socket and no
request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.template.loader import render_to_string

from deployctl.models import Deployment, Event
from deployctl.queries import cells, grid, room
from deployctl.queries.plans import course_of
from deployctl.templatetags._board import MOST_COLUMNS
from deployctl.templatetags.deployctl import state_favicon
from strategies import wire
from strategies.states import Direction, OperationState

Frame = dict[str, Any]
#: A page further behind than this many events is given everything anew.
FARTHEST = 500
#: The units of the room that are swapped live, and what renders each.
UNITS: Mapping[str, str] = {
    "room-title": "deployments/_head.html",
    "room-meta": "deployments/_meta.html",
    "room-halt": "deployments/_halt.html",
    "room-why": "deployments/_why.html",
    "room-rail": "deployments/_rail.html",
    "room-slots": "deployments/_slots.html",
    "room-counters": "deployments/_counters.html",
    "room-stages": "deployments/_stages.html",
    "room-legend": "deployments/_legend.html",
    "room-verdict": "deployments/_verdict.html",
    "room-failures": "deployments/_failures.html",
    "room-batches": "deployments/_batches.html",
    "room-next": "deployments/_next.html",
    "room-zones": "deployments/_zones.html",
    "room-workers": "deployments/_workers.html",
    "room-feed": "deployments/_feed.html",
}
#: The units that go on changing without an event.
BEATS = ("room-workers", "room-slots")
_TO_RETURN = cells.letter(Direction.RETURN, OperationState.PENDING)


@dataclass(frozen=True)
class Look:
    """A deployment as of one event, and the grid's changes that led there.

    Attributes:
        seq: the number of that event.
        head: control_version, title, the tab's icon and the time of the event.
        html: each unit by its id; empty when nobody was behind.
        moves: position to letter for each event read, oldest first, up to `seq`.
    """

    seq: int
    head: Mapping[str, Any]
    html: Mapping[str, str]
    moves: tuple[Mapping[int, str], ...]

    def reaches(self, seq: int) -> bool:
        """Whether a page at `seq` can be brought here by what was read."""
        return self.seq - len(self.moves) <= seq <= self.seq

    def frame(self, seq: int, known: Mapping[str, str] | None = None) -> Frame:
        """Return the one frame that brings a page at `seq` here; it must be in reach.

        It is `whole`, and as good for a page that is later than `seq`, unless units
        that are as in `known` were left out of it: a page that is later may have seen
        those change, and change back.
        """
        last: dict[int, str] = {}
        for move in self.moves[len(self.moves) - (self.seq - seq) :]:
            last.update(move)
        old = known or {}
        html = {unit: text for unit, text in self.html.items() if old.get(unit) != text}
        return {
            "kind": "state",
            "from": seq,
            "to": self.seq,
            "whole": not known,
            **self.head,
            "html": html,
            "cells": sorted(last.items()),
        }


def look(deployment_id: int, seqs: Collection[int]) -> Look:
    """Look at a deployment once, for pages at these sequence numbers.

    Raises:
        Deployment.DoesNotExist: if there is none.
    """
    with _snapshot():
        row = Deployment.objects.get(pk=deployment_id)
        behind = [seq for seq in seqs if seq < row.seq]
        after = max(min(behind, default=row.seq), row.seq - FARTHEST)
        head, html = _now(row) if behind else ({}, {})
        return Look(row.seq, head, html, moves=_moves(row, after))


def pulse(deployment_id: int) -> dict[str, str]:
    """Return the units, by id, that change while nothing happens.

    These are the workers' beats, and what was seen of slots and their router.

    Raises:
        Deployment.DoesNotExist: if there is none.
    """
    context = room.pulse(deployment_id)
    return {unit: render_to_string(UNITS[unit], context) for unit in BEATS}


def since(deployment_id: int, seq: int) -> Frame:
    """Return the frame for a page at `seq`: what has changed, or everything.

    Everything is for a page that has seen nothing (0), too little, or a history that
    is not this one.

    Raises:
        Deployment.DoesNotExist: if there is none.
    """
    seen = look(deployment_id, [seq])
    if seq <= 0 or not seen.reaches(seq):
        return full(deployment_id)
    frame = seen.frame(seq)
    return frame if seen.html else {**frame, "html": pulse(deployment_id)}


def full(deployment_id: int) -> Frame:
    """Return everything that is live, as a frame from 0; `grid` is a letter a position.

    Raises:
        Deployment.DoesNotExist: if there is none.
    """
    with _snapshot():
        row = Deployment.objects.get(pk=deployment_id)
        head, html = _now(row)
        return {
            "kind": "state",
            "from": 0,
            "to": row.seq,
            "whole": True,
            **head,
            "html": html,
            "grid": grid.letters(row, course_of(row.plan_id)),
        }


@contextmanager
def _snapshot() -> Iterator[None]:
    """Read everything as of one moment, so that a frame is as true as its number."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
                )
        yield


def _now(row: Deployment) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the head and the rendered units, as of the snapshot."""
    context = room.summary(row.pk)
    last = Event.objects.filter(deployment_id=row.pk, seq=row.seq)
    at = last.values_list("at", flat=True).first()
    head = {
        "control_version": row.control_version,
        "title": context["deployment"]["title"],
        "icon": state_favicon(context["deployment"]["state"]),
        "at": at.isoformat() if at else None,
    }
    units = dict(UNITS)
    if len(context["heads"]) > MOST_COLUMNS:
        del units["room-stages"]  # the board is too wide to be shown, and so its head
    return head, {unit: render_to_string(name, context) for unit, name in units.items()}


def _moves(row: Deployment, after: int) -> tuple[dict[int, str], ...]:
    events = Event.objects.filter(deployment_id=row.pk, seq__gt=after, seq__lte=row.seq)
    payloads = events.order_by("seq").values_list("payload", flat=True)
    return tuple(_moved(row.pk, payload) for payload in payloads)


def _moved(deployment_id: int, payload: Mapping[str, Any]) -> dict[int, str]:
    """Return where one event left the positions that it moved."""
    if payload["format"] != wire.FORMAT:
        raise wire.UnknownFormat(f"format {payload['format']!r} is not known")
    last: dict[int, str] = {}
    for fact in payload["facts"]:
        # Read as stored: loading thousands of positions as values buys nothing here.
        if fact.get("effect") == "shift":
            continue  # a shift stands behind the targets, and is no cell
        if fact["kind"] == "OperationsMoved":
            last.update(dict.fromkeys(fact["positions"], cells.moved(fact)))
        elif fact["kind"] == "RollbackPlanned":
            last.update(dict.fromkeys(cells.returning(deployment_id), _TO_RETURN))
    return last
