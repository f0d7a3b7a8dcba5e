"""What docs/terminal.md types does what it says, in its order."""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Iterator

import pytest
from django.core.management import get_commands
from django.db.models.functions import Now

from deployctl import __version__
from deployctl.management.terminal.codes import Code
from deployctl.models import Deployment, Worker
from deployctl.models.deployments import LIVE_STATES
from deployctl.services import fleet, versions
from deployctl.services.claims import Claim
from deployctl.services.saved_forms import save_template
from strategies.states import OperationState
from tests.services.hands import Beside, Hands, said
from tests.support import ROOT
from tests.support.fleet import person, simulated
from tests.terminal.typing import typed

pytestmark = pytest.mark.django_db(transaction=True)

DOCUMENT = (ROOT / "docs" / "terminal.md").read_text()
LINES = re.findall(r"^\$ manage\.py (.*)$", DOCUMENT, re.MULTILINE)
#: Our commands that are no release manager's.
OTHERS = (
    *("addresses", "demo", "demo_agents", "enrol", "make_admin", "migrate", "probe"),
    *("router", "secret", "up", "web", "worker"),
    # Of fleets: docs/targets.md has them.
    *("edit_targets", "export_targets", "import_targets"),
)
#: The version that one target cannot run.
BROKEN = "1.3.0"


@pytest.fixture
def worker() -> Iterator[None]:
    """Do all work that there is, by hand; the first target cannot run `BROKEN`."""
    over = threading.Event()
    kept: dict[int, Hands] = {}

    def work() -> None:
        while not over.wait(0.02):
            for row in Deployment.objects.filter(state__in=LIVE_STATES):
                if row.pk not in kept:
                    kept[row.pk] = Hands(row)
                carry_out(kept[row.pk])

    working = Beside(work)
    yield
    over.set()
    working.get()


def carry_out(hands: Hands) -> None:
    """Claim what may be claimed, and report at once what came of it."""
    Worker.objects.update(version=__version__, beat_at=Now())
    claims = hands.flush(check=False).claims
    hands.flush(*(said(c, outcome(c)) for c in claims), check=False, places=0)


def outcome(claim: Claim) -> OperationState:
    """Return what comes of a claim."""
    bad = (claim.name, claim.to_version) == ("t0", BROKEN)
    return OperationState.FAILED if bad else OperationState.SUCCEEDED


@pytest.mark.usefixtures("numbers_from_one", "worker")
def test_it_is_typed_and_ends_as_it_says() -> None:
    by = person()
    shop = fleet.add_application("storefront", by=by)
    where = fleet.add_environment("production", by=by, is_production=True)
    eight = simulated(8)
    fleet.add_targets(shop, where, eight, by=by)
    for version in ("1.0", BROKEN):
        versions.register_version(shop, version, by=by)
    save_template(shop, where, "careful", {"strategy": "canary"}, by=by)
    for line in LINES:
        told = typed(*shlex.split(line, comments=True))
        ends = re.search(r"# ends with (\d+)$", line)
        assert told.code == (int(ends[1]) if ends else 0), (line, told)
        assert told.out, line


def test_every_command_is_shown_or_named() -> None:
    ours = {name for name, app in get_commands().items() if app == "deployctl"}
    shown = {line.split()[0] for line in LINES} | {"completion"}
    assert ours - set(OTHERS) == shown


def test_every_exit_code_is_in_the_table() -> None:
    table = re.findall(r"^\| (\d+) \|", DOCUMENT, re.MULTILINE)
    assert list(map(int, table)) == sorted(map(int, Code))
