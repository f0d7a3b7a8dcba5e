"""What a person types, and what comes of it: in this process, or in one of its own."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.core.management import CommandError, call_command

from deployctl.models import Deployment
from deployctl.services import versions
from tests.services.hands import Beside, Hands
from tests.support import nursery
from tests.support.fleet import Place, until

#: Healthy is believed at once; no wait between batches.
QUICK = ("-o", "delay_seconds=0", "-o", "health_min_healthy_seconds=0")


class Said(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """The objects of stdout, one a line, and nothing else there."""
        return [json.loads(line) for line in self.out.splitlines()]


def typed(*argv: Any) -> Said:
    """Run a command here; an error's sentence is on stderr, as it would be."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    try:
        call_command(*map(str, argv), stdout=out, stderr=err)
    except CommandError as error:
        code = error.returncode
        err.write(str(error))
    except SystemExit as end:
        code = int(end.code or 0)
    return Said(code, out.getvalue(), err.getvalue())


def run(environment: Mapping[str, str], *argv: Any) -> Said:
    """Run `manage.py` as a program."""
    done = nursery.run(program(*argv), env=environment)
    return Said(done.returncode, done.stdout, done.stderr)


def program(*argv: Any) -> list[str]:
    """Return the argv of `manage.py` with these words, without its Python."""
    return [nursery.MANAGE, *map(str, argv)]


def registered(place: Place, version: str = "2.0") -> list[str]:
    """Register a version there; return the words that deploy it."""
    versions.register_version(place.application, version, by=place.by)
    where = place.environment.name
    return ["deploy", place.application.name, version, "--env", where, "--by", "ana"]


def newest() -> Deployment:
    """Wait for a deployment that has started, and return the newest."""

    def there() -> Deployment | None:
        return Deployment.objects.exclude(started_at=None).order_by("-pk").first()

    found = until(there, what="a deployment starts")
    assert found is not None
    return found


def beside(*argv: Any) -> Beside:
    """Run a command in a thread with a connection of its own."""
    return Beside(lambda: typed(*argv))


def worked(place: Place, failing: tuple[str, ...] = (), **more: Any) -> Deployment:
    """Wait for a deployment, and do its work by hand."""
    deployment = newest()
    return Hands(deployment, **more).run(failing)
