"""Who may act, as pages name them; the question itself is asked by the services.

Until roles exist there is one: staff may do everything, everybody else may look.
"""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User

#: What those who may act are called.
ROLE = "staff"
#: So many are named; of more, only their number is said.
MOST_NAMED = 3


def may_act(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Return whether a person has the role, however they came here."""
    return bool(user.is_active and getattr(user, "is_staff", False))


def those_who_may() -> str:
    """Return who may act, as the subject of a sentence: "Staff (ana, bo)"."""
    found = User.objects.filter(is_active=True, is_staff=True).order_by("username")
    names = list(found.values_list("username", flat=True)[:MOST_NAMED])
    more = found.count() - len(names) if len(names) == MOST_NAMED else 0
    if not names:
        return f"Nobody is {ROLE}: no one"
    listed = ", ".join(names) + (f" and {more:,} more" if more else "")
    return f"{ROLE.capitalize()} ({listed})"
