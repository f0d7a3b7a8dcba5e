"""The table of forms: each field of each POST, and which hostile values it may take.

To add a form, add a row under the name of its address:

    "noun-verb": Form(good, fields={"name": text(), "count": number("minus nothing")})

`good` makes what a person would send, which is tried first and must be accepted. Each
field is then given every hostile value of its kind, alone. Each must be refused in a
sentence while nothing is changed, but for the values named in the row, which do no harm
and are taken. An option of the builder is a line of `OPTIONS` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.test import Client

from tests.badinput.values import CHOICES, NUMBERS, ODD, TEXTS
from tests.badinput.world import PASSWORD, World

Data = dict[str, Any]


@dataclass(frozen=True)
class Field:
    """What a field is tried with, which of it is taken, and what else there is here."""

    values: Mapping[str, str]
    takes: frozenset[str]
    more: Callable[[World], Mapping[str, Any]] = lambda _: {}


@dataclass(frozen=True)
class Form:
    """A form: what is good, and its fields.

    `prepare` makes what only this form needs. A preview changes nothing, even when all
    is good.
    """

    good: Callable[[World, Client], Data]
    fields: Mapping[str, Field] = field(default_factory=dict)
    prepare: Callable[[World], None] = lambda _: None
    is_preview: bool = False
    is_anonymous: bool = False


def text(*takes: str) -> Field:
    """Return a field for text."""
    return Field(TEXTS, frozenset(takes))


def number(*takes: str) -> Field:
    """Return a field for a number."""
    return Field(NUMBERS, frozenset(takes))


def choice(
    more: Callable[[World], Mapping[str, Any]] = lambda _: {},
) -> Field:
    """Return a field for one of several, or for a row; `more` are rows of others."""
    return Field(CHOICES, frozenset(), more)


#: Of this field nothing is kept, or nothing at all is read.
PASSED_OVER = Field({"code": ODD["code"]}, frozenset({"code"}))
#: Somebody's own words: kept as they are, shown as text.
PROSE = ("empty", "spaces", *ODD)
#: Of these nothing is kept that could harm: they are cut, and NUL is left out. A stop
#: must not fail for its words.
CUT = ("spaces", "long", "nul", *ODD)


#: Odd, and nothing but a name: pages show it as text.
NAMES = ("code",)


def other_versions(world: World) -> Data:
    return {"foreign": world.foreign.pk, "withdrawn": world.withdrawn.pk}


def stale(world: World) -> Data:
    return {"stale": world.deployment.control_version - 1, "later": 10**6}


def signing_in(world: World, client: Client) -> Data:
    return {"username": "bo", "password": PASSWORD, "next": "/fleet/"}


def nothing(world: World, client: Client) -> Data:
    return {}


def importing(world: World, client: Client) -> Data:
    rows = "name,address,kind\nfresh,,simulated\n"
    return {**of_place(world), "text": rows, "format": "csv", "settings": ""}


def import_applied(world: World, client: Client) -> Data:
    return with_seen(client, "/fleet/import/preview/", importing(world, client))


def editing(world: World, client: Client) -> Data:
    return {**of_place(world), "where": "name=t1", "labels": "zone=a", "unlabel": "b"}


def edit_applied(world: World, client: Client) -> Data:
    return with_seen(client, "/fleet/edit/preview/", editing(world, client))


def of_place(world: World) -> Data:
    return {
        "application": world.free.application.name,
        "environment": world.free.environment.name,
    }


def with_seen(client: Client, preview: str, data: Data) -> Data:
    """Return a form with the digest that its preview shows."""
    page = client.post(preview, data).content.decode()
    seen = page.partition('name="seen" value="')[2].partition('"')[0]
    assert seen, page
    return {**data, "seen": seen, "apply": "1"}


def saving(world: World, client: Client) -> Data:
    application = world.free.application.name
    return {"application": application, "name": "new", "text": "name=t2"}


def registering(world: World, client: Client) -> Data:
    application = world.free.application.pk
    return {"application": application, "version": "3.0", "digest": "d", "ticket": "T"}


def building(world: World, client: Client) -> Data:
    return {
        "application": world.free.application.pk,
        "environment": world.free.environment.pk,
        "version": world.version.pk,
        "reason": "because",
    }


def keeping(world: World, client: Client) -> Data:
    return {**building(world, client), "saved_as": "mine", "strategy": "rolling"}


def using(world: World, client: Client) -> Data:
    return {**building(world, client), "wanted": world.template.pk}


def renaming(world: World, client: Client) -> Data:
    return {"name": "unusual"}


def started(world: World, client: Client) -> Data:
    data = {**building(world, client), "idempotency_key": "once", "start": "1"}
    plan = client.post("/deployments/preview/", data).context["plan"]
    return {**data, "plan_hash": plan["hash"], "plan_sketch": plan["sketch"]}


def pressing(world: World, client: Client) -> Data:
    version = world.deployment.control_version
    given = {"command": "roll_back", "reason": "go", "idempotency_key": "key"}
    return {**given, "expected_control_version": version}


def following(world: World, client: Client) -> Data:
    return {"command": "retry", "reason": "again", "idempotency_key": "key"}


def withdrawing(world: World, client: Client) -> Data:
    return {"reason": "it burns"}


def settling(world: World, client: Client) -> Data:
    return {"outcome": "done", "reason": "I looked", "idempotency_key": "key"}


_PLACE = {"application": choice(), "environment": choice()}
_IMPORT = {
    **_PLACE,
    "file": PASSED_OVER,  # No file, but words under its name: they are passed over.
    "format": choice(),
    "settings": text("empty", "spaces"),
    "disable_missing": choice(),
}
# A NUL is left out.
_SAVED = {"application": choice(), "saved_as": text("nul")}
_BUILDER = {
    "application": choice(),
    "environment": choice(),
    "version": choice(other_versions),
    "where": text("empty", "spaces"),
    "strategy": choice(),
    "on_failure": choice(),
    "reason": text(*PROSE),
}
FORMS: dict[str, Form] = {
    "sign-in": Form(
        signing_in,
        # A page that somebody else names is not gone to, see test_pages.
        {"username": text(), "password": text(), "next": text(*TEXTS)},
        is_anonymous=True,
    ),
    "sign-out": Form(nothing),
    "target-import": Form(
        import_applied,
        {**_IMPORT, "text": text(), "seen": text(), "apply": PASSED_OVER},
    ),
    # The rest is read by the same form.
    "target-import-preview": Form(
        importing, {"environment": choice(), "text": text("empty")}, is_preview=True
    ),
    "target-edit": Form(
        edit_applied,
        {
            **_PLACE,
            # The good row takes a label away that is not there.
            "where": text(),
            "labels": text(),
            "unlabel": text("empty", "spaces"),
            "disable": text("empty", "spaces"),
            "enable": choice(),
            "seen": text(),
            "apply": PASSED_OVER,
        },
    ),
    "target-edit-preview": Form(
        editing,
        {"application": choice(), "where": text(), "labels": text("empty", "spaces")},
        is_preview=True,
    ),
    "query-save": Form(
        saving,
        # A NUL is left out.
        {"application": choice(), "name": text("nul"), "text": text("nul")},
    ),
    "query-remove": Form(nothing, {"application": text(*TEXTS)}),
    "application-add": Form(
        lambda *_: {"application": "basket"}, {"application": text(*NAMES)}
    ),
    "environment-add": Form(
        lambda *_: {"environment": "qa", "production": "yes"},
        {"environment": text(*NAMES), "production": choice()},
    ),
    "version-register": Form(
        registering,
        {
            "application": choice(),
            "version": text(),
            **dict.fromkeys(("digest", "notes", "ticket"), text(*PROSE)),
        },
    ),
    "version-withdraw": Form(withdrawing, {"reason": text("long", "nul", *ODD)}),
    "deployment-new": Form(
        started,
        {
            **_BUILDER,
            "plan_hash": Field(
                TEXTS, frozenset(), lambda world: {"other": world.deployment.plan_id}
            ),
            # It only says what differs from the plan that is started.
            **dict.fromkeys(("plan_sketch", "start"), PASSED_OVER),
            # For the buttons beside it, which keep the form and start nothing.
            **dict.fromkeys(("saved_as", "seen", "template"), PASSED_OVER),
            "idempotency_key": text("empty", *CUT),
        },
    ),
    # What is kept for later may be wrong: it is looked at when it is used.
    "deployment-draft": Form(keeping, _SAVED),
    "deployment-template": Form(keeping, _SAVED),
    "deployment-use": Form(using, {"wanted": choice()}, is_preview=True),
    "deployment-saved-rename": Form(renaming, {"name": text("nul")}),
    "deployment-saved-remove": Form(nothing),
    "deployment-preview": Form(
        building,
        {
            "application": choice(),
            "environment": choice(),
            "version": choice(other_versions),
            "where": text("empty", "spaces"),
        },
        is_preview=True,
    ),
    "deployment-command": Form(
        pressing,
        {
            "command": choice(),
            "expected_control_version": Field(NUMBERS, frozenset(), stale),
            "idempotency_key": text(*CUT),
            "reason": text("empty", *CUT),
        },
    ),
    "deployment-follow": Form(
        following,
        {
            # A parent at rest does not move.
            "command": choice(),
            "expected_control_version": PASSED_OVER,
            "idempotency_key": text(*CUT),
            "reason": text("empty", *CUT),
        },
    ),
    "operation-settle": Form(
        settling,
        {
            # What became of an operation does not depend on the rest.
            "outcome": choice(),
            "expected_control_version": PASSED_OVER,
            "idempotency_key": text(*CUT),
            "reason": text("long", "nul", *ODD),
        },
        prepare=World.doubt,
    ),
}
#: A count of seconds may have a part.
_SECONDS = number("part")
#: The builder's options: all of one group are given each value at once, and each that
#: does not take it must be blamed for it.
OPTIONS: dict[str, dict[str, Field]] = {
    "rolling": {
        **dict.fromkeys(("batch_size", "min_healthy", "max_unavailable"), number()),
        **dict.fromkeys(("max_failures", "parallelism", "retries"), number()),
        **dict.fromkeys(("delay_seconds", "apply_seconds", "settle_seconds"), _SECONDS),
        "max_failure_percent": number("part"),
        "progress_seconds": number(),  # A part of a second is less than health takes.
    },
    "canary": {
        "stages": number("part"),
        **dict.fromkeys(("success_threshold", "canary_batch_size"), number()),
        "canary_max_failures": number(),
        "traffic_shares": number("part"),  # One for each stage but the last, beside it.
        **dict.fromkeys(("stage_duration_seconds", "gate_limit_seconds"), _SECONDS),
    },
    "blue_green": {
        **dict.fromkeys(
            ("auto_promote_seconds", "bake_seconds", "retain_seconds"), _SECONDS
        ),
        "blue_green_batch_size": number(),
    },
    "choices": dict.fromkeys(
        (
            *("gates", "auto_promote", "end_retention", "restore_idle", "window"),
            *("require_all", "force", "on_failure"),
        ),
        choice(),
    ),
    "health": {
        **dict.fromkeys(
            (
                *("health_interval_seconds", "health_timeout_seconds"),
                *("health_min_healthy_seconds", "health_deadline_seconds"),
                "health_initial_delay_seconds",
            ),
            _SECONDS,
        ),
        "health_success_threshold": number(),
        "health_failure_threshold": number(),
    },
}
