"""In which zone each target of a deployment stood at its start, and how it is there.

It counts letters that were read elsewhere; labels of today it does not know.
"""

from __future__ import annotations

from collections import Counter
from itertools import compress

from deployctl.models import Deployment, Zones
from deployctl.queries import looks


def at_start(row: Deployment) -> list[str]:
    """Return the zone of each position, in plan order; of small fleets only."""
    names, places = _kept(row)
    return [names[place] for place in places]


def counted(row: Deployment, states: str) -> dict[str, Counter[str]]:
    """Return counts of letters by zone, in order of name; nothing before the start.

    Args:
        row: the deployment.
        states: its letters.
    """
    names, places = _kept(row)
    found: list[Counter[str]] = [Counter() for _ in names]
    left = Counter({place: places.count(place) for place in range(len(names))})
    (whole,) = looks.counted(states, [(0, len(states))])
    # What most have is what the others leave: of 100,000 few need to be looked at.
    common, *others = [letter for letter, _ in whole.most_common()] or [""]
    for letter in others:
        is_so = states.encode().translate(_only(letter))
        here = Counter(compress(places, is_so))
        for place, n in here.items():
            found[place][letter] = n
        left -= here
    for place, n in left.items():
        found[place][common] = n
    return dict(zip(names, found, strict=True))


def _only(letter: str) -> bytes:
    """Return the table that makes one letter 1, and all others 0."""
    return bytes(byte == ord(letter) for byte in range(256))


def _kept(row: Deployment) -> tuple[list[str], bytes]:
    for names, places in Zones.objects.filter(pk=row.pk).values_list("names", "places"):
        return names, bytes(places)
    return [], b""
