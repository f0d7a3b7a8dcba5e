"""Versions: registered and withdrawn here, with an audit entry."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, transaction

from deployctl.models import Application, Version
from deployctl.models.fleet import NAME_PATTERN
from deployctl.services import audit
from deployctl.services.people import Actor, require

#: What is kept of a version beside its name.
_DETAILS = ("digest", "notes", "ticket")


class InvalidVersion(ValueError):
    """A version string that no target may be given; the text says what would do."""


def register_version(
    application: Application,
    version: str,
    *,
    by: Actor,
    digest: str = "",
    notes: str = "",
    ticket: str = "",
) -> Version:
    """Register a version of an application, or return the one that is there.

    Raises:
        InvalidVersion: if the text is not one; nothing was stored.
        NotAllowed: if this person may not.
    """
    require(by, "register versions", "every environment")
    check_version(version)
    details = {"digest": digest, "notes": notes, "ticket": ticket}
    with transaction.atomic():
        return _registered(application, version, details, by)[0]


def register_versions(entries: Sequence[Mapping[str, Any]], *, by: Actor) -> int:
    """Register all of these, or none; return how many were not there already.

    Args:
        entries: what `register_version` takes, one each.
        by: who registers them.

    Raises:
        InvalidVersion: one of them is none; nothing was stored.
        NotAllowed: if this person may not.
    """
    require(by, "register versions", "every environment")
    with transaction.atomic():
        made = 0
        for entry in entries:
            check_version(entry["version"])
            what = entry["application"], entry["version"]
            details = {name: entry.get(name, "") for name in _DETAILS}
            made += _registered(*what, details, by)[1]
    return made


def check_version(version: str) -> None:
    """Refuse a text that no target may be given.

    Raises:
        InvalidVersion: with the sentence that says what would be right.
    """
    if not re.fullmatch(NAME_PATTERN, version) or ".." in version:
        raise InvalidVersion(
            "A version starts with a letter or digit and has at most 128 of letters,"
            " digits and . _ + : @ / - , without two dots in a row."
        )


def _registered(
    application: Application, version: str, details: Mapping[str, str], by: Actor
) -> tuple[Version, bool]:
    row, made = Version.objects.get_or_create(
        application=application, version=version, defaults=details
    )
    if made:
        audit.record(by, "version.registered", row)
    return row, made


def withdraw_version(version_id: int, *, by: Actor, reason: str) -> Version:
    """Mark a version as not to be deployed any more, with the reason."""
    require(by, "withdraw versions", "every environment")
    with transaction.atomic():
        row = Version.objects.select_for_update().get(pk=version_id)
        if row.withdrawn_at is None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT clock_timestamp()")
                row.withdrawn_at = cursor.fetchone()[0]
            row.withdrawn_reason = reason
            row.save(update_fields=["withdrawn_at", "withdrawn_reason"])
            audit.record(by, "version.withdrawn", row, reason=reason)
    return row
