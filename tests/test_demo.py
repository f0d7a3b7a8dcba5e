"""The demo's agents: each has a port that is free, and stays so until it listens."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from deployctl.management.commands import demo
from deployctl.models import Target
from tests.support.fleet import person


class Became(Exception):
    """The process would be another program now."""


def listening(port: int) -> socket.socket:
    """Return a socket that holds a port."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((demo.HOST, port))
    held.listen()
    return held


def test_new_ports_are_none_that_an_outgoing_connection_may_get() -> None:
    ports = demo.free_ports(["a", "b", "c"], {})
    assert len(set(ports.values())) == 3
    for port in ports.values():
        assert port in demo.FRESH_PORTS
    given_out = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if given_out.is_file():
        first = int(given_out.read_text().split()[0])
        assert demo.FRESH_PORTS[-1] < first


def test_a_port_is_kept_unless_another_program_has_it() -> None:
    ports = demo.free_ports(["a", "b"], {})
    assert demo.free_ports(["a", "b"], ports) == ports
    with listening(ports["a"]):
        again = demo.free_ports(["a", "b"], ports)
    assert again["a"] not in (ports["a"], ports["b"])
    assert again["b"] == ports["b"]


def test_that_none_is_free_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = demo.free_ports(["a"], {}).values()
    monkeypatch.setattr(demo, "FRESH_PORTS", range(port, port + 1))
    with listening(port), pytest.raises(CommandError, match="No port is free"):
        demo.free_ports(["a"], {})


@pytest.mark.django_db
def test_agents_whose_port_was_taken_meanwhile_get_another(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_DIR = tmp_path
    person("admin")
    call_command("demo")

    def became(program: str, argv: list[str]) -> None:
        raise Became

    monkeypatch.setattr(os, "execv", became)
    with pytest.raises(Became):
        call_command("demo_agents")
    file = demo.configuration_file(tmp_path)
    before = json.loads(file.read_text())["agents"]
    with listening(before[0]["port"]), pytest.raises(Became):
        call_command("demo_agents")
    after = json.loads(file.read_text())["agents"]
    assert after[0]["port"] != before[0]["port"]
    assert after[1:] == before[1:]
    target = Target.objects.get(name=f"storefront-{after[0]['name']}")
    assert target.address == f"http://127.0.0.1:{after[0]['port']}"
