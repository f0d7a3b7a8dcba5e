"""`manage.py deploy --template`: how a team deploys, saved once in the builder."""

from __future__ import annotations

import pytest

from deployctl.models import Deployment, SavedForm
from deployctl.services.saved_forms import save_template
from deployctl.services.saved_queries import save_query
from tests.support.fleet import Place, simulated
from tests.terminal.typing import newest, registered, typed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place() -> Place:
    return Place(simulated(6))


def careful(place: Place, where: str = "") -> SavedForm:
    """Save a template: a canary in two stages, of what the query chooses."""
    fields = {"strategy": "canary", "stages": "50, 100", "health_interval_seconds": "7"}
    query = None
    if where:
        query = save_query(place.application, "Some", where, by=place.by)
    where_to = place.application, place.environment
    return save_template(*where_to, "careful", fields, by=place.by, query=query)


def test_a_template_says_how_and_what_is_typed_goes_before(place: Place) -> None:
    words = registered(place)
    careful(place, "name=t1 | name=t4")
    use = [*words, "--template", "careful"]
    said = typed(*use, "--plan").out
    assert "Canary: 2 of 2 targets to 2.0 in 2 batches" in said
    said = typed(*use, "--where", "name=t*", "-o", "stages=20,100", "--plan").out
    assert "Canary: 6 of 6 targets" in said
    assert "  stage 1: 20 %, 2 targets" in said
    (plan,) = typed(*use, "--strategy", "canary", "--plan", "--json").records
    assert plan["plan"]["course"]["limits"]["health"]["interval_seconds"] == 7


def test_a_template_remembers_what_began_with_it(place: Place) -> None:
    row = careful(place)
    words = [*registered(place), "--template", "careful"]
    typed(*words, "--plan")
    row.refresh_from_db()
    assert row.last_deployment is None, "a look is no use"
    assert typed(*words).code == 0
    row.refresh_from_db()
    assert row.last_deployment == newest()


def test_a_template_that_is_none_or_another_strategys(place: Place) -> None:
    words = registered(place)
    careful(place)
    for more, says in (
        (["--template", "hasty"], "has no template hasty in"),
        (["--template", "hasty"], "; there are careful."),
        (["--template", "careful", "--strategy", "rolling"], "careful is canary"),
        (["--template", "careful", "-o", "window=yes"], "window: is not an option"),
    ):
        said = typed(*words, *more)
        assert (said.code, says in said.err) == (1, True), said.err
    assert not Deployment.objects.exists()
