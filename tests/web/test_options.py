"""Each option of a strategy has a field in the builder, and what is made keeps it."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from deployctl.models import Deployment, SavedForm
from deployctl.queries.plans import plan_of, written
from deployctl.services import versions
from deployctl.services.planning import plan_deployment
from deployctl.web.forms import DeploymentForm
from deployctl.web.options import LEFT_OUT, STRATEGIES, as_fields, fields_of
from strategies import names
from strategies.registry import HEALTH, option_names
from tests.services.slotted import sharing, slotted
from tests.support.fleet import Place, simulated

NAMES = [name for name, _ in STRATEGIES]
#: What an untouched builder asks for, besides the health rule. Who adds an option adds
#: nothing here: the plan would have another hash than before.
PROPOSED: dict[str, dict[str, str]] = {
    "rolling": {"batch_size": "4", "delay_seconds": "2", "max_failures": "0"},
    "canary": {
        "stages": "10, 25, 50, 100",
        "stage_duration_seconds": "60",
        "success_threshold": "95%",
    },
    "blue_green": {"bake_seconds": "0", "retain_seconds": "1800", "max_failures": "0"},
}
_HEALTH = {
    "interval_seconds": "1",
    "timeout_seconds": "5",
    "success_threshold": "1",
    "failure_threshold": "3",
    "min_healthy_seconds": "2",
    "deadline_seconds": "30",
    "initial_delay_seconds": "0",
}
#: Another value than the default for every option there is, but for health.
_OF_ALL = {
    "max_failures": "2",
    "min_healthy": "0",
    "max_unavailable": "50%",
    "parallelism": "2",
    "retries": "1",
    "on_failure": "freeze",
    "require_all": "yes",
    "force": "yes",
    "apply_seconds": "100",
    "settle_seconds": "120",
    "progress_seconds": "400",
}
CHOSEN: dict[str, dict[str, str]] = {
    "rolling": {
        **_OF_ALL,
        "batch_size": "1, 50%",
        "delay_seconds": "7",
        "window": "yes",
        "max_failure_percent": "12.5",
    },
    "canary": {
        **_OF_ALL,
        "stages": "25, 100",
        "stage_duration_seconds": "9",
        "gates": "yes",
        "success_threshold": "90%",
        "batch_size": "50%",
        "traffic_shares": "5",
        "gate_limit_seconds": "600",
    },
    "blue_green": {
        **_OF_ALL,
        "auto_promote": "yes",
        "auto_promote_seconds": "60",
        "bake_seconds": "8",
        "retain_seconds": "90",
        "restore_idle": "yes",
        "end_retention": "yes",
        "batch_size": "3",
    },
}


def test_the_builder_offers_every_strategy_that_there_is() -> None:
    assert sorted(NAMES) == sorted(names())


@pytest.mark.parametrize("strategy", NAMES)
def test_no_option_is_forgotten(strategy: str) -> None:
    """It has a field, or stands in `LEFT_OUT` with the reason why it has none."""
    fields = fields_of(strategy)
    for option in option_names(strategy):
        if option in LEFT_OUT:
            assert len(LEFT_OUT[option].split()) > 3, f"{option}: say why"
        else:
            assert fields[option] in DeploymentForm.base_fields, option
    typed = {option for option in fields if not option.startswith(HEALTH)}
    assert CHOSEN[strategy].keys() == typed, "each is tried here"


def test_nothing_is_left_out_that_no_strategy_has() -> None:
    assert LEFT_OUT.keys() <= {name for each in NAMES for name in option_names(each)}
    used = {field for each in NAMES for field in fields_of(each).values()}
    others = {"application", "version", "environment", "where", "strategy", "reason"}
    assert set(DeploymentForm.base_fields) == used | others
    assert as_fields({"strategy": "nobody", "batch_size": "1"})["batch_size"] == "1"


def place_for(strategy: str, folder: Path) -> Place:
    """Return a fleet that this strategy can change."""
    if strategy == "rolling":
        return Place(simulated(8))
    return slotted(4, folder) if strategy == "blue_green" else sharing(8, folder)


def begun(client: Client, address: str, **more: Any) -> dict[str, Any]:
    """Return what the builder's page would send as it is, and what is typed besides."""
    form = client.get(address).context["form"]
    values = {name: form[name].value() for name in form.fields}
    return {name: v for name, v in values.items() if v is not None} | more


def untouched(client: Client, place: Place, strategy: str) -> dict[str, Any]:
    """Return what the builder sends when its options are left as they are."""
    version = versions.register_version(place.application, "2.0", by=place.by)
    return begun(
        client,
        "/deployments/new/",
        application=place.application.pk,
        environment=place.environment.pk,
        version=version.pk,
        strategy=strategy,
    )


