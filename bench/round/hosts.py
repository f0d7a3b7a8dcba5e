"""Hosts over SSH: cold, over kept connections, beside asyncssh alone and Ansible."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from bench import peers
from bench.ansible import Ansible
from bench.round import fleets
from bench.round.readings import Readings
from bench.round.workers import Workers
from bench.sshd import Hosts
from deployctl.services.fleet import NewTarget

HOSTS, AT_ONCE = 500, 50
#: Ansible takes so long that a part of the fleet tells enough.
ANSIBLE_HOSTS = 100
SECRET, VARIABLE = "bench-ssh", "DEPLOYCTL_SECRET_BENCH_SSH"


def connecting(readings: Readings, repeats: int) -> None:
    """Deploy to 500 hosts over SSH, 50 at once, with our wrapper on each."""
    base = Path(os.environ["DATA_DIR"])
    hosts = Hosts(base / "hosts", HOSTS, _free_port())
    os.environ[VARIABLE] = hosts.key
    try:
        fleet = fleets.of([_target(hosts, number) for number in range(HOSTS)])
        for repeat in range(repeats):
            alone = peers.commanding(hosts, AT_ONCE, fence=repeat + 1)
            readings.peer_rate("asyncssh alone, our three commands", HOSTS / alone)
            ours = _deployed(readings, fleet, alone)
        wall, cpu = Ansible(base / "ansible").shell(hosts, ANSIBLE_HOSTS, AT_ONCE)
        readings.peer_rate("ansible, a shell that does nothing", ANSIBLE_HOSTS / wall)
        per_host = wall / ANSIBLE_HOSTS / (ours[0] / HOSTS)
        readings.times("faster than ansible, cold", per_host, 10)
        less = cpu / ANSIBLE_HOSTS / (ours[1] / HOSTS)
        readings.times("less CPU of the controller than ansible, cold", less, 20)
    finally:
        hosts.close()
        del os.environ[VARIABLE]


def _deployed(
    readings: Readings, fleet: fleets.Fleet, alone: float
) -> tuple[float, float]:
    """Deploy twice with one worker; return the first one's wall and CPU seconds."""
    with Workers(1) as running:
        cold = fleets.ran(fleet, AT_ONCE, window=True)
        running.read()
        cost = running.cost
        kept = fleets.ran(fleet, AT_ONCE, window=True)
        running.read()
    work = "500 hosts over SSH, cold, held against asyncssh alone"
    readings.against(work, cold.wall_seconds / alone, 1.15, cost, HOSTS)
    name = "500 hosts over SSH, kept connections, a target"
    readings.worst(name, kept.wall_seconds / HOSTS, 0.004)
    # The hosts share these cores; elsewhere what they do is theirs to pay.
    spent = running.cost.ours - cost.ours
    readings.time("the same, CPU of the worker alone", spent / HOSTS)
    readings.size(
        "peak memory of a worker, 500 kept connections", running.peak_megabytes
    )
    return cold.wall_seconds, cost.ours


def _target(hosts: Hosts, number: int) -> NewTarget:
    return NewTarget(
        name=f"host-{number:03d}",
        address=f"ssh://{hosts.user}@{hosts.addresses[number]}:{hosts.port}",
        driver="ssh",
        settings={
            "host_key": hosts.host_key,
            "key": SECRET,
            "command": hosts.command(number, "ours"),
        },
        recorded_version="1",
    )


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
