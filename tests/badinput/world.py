"""A small house in which every form and every address has something to name.

One application with a live deployment, another with a saved query and a version to
withdraw, a third with a failed deployment; each is foreign to the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

from django.contrib.auth.models import User
from django.test import Client

from deployctl.services import saved_forms, saved_queries, versions
from strategies.states import OperationState
from tests.badinput.values import SECRET
from tests.services.slotted import slotted
from tests.support.fleet import Place, simulated
from tests.support.rooms import Hand

PASSWORD = f"{SECRET}, and long enough"


class World:
    """What rows of the tables name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = Place(simulated(4))
        self.free = slotted(2, folder)
        self.version = versions.register_version(
            self.free.application, "2.0", by=self.free.by
        )
        self.foreign = versions.register_version(
            self.place.application, "7.0", by=self.place.by
        )
        self.withdrawn = versions.register_version(
            self.free.application, "1.9", by=self.free.by
        )
        versions.withdraw_version(self.withdrawn.pk, by=self.free.by, reason="it burns")
        self.query = saved_queries.save_query(
            self.free.application, "all", "name=t*", by=self.free.by
        )
        self.template = saved_forms.save_template(
            *(self.free.application, self.free.environment),
            *("usual", {"strategy": "rolling", "retries": "1"}),
            by=self.free.by,
        )
        self.deployment = self.place.deploy(batch_size=2, max_failures=1)
        self.hand = hand = Hand(self.deployment)
        hand.report(hand.claim(1), OperationState.SUCCEEDED)
        (self.claim,) = hand.claim(1)
        self.deployment.refresh_from_db()
        self.failed = Place(simulated(1)).deploy()
        hand = Hand(self.failed)
        hand.report(hand.claim(), OperationState.FAILED, "broken")
        self.target = self.place.targets[0]
        self.ids = {
            "target_id": self.target.pk,
            "query_id": self.query.pk,
            "version_id": self.version.pk,
            "deployment_id": self.deployment.pk,
            "operation_id": self.claim.operation_id,
            "plan_hash": self.deployment.plan_id,
            "saved_id": self.template.pk,
            "format": "csv",
        }
        #: Where a form is about another row than the others.
        self.others = {"deployment-follow": {"deployment_id": self.failed.pk}}
        self.rooms = [self.deployment.pk, self.failed.pk]
        self.alice = browser("alice")
        self.charlie = browser("charlie", staff=False)
        User.objects.create_user("bo", password=PASSWORD)

    def doubt(self) -> None:
        """Let an operation wait for a person's word; pages then say so everywhere."""
        self.hand.report([self.claim], OperationState.UNKNOWN)
        (again,) = self.hand.claim(1)
        self.hand.report([again], OperationState.UNRESOLVED, "no answer")


@contextmanager
def staying(client: Client) -> Iterator[None]:
    """Keep somebody signed in, whatever is sent to them."""
    cookies = deepcopy(client.cookies)
    try:
        yield
    finally:
        client.cookies = cookies


def browser(name: str = "", *, staff: bool = True) -> Client:
    """Return the browser of somebody who has signed in, or of nobody.

    It carries the secret in its headers and cookies.
    """
    client = Client(headers={"Authorization": f"Bearer {SECRET}"})
    if name:
        user = User.objects.create_user(name, password=PASSWORD, is_staff=staff)
        client.force_login(user)
    client.cookies["theme"] = SECRET
    return client
