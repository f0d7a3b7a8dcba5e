"""Who acts, and the one question of whether they may.

It knows people and verbs; it does not know states: what is allowed now is decided by
the core.
"""

from __future__ import annotations

import getpass
import socket
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User

from deployctl.queries.people import may_act


class NotAllowed(Exception):
    """The actor may not do this; nothing was changed."""


@dataclass(frozen=True)
class Actor:
    """A person as they act now: `source` says from where (an address, a terminal)."""

    user_id: int
    label: str
    may_act: bool
    source: str = ""


def actor_of(user: AbstractBaseUser | AnonymousUser, source: str = "") -> Actor:
    """Return the actor behind a signed-in user, with today's rights.

    Raises:
        NotAllowed: for nobody, or somebody who has been deactivated.
    """
    if not user.is_authenticated or not user.is_active:
        raise NotAllowed("Sign in first.")
    return Actor(
        user_id=int(user.pk),
        label=user.get_username(),
        may_act=may_act(user),
        source=source,
    )


def at_terminal(name: str | None = None) -> Actor:
    """Return who runs a command: the account of that name, else of their login's.

    Somebody else's login is nobody's account; they are then the one person who may act,
    if there is only one.

    Raises:
        NotAllowed: there is no such account, or nobody was named among many.
    """
    login = getpass.getuser()
    users = User.objects.filter(is_active=True)
    user = users.filter(username=name or login).first()
    if user is None and name is None:
        staff = list(users.filter(is_staff=True)[:2])
        user = staff[0] if len(staff) == 1 else None
    if user is None:
        raise NotAllowed(
            f"There is no account {name or login}; say who you are with --by."
            " Nothing was changed."
        )
    return actor_of(user, source=f"terminal of {login} at {socket.gethostname()}"[:200])


def require(by: Actor, verb: str, place: str) -> None:
    """Refuse unless this person may do this here.

    Until roles exist, staff may do everything and everybody else may look.

    Args:
        by: who acts.
        verb: what is to be done, in the imperative: "pause", "start".
        place: the environment's name.

    Raises:
        NotAllowed: with the sentence that says who can grant it.
    """
    if not by.may_act:
        raise NotAllowed(
            f"{by.label} may look but not {verb} in {place}; an administrator can"
            " grant it. Nothing was changed."
        )
