"""`manage.py demo`: a small fleet to try things on, made once; agents are real.

It writes the agents' configuration under DATA_DIR and enters their targets; it starts
nothing (`demo_agents` does) and touches no other fleet.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import CommandError
from django.db import transaction

from deployctl.launch.ports import is_free
from deployctl.management.base import OurCommand
from deployctl.models import Application, Environment, Router, Target
from deployctl.services import fleet, routers, versions
from deployctl.services.fleet import InUse, NewTarget
from deployctl.services.people import Actor, actor_of


@dataclass(frozen=True)
class Place:
    """One fleet of the demo: `count` targets, named by their prefix and a number.

    With slots it has a router, and each slot an equal part of the targets.
    """

    application: str
    environment: str
    is_production: bool
    count: int
    prefix: str
    slots: tuple[str, ...] = ()

    @property
    def agents(self) -> list[str]:
        """The names of its agents, in order."""
        return [f"{self.prefix}-{n:02d}" for n in range(1, self.count + 1)]


PLACES = (
    Place("storefront", "staging", False, 8, "stg"),
    Place("storefront", "production", True, 16, "prod"),
    Place("checkout", "production", True, 6, "pay", slots=("blue", "green")),
)
ZONES = ("eu-west-1a", "eu-west-1b", "us-east-1a", "us-east-1b")
RUNNING = "1.0.0"
VERSIONS = (
    (RUNNING, "What the demo fleet runs."),
    ("1.1.0", "Works everywhere."),
    ("1.2.0", "Fails its health check on three production targets."),
)
#: Production targets that cannot run 1.2.0: the first stands in a second batch of 4.
UNHEALTHY = {"prod-06": ["1.2.0"], "prod-11": ["1.2.0"], "prod-14": ["1.2.0"]}
APPLY_SECONDS = 0.8
HOST = "127.0.0.1"
#: New ports are of these: Linux gives none of them to a connection that goes out, which
#: may have taken one before its agent listens.
FRESH_PORTS = range(10_000, 16_000)
TOKEN = "demo-agents"  # noqa: S105  # the secret's name, not its value


class Command(OurCommand):
    """Make the demo fleet, or give its agents free ports again."""

    help = "Make two applications with real agents, a router, and three versions each."

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what is missing; run as often as you like."""
        people = get_user_model().objects.filter(is_staff=True, is_active=True)
        first = people.order_by("pk").first()
        if first is None:
            raise CommandError("There is no administrator; run make_admin first.")
        by = actor_of(first, source="demo")
        agents = configure(settings.DATA_DIR)
        with transaction.atomic():
            for sentence in enter(by, agents):
                self.stderr.write(sentence)


def configuration_file(data: Path) -> Path:
    """Where the agents of this demo find their configuration."""
    return data / "demo" / "agents.json"


def configure(data: Path) -> dict[str, int]:
    """Write the agents' configuration; return their ports, by target name.

    Ports are kept from start to start, unless another program has taken one.
    """
    path = configuration_file(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    token = data / "secrets" / TOKEN
    if not token.is_file():
        token.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        token.touch(mode=0o600)
        token.write_text(secrets.token_urlsafe(32))
    names = [name for place in PLACES for name in place.agents]
    known = json.loads(path.read_text())["agents"] if path.is_file() else []
    ports = free_ports(names, {each["name"]: each["port"] for each in known})
    content = {
        "defaults": {"apply_seconds": APPLY_SECONDS, "version": RUNNING}
        | {"token_file": str(token)},
        "agents": [
            {
                "name": name,
                "port": ports[name],
                "state_dir": str(path.parent / name),
                "unhealthy_versions": UNHEALTHY.get(name, []),
            }
            for name in names
        ],
    }
    path.write_text(json.dumps(content, indent=1))
    return ports


def free_ports(names: list[str], wanted: dict[str, int]) -> dict[str, int]:
    """Return a free port for each name: the wanted one where that is free.

    Raises:
        CommandError: there are not so many.
    """
    begin = secrets.randbelow(len(FRESH_PORTS))
    fresh = chain(FRESH_PORTS[begin:], FRESH_PORTS[:begin])
    ports: dict[str, int] = {}
    for name in names:
        asked = [wanted[name]] if name in wanted else []
        for port in chain(asked, fresh):
            if port not in ports.values() and is_free(HOST, port):
                ports[name] = port
                break
        else:
            raise CommandError(f"No port is free from {FRESH_PORTS[0]} on.")
    return ports


def has_taken_ports(data: Path) -> bool:
    """Whether somebody else listens where an agent of this demo should."""
    agents = json.loads(configuration_file(data).read_text())["agents"]
    return not all(is_free(HOST, each["port"]) for each in agents)


def enter(by: Actor, ports: dict[str, int]) -> list[str]:
    """Enter what is missing, and where the agents are now.

    Returns:
        Why targets of a place kept their old addresses, a sentence for each such place.
    """
    kept: list[str] = []
    for place in PLACES:
        application = fleet.add_application(place.application, by=by)
        for version, notes in VERSIONS:
            versions.register_version(application, version, by=by, notes=notes)
        environment = fleet.add_environment(
            place.environment, by=by, is_production=place.is_production
        )
        where = application, environment
        addresses = {
            f"{place.application}-{agent}": f"http://{HOST}:{ports[agent]}"
            for agent in place.agents
        }
        try:
            fleet.move_targets(*where, addresses, by=by)
        except InUse as error:
            name = place.environment
            kept.append(
                f"Agents in {name} have other ports than their targets: {error}"
            )
        _add_missing(place, where, addresses, by)
    return kept


def _add_missing(
    place: Place,
    where: tuple[Application, Environment],
    addresses: dict[str, str],
    by: Actor,
) -> None:
    application, environment = where
    present = Target.objects.filter(application=application, environment=environment)
    there = set(present.values_list("name", flat=True))
    new = [
        NewTarget(
            name=target,
            address=address,
            driver="agent",
            settings={"token": TOKEN},
            labels={"zone": ZONES[number % len(ZONES)]},
            recorded_version=RUNNING,
            slot=place.slots[number % len(place.slots)] if place.slots else None,
        )
        for number, (target, address) in enumerate(addresses.items())
        if target not in there
    ]
    if new:
        fleet.add_targets(*where, new, by=by)
    routed = Router.objects.filter(application=application, environment=environment)
    if place.slots and not routed.exists():
        file = configuration_file(settings.DATA_DIR).parent / "router.json"
        given = {"file": str(file), "serving": place.slots[0]}
        routers.add_router(*where, "simulated", place.slots, given, by=by)
