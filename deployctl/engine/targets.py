"""What the settings of a target of any kind may be; it asks no target.

They are its driver's, and besides these `checks` and `traffic`, which any may have.
"""

from __future__ import annotations

from collections.abc import Mapping

from deployctl.engine import checks, drivers, traffic
from deployctl.engine.drivers.base import COMMON, own_settings

_PROBLEM = {"checks": checks.problem, "traffic": traffic.problem}
assert _PROBLEM.keys() == COMMON


def problems(kind: str, address: str, settings: Mapping[str, object]) -> dict[str, str]:
    """Return what is wrong with a target, by `address` or setting; {} if nothing.

    Raises:
        UnknownKind: as `drivers.get`.
    """
    found = drivers.get(kind).problems(address, own_settings(settings))
    for name in settings.keys() & COMMON:
        found[name] = _PROBLEM[name](settings[name])
    return {name: problem for name, problem in found.items() if problem}
