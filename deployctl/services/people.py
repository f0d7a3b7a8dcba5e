"""Who acts, and the one question of whether they may.

It knows people and verbs; it does not know states: what is allowed now is decided by
the core.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

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
