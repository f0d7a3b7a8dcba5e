"""Which targets a share of traffic is for: read for the claims that set one.

It reads names and settings; how a load balancer is told is the engine's affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deployctl.models import Target
from deployctl.queries.plans import plan_of
from deployctl.services.claims import Claim
from strategies.weights import Weights

if TYPE_CHECKING:
    from deployctl.services.turn import Turn

#: A target's name, and its setting `traffic`.
_Member = tuple[str, list[dict[str, Any]]]


def with_groups(turn: Turn, claims: Sequence[Claim]) -> list[Claim]:
    """Return claims on routers with the targets that their shares are for."""
    if not claims or not turn.progress.course.weighs:
        return list(claims)
    members = _in_order(turn)
    return [
        claim._replace(
            groups={
                label: [each for each in members[: Weights.read(label).count] if each]
                for label in (claim.from_version, claim.to_version)
                if label
            }
        )
        for claim in claims
    ]


def _in_order(turn: Turn) -> list[_Member | None]:
    """Return the selected targets as a share counts them: what ran the version, first.

    One that was removed since is None: it is told of no more, and still counted.
    """
    plan = plan_of(turn.row)
    ids = [int(s.id) for s in plan.skipped] + [int(t.id) for t in plan.targets]
    found = Target.objects.filter(pk__in=ids, removed_at=None)
    rows = found.values_list("pk", "name", "settings")
    by_id = {pk: (name, settings.get("traffic") or []) for pk, name, settings in rows}
    return [by_id.get(each) for each in ids]