def seen(client: Client, data: dict[str, Any]) -> str:
    """Look at the plan and return its hash."""
    told = client.post("/deployments/preview/", data).context["plan"]
    assert not told["errors"], told
    return str(told["hash"])


@pytest.mark.parametrize("strategy", NAMES)
def test_an_untouched_builder_proposes_what_it_always_did(
    strategy: str, tmp_path: Path, alice: Client
) -> None:
    place = place_for(strategy, tmp_path)
    data = untouched(alice, place, strategy)
    options = {"min_healthy": "0", "retries": "0", "health": _HEALTH}
    options |= PROPOSED[strategy]
    where = place.application, place.environment
    version = place.application.versions.get(version="2.0")
    plan = plan_deployment(*where, version, strategy, options)
    assert seen(alice, data) == plan.hash


@pytest.mark.parametrize("strategy", NAMES)
def test_what_is_chosen_is_in_the_plan_and_in_all_that_is_made_of_it(
    strategy: str, tmp_path: Path, alice: Client
) -> None:
    chosen, place = CHOSEN[strategy], place_for(strategy, tmp_path)
    data = untouched(alice, place, strategy)
    data |= as_fields({"strategy": strategy, **chosen})
    plan_hash = seen(alice, data)
    for kind in ("draft", "template"):
        kept = alice.post(f"/deployments/new/{kind}/", {**data, "saved_as": "usual"})
        assert kept.status_code == 302
        assert seen(alice, begun(alice, kept["Location"])) == plan_hash, kind
    template = SavedForm.objects.get(kind=SavedForm.Kind.TEMPLATE)
    assert template.fields.items() >= chosen.items(), "as a terminal types them"

    alice.post("/deployments/new/", {**data, "start": "1", "plan_hash": plan_hash})
    made = Deployment.objects.get()
    options = plan_of(made).options
    assert {name: written(options[name]) for name in chosen} == chosen
    like = f"/deployments/new/?like={made.pk}"
    assert seen(alice, begun(alice, like)) == plan_hash, "and so does one like it"
    page = alice.get(f"/plans/{plan_hash}/").content.decode()
    for name, value in chosen.items():
        assert f"<dt>{name.replace('_', ' ')}</dt>\n          <dd>{value}<" in page


@pytest.mark.parametrize(
    ("strategy", "typed", "field", "said"),
    [
        ("canary", {"batch_size": "0"}, "canary_batch_size", "must be at least 1"),
        ("canary", {"max_failures": "x"}, "canary_max_failures", "a whole number"),
        ("blue_green", {"batch_size": "0"}, "blue_green_batch_size", "at least 1"),
        ("rolling", {"batch_size": "0"}, "batch_size", "must be at least 1"),
        ("rolling", {"max_failure_percent": "101"}, "", "between 0% and 100%"),
        ("rolling", {"apply_seconds": "0"}, "", "must be more than 0 seconds"),
        ("rolling", {"progress_seconds": "30"}, "", "deadline of 30 seconds"),
        (
            *("rolling", {"max_unavailable": "1", "min_healthy": "1"}),
            *("max_unavailable", "leave one of them out"),
        ),
    ],
)
def test_what_is_wrong_stands_at_the_field_of_the_strategy(
    strategy: str,
    typed: dict[str, str],
    field: str,
    said: str,
    tmp_path: Path,
    alice: Client,
) -> None:
    place = place_for(strategy, tmp_path)
    data = untouched(alice, place, strategy)
    answer = alice.post(
        "/deployments/new/", data | as_fields({"strategy": strategy, **typed})
    )
    (wrong,) = answer.context["form"].errors.items()
    assert wrong[0] == (field or next(iter(typed)))
    assert said in wrong[1][0]
    page = html.unescape(answer.content.decode())
    assert page.split(f'id="id_{wrong[0]}-wrong">')[1].startswith(wrong[1][0])


@pytest.mark.parametrize(
    ("typed", "opens"), [({"settle_seconds": "x"}, True), ({"batch_size": "x"}, False)]
)
def test_what_is_folded_away_is_seen_when_it_is_wrong(
    typed: dict[str, str], opens: bool, place: Place, alice: Client
) -> None:
    data = untouched(alice, place, "rolling") | typed
    page = alice.post("/deployments/new/", data).content.decode()
    fold = page.split("<summary>Pace")[0].rsplit("<details", 1)[1]
    assert ("open" in fold) is opens


def test_an_address_names_options_as_a_terminal_does(
    place: Place, alice: Client
) -> None:
    data = begun(alice, "/deployments/new/?strategy=canary&batch_size=3&force=yes")
    assert (data["canary_batch_size"], data["batch_size"]) == ("3", "4")
    assert data["force"] == "yes"
