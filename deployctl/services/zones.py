"""In which zone each target of a deployment stands at its start, kept for its room.

It writes it once; how a room counts by zone is the queries' affair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from deployctl.models import Target, Zones
from deployctl.models.fleet import ZONE
from strategies import Plan

#: So many are told apart, the largest; a room with more could not be read. As many fit
#: into a byte, with one for all others.
MOST_ZONES = 100
OTHERS = "other zones"


def keep(deployment_id: int, plan: Plan, chosen: Iterable[Target]) -> None:
    """Write the zones of a plan's targets; one that is gone by now stands in none."""
    zone_of = {str(target.pk): str(target.labels.get(ZONE, "")) for target in chosen}
    zones = [zone_of.get(planned.id, "") for planned in plan.targets]
    counts = Counter(zones)
    names = sorted(zone for zone, _ in counts.most_common(MOST_ZONES))
    number = {name: at for at, name in enumerate(names)}
    places = bytes(number.get(zone, len(names)) for zone in zones)
    if len(counts) > len(names):
        names.append(OTHERS)
    Zones.objects.create(deployment_id=deployment_id, names=names, places=places)
