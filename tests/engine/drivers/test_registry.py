"""Kinds by name, their settings, and the digest that goes into plans."""

from __future__ import annotations

import pytest

from deployctl.engine import drivers
from deployctl.engine.drivers.agent import AgentDriver


def test_kinds_by_name() -> None:
    assert drivers.kinds() == ("agent", "simulated")
    assert drivers.get("agent") is AgentDriver
    with pytest.raises(drivers.UnknownKind, match="agent, simulated"):
        drivers.get("os.system")


@pytest.mark.asyncio
async def test_one_driver_of_each_kind_until_closed() -> None:
    opened = drivers.Drivers()
    first = opened.of("agent")
    assert opened.of("agent") is first
    await opened.close()
    assert opened.of("agent") is not first


def test_agent_settings_are_checked() -> None:
    good = {"token": "demo", "health_url": "http://host/health"}
    assert AgentDriver.problems("http://host:7000", good) == {}
    bad = {"token": "S3cret value", "health_url": "file:///x", "password": "x"}
    found = AgentDriver.problems("ssh://host", bad)
    assert found.keys() == {"address", "token", "health_url", "password"}


def test_digest_changes_with_what_would_be_done() -> None:
    base = drivers.digest("agent", "http://a", {"x": 1, "y": 2})
    assert base == drivers.digest("agent", "http://a", {"y": 2, "x": 1})
    others = {
        drivers.digest("simulated", "http://a", {"x": 1, "y": 2}),
        drivers.digest("agent", "http://b", {"x": 1, "y": 2}),
        drivers.digest("agent", "http://a", {"x": 2, "y": 2}),
        drivers.digest("agent", "http://a", {}),
    }
    assert len({base, *others}) == 5
    assert base == ("54b749c511cc49b7af523f81dc54599e8d05229df97cad80594ee2f8f0273e23")


def test_digest_refuses_what_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="JSON"):
        drivers.digest("agent", "", {"x": float("nan")})
