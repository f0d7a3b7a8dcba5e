"""Which key a host must have: pinned to its target here, by a person, with an entry.

It knows no protocol: who asked the host for its key says what was seen, and where.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from deployctl.models import Target
from deployctl.services import audit
from deployctl.services.fleet import driver_digest, locked, refuse_in_use
from deployctl.services.people import Actor, require


class Refused(Exception):
    """The key was not pinned; nothing was changed."""


@dataclass(frozen=True)
class Seen:
    """A host key as it was offered: its line, its fingerprint, and at which address."""

    line: str
    fingerprint: str
    address: str


def pin_host_key(
    target: Target, seen: Seen, *, by: Actor, replace: bool = False
) -> bool:
    """Pin a host key to a target; return False when this very key was pinned before.

    A plan made before does not start any more: it names how each target is reached.

    Args:
        replace: whether another key that is pinned may be replaced.

    Raises:
        NotAllowed: if this person may not.
        Refused: another key is pinned, or the target has another address by now.
        InUse: if a live deployment has still to act on it.
    """
    require(by, "enrol targets", target.environment.name)
    with transaction.atomic():
        (row,) = locked(target.application, target.environment, [target.name])
        before = row.settings.get("host_key")
        if before == seen.line:
            return False
        _refuse(row, seen, has_other=before is not None and not replace)
        refuse_in_use([row.pk])
        row.settings = {**row.settings, "host_key": seen.line}
        row.driver_digest = driver_digest(row.driver, row.address, row.settings)
        row.save(update_fields=["settings", "driver_digest"])
        audit.record(
            by,
            "target.enrolled",
            row,
            before={"host_key": before},
            after={"host_key": seen.line, "fingerprint": seen.fingerprint},
        )
    return True


def _refuse(row: Target, seen: Seen, *, has_other: bool) -> None:
    if row.address != seen.address:
        raise Refused(
            f"{row} is at {row.address} by now, and the key was seen at {seen.address}."
            " Nothing was changed; enrol it again."
        )
    if has_other:
        raise Refused(
            f"Another key is pinned for {row}. Nothing was changed; if the host was set"
            " up anew, say --replace."
        )
