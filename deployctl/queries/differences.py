"""What sets a plan apart from the one that a person saw before; it keeps neither.

The page itself carries a sketch of the plan that it shows. The sketch comes back from a
browser, so nothing is decided by it: missing or forged, it says nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from deployctl.models import Plan as Rows
from deployctl.models import Target
from deployctl.queries.plans import read, written
from strategies.plan import Plan

_HASH = re.compile(r"[0-9a-f]{6,64}")
#: A sketch is unpacked up to so many bytes: some 60,000 targets.
MOST_BYTES = 4_000_000
#: So many targets are named in a line; of more, only their number is said.
MOST_NAMES = 5
MOST_LINES = 20
#: Enough of a digest to see that it has changed.
_DIGITS = 6


def sketch(plan: Plan) -> str:
    """Return the part of a plan that `differences` compares, as text for a form."""
    content = {
        "version": [plan.version, plan.version_digest],
        "options": dict(plan.options),
        "serving": plan.router.serving if plan.router else "",
        "work": [
            [int(t.id), t.seen_version or "", t.driver_digest[:_DIGITS]]
            for t in plan.targets
        ],
        "skipped": [int(skip.id) for skip in plan.skipped],
        "left_out": [int(each.id) for each in plan.left_out],
    }
    packed = zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 1)
    return base64.b64encode(packed).decode("ascii")


def differences(seen: str, plan: Plan) -> list[str]:
    """Return a sentence for each way in which a plan differs from the one seen.

    Nothing when the sketch cannot be read, or when they do not differ in what it holds.
    """
    try:
        return _lines(_read(seen), _read(sketch(plan)))[:MOST_LINES]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def beside(plan: Plan, other: str) -> dict[str, Any]:
    """Return {hash, problem, lines}: how a plan differs from another, by its hash."""
    like = Rows.objects.filter(pk__startswith=other)
    rows = list(like[:2]) if _HASH.fullmatch(other) else []
    if len(rows) != 1:
        why = "alone begins so: give more of it" if rows else "begins so"
        return {"hash": other, "problem": f"No plan {why}.", "lines": []}
    lines = differences(sketch(read(rows[0])), plan)
    return {"hash": rows[0].hash, "problem": "", "lines": lines}


def _read(text: str) -> dict[str, Any]:
    try:
        unpack = zlib.decompressobj()
        raw = unpack.decompress(base64.b64decode(text, validate=True), MOST_BYTES)
    except (binascii.Error, zlib.error) as error:
        raise ValueError("no sketch") from error
    content = json.loads(raw)
    work = {int(pk): (str(was), str(how)) for pk, was, how in content["work"]}
    skipped = {int(pk) for pk in content["skipped"]}
    left_out = {int(pk) for pk in content["left_out"]}
    if any(not 0 < pk < 2**63 for pk in (*work, *skipped, *left_out)):
        raise ValueError("no row has such a number")
    return {**content, "work": work, "skipped": skipped, "left_out": left_out}


def _lines(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    before, after = old["work"], new["work"]
    kept = [pk for pk in after if pk in before]
    groups: dict[str, list[int]] = {
        "added": [pk for pk in after if pk not in before],
        "left out, gone": [
            pk
            for pk in before
            if pk not in after and pk not in new["skipped"] | new["left_out"]
        ],
        "left out, disabled": [pk for pk in before if pk in new["left_out"]],
        "left out, at the version already": [
            pk for pk in before if pk in new["skipped"]
        ],
        "moved": [pk for pk in kept if before[pk][1] != after[pk][1]],
    }
    pairs: dict[tuple[str, str], list[int]] = {}
    for pk in kept:
        if before[pk][0] != after[pk][0]:
            pairs.setdefault((before[pk][0], after[pk][0]), []).append(pk)
    found = [*groups.values(), *list(pairs.values())[:MOST_LINES]]
    name = _named({pk for pks in found for pk in pks[:MOST_NAMES]})
    lines = _settings(old, new)
    lines += [
        f"{_all(pks, name)}: {_SAYS[what]}." for what, pks in groups.items() if pks
    ]
    lines += [
        f"{_all(pks, name)}: ran {was or 'nothing'}, now {now or 'nothing'}."
        for (was, now), pks in pairs.items()
    ]
    reordered = kept != [pk for pk in before if pk in after]
    return [*lines, _REORDERED] if reordered else lines


_SAYS = {
    "added": "added to what is changed",
    "left out, gone": "no longer there",
    "left out, disabled": "disabled since",
    "left out, at the version already": "needs no change any more",
    "moved": "reached in another way, at another address or with other settings",
}
_REORDERED = "The order is another one: the unhealthy come first."


def _settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    lines = []
    if old["version"] != new["version"]:
        same = old["version"][0] == new["version"][0]
        what = "has another digest" if same else f"was {old['version'][0]}"
        lines.append(f"Version {new['version'][0]}: {what}.")
    served, serves = old.get("serving"), new["serving"]
    if served and served != serves:
        lines.append(f"Traffic goes to {serves or 'no slot'}: was {served}.")
    options = old["options"]
    for key in sorted({*options, *new["options"]}):
        was, now = options.get(key), new["options"].get(key)
        if was != now:
            what = key.replace("_", " ").capitalize()
            lines.append(f"{what}: {_option(was)}, now {_option(now)}.")
    return lines


def _option(value: object) -> str:
    return "left out" if value is None or value == "" else written(value)


def _named(pks: Iterable[int]) -> Callable[[int], str]:
    names = dict(Target.objects.filter(pk__in=pks).values_list("pk", "name"))
    return lambda pk: names.get(pk, f"target {pk}")


def _all(pks: list[int], name: Callable[[int], str]) -> str:
    shown = ", ".join(name(pk) for pk in pks[:MOST_NAMES])
    left = len(pks) - MOST_NAMES
    return shown if left <= 0 else f"{shown} and {left:,} more"
