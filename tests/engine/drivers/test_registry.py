"""Kinds by name, and their settings."""

from __future__ import annotations

import pytest

from deployctl.engine import drivers
from deployctl.engine.drivers.agent import AgentDriver


def test_kinds_by_name() -> None:
    assert drivers.kinds() == (
        "agent",
        "command",
        "simulated",
        "ssh",
        "ssh-command",
        "webhook",
    )
    assert drivers.get("agent") is AgentDriver
    with pytest.raises(drivers.UnknownKind, match="agent, command, simulated, ssh"):
        drivers.get("os.system")


@pytest.mark.asyncio
async def test_one_driver_of_each_kind_until_closed() -> None:
    opened = drivers.Drivers()
    first = opened.of("agent")
    assert opened.of("agent") is first
    await opened.close()
    assert opened.of("agent") is not first


def test_agent_settings_are_checked() -> None:
    good = {"token": "demo"}
    assert AgentDriver.problems("http://host:7000", good) == {}
    bad = {"token": "S3cret value", "password": "x"}
    found = AgentDriver.problems("ssh://host", bad)
    assert found.keys() == {"address", "token", "password"}
