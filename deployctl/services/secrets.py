"""Secrets: set, removed and sealed anew here, each with an audit entry without a value.

A value goes in and is never handed out but to a worker (`opened`); what a driver does
with it is the engine's affair.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models.functions import Now

from deployctl import doorbell
from deployctl.models import Environment, Secret
from deployctl.queries.secrets import named_by
from deployctl.services import audit, sealing
from deployctl.services.people import Actor, require
from deployctl.services.sealing import NoKey, NotOpened, Place

#: A name is no path, and fits into a variable of the environment.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
#: NUL, and the surrogates by which a terminal hands on bytes that are no text.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
#: A private key, a certificate chain: more than that is no secret.
MOST_CHARACTERS = 65_536
#: So many are sealed anew in one transaction.
BATCH = 100
_EVERYWHERE = "every environment"


class Refused(Exception):
    """It cannot be done as things are; nothing was changed."""


@dataclass(frozen=True)
class Open:
    """A secret as a worker keeps it in memory; `value` is None if it does not open."""

    environment_id: int | None
    name: str
    value: str | None = field(repr=False)
    problem: str = ""


@dataclass
class Rotated:
    """How sealing anew went: how many were, and what is left, each with its reason."""

    count: int = 0
    left: list[str] = field(default_factory=list)


def set_secret(
    name: str, value: str, environment: Environment | None, *, by: Actor
) -> Secret:
    """Set a secret of an environment, or of all; space at its ends is no part of it.

    Raises:
        NotAllowed: if this person may not.
        Refused: the name or the value will not do.
        NoKey: there is nothing to seal it with.
    """
    require(by, "set secrets", _where(environment))
    value = _checked(name, value)
    key = sealing.keys().newest
    with transaction.atomic():
        # Without a value until its place, which is part of the seal, is known.
        row, made = Secret.objects.select_for_update().get_or_create(
            environment=environment, name=name
        )
        row.sealed = key.seal(value, place_of(row))
        row.key_id, row.set_by, row.set_at = key.id, by.label, Now()
        row.save()
        after = {"environment": _where(environment), "key": key.id}
        action = "secret.added" if made else "secret.changed"
        audit.record(by, action, row, after=after)
        doorbell.ring_reach()
    return row


def remove_secret(name: str, environment: Environment | None, *, by: Actor) -> bool:
    """Remove a secret; return whether there was one.

    Raises:
        NotAllowed: if this person may not.
        Refused: a target or router names it.
    """
    require(by, "remove secrets", _where(environment))
    with transaction.atomic():
        rows = Secret.objects.select_for_update()
        row = rows.filter(environment=environment, name=name).first()
        if row is None:
            return False
        _refuse_named(row)
        before = {"environment": _where(environment), "key": row.key_id}
        audit.record(by, "secret.removed", row, before=before)
        row.delete()
        doorbell.ring_reach()
    return True


def rotate(*, by: Actor) -> Rotated:
    """Seal every secret with the newest key, a batch a transaction.

    Killed in between, it goes on where it was. What does not open is left as it is.

    Raises:
        NotAllowed: if this person may not.
        NoKey: there is no key at all.
    """
    require(by, "rotate secrets", _EVERYWHERE)
    keys, done, after = sealing.keys(), Rotated(), 0
    while True:
        with transaction.atomic():
            old = Secret.objects.select_for_update().exclude(key_id=keys.newest.id)
            rows = list(old.filter(pk__gt=after).order_by("pk")[:BATCH])
            if not rows:
                return done
            anew = [row for row in rows if _seal_anew(row, keys, done.left)]
            Secret.objects.bulk_update(anew, ["sealed", "key_id"])
            if anew:
                said = {"secrets": len(anew), "key": keys.newest.id}
                audit.record(by, "secrets.rotated", Secret(), after=said)
        done.count += len(anew)
        after = rows[-1].pk


def opened() -> list[Open]:
    """Return all secrets with their values, for a worker's memory alone."""
    try:
        keys, problem = sealing.keys(), ""
    except NoKey as error:
        keys, problem = None, str(error)
    found = []
    for row in Secret.objects.order_by("pk"):
        value, why = None, problem
        if keys is not None:
            try:
                value = keys.open(row.key_id, bytes(row.sealed), place_of(row))
            except (NoKey, NotOpened) as error:
                why = str(error)
        found.append(Open(row.environment_id, row.name, value, why))
    return found


def place_of(row: Secret) -> Place:
    """Return the place that a row's value is sealed for."""
    return Place(row.pk, row.environment_id, row.name)


def _seal_anew(row: Secret, keys: sealing.Keys, left: list[str]) -> bool:
    place = place_of(row)
    try:
        value = keys.open(row.key_id, bytes(row.sealed), place)
    except (NoKey, NotOpened) as error:
        left.append(str(error))
        return False
    row.sealed, row.key_id = keys.newest.seal(value, place), keys.newest.id
    return True


def _checked(name: str, value: str) -> str:
    if not NAME.fullmatch(name):
        raise Refused(
            "The name of a secret has at most 64 small letters, digits, - and _, a"
            " letter or digit first. Nothing was changed."
        )
    value = value.strip()
    if not 0 < len(value) <= MOST_CHARACTERS or _NO_TEXT.search(value):
        raise Refused(
            f"The value of a secret is a text of 1 to {MOST_CHARACTERS:,} characters"
            " without NUL. Nothing was changed."
        )
    return value


def _refuse_named(row: Secret) -> None:
    names = named_by(row)
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise Refused(
            f"{row.name} is named by {', '.join(names[:3])}{more}. Nothing was changed;"
            " change their settings first, or set another value."
        )


def _where(environment: Environment | None) -> str:
    return environment.name if environment else _EVERYWHERE
