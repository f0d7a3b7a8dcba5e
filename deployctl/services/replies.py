"""What a person gets back for what was pressed, and that once for each key.

It knows no command: what is to be done is handed in, inside a turn.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from deployctl.models import Command
from deployctl.services import audit
from deployctl.services.people import Actor
from deployctl.services.turn import Turn

#: What a page says of a key that came back with another request.
REUSED = "This button was already used for something else. Reload the page."


class KeyReused(Exception):
    """An idempotency key came back with another request; nothing was done."""


@dataclass(frozen=True)
class Reply:
    """What became of a command.

    `status` is ok, noop (it was so already), refused (not in this state), stale (the
    page was older than the deployment) or denied (this person may not).
    """

    status: str
    message: str
    control_version: int


def once(
    turn: Turn, by: Actor, key: str, body: dict[str, Any], act: Callable[[], Reply]
) -> Reply:
    """Answer from the record, or act and record the answer in this transaction."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    stored = Command.objects.filter(actor_id=by.user_id, key=key).first()
    if stored is not None:
        if stored.body_hash != digest:
            raise KeyReused(REUSED)
        return Reply(**stored.answer)
    reply = act()
    Command.objects.create(
        actor_id=by.user_id,
        key=key,
        deployment_id=turn.id,
        body_hash=digest,
        answer=asdict(reply),
    )
    return reply


def answer(turn: Turn, by: Actor, kind: str, status: str, message: str) -> Reply:
    """Enter what was not done in the audit, and answer with it."""
    audit.record(by, f"deployment.{kind}", turn.row, result=status, reason=message)
    return Reply(status, message, turn.row.control_version)
