"""Forms: what people type, read into what services take; they change nothing."""

from __future__ import annotations

from typing import Any

from django import forms

from deployctl.models import Application, Environment, SavedQuery, Version
from deployctl.queries.expression import MOST_CHARS
from deployctl.queries.routers import why_no_switch
from deployctl.queries.selecting import saved
from strategies import InvalidOptions

ON_FAILURE = (
    ("", "As usual"),
    ("halt", "Halt"),
    ("rollback", "Roll back"),
    ("freeze", "Freeze"),
)
STRATEGIES = (
    ("rolling", "Rolling"),
    ("canary", "Canary"),
    ("blue_green", "Blue-green"),
)
#: What is chosen when nobody chose.
USUAL = "rolling"
#: The fields that are options of one strategy, besides those of all.
OWN = {
    "rolling": ("batch_size", "delay_seconds", "max_failures"),
    "canary": (
        *("stages", "stage_duration_seconds", "success_threshold", "gates"),
        *("gate_limit_seconds", "traffic_shares"),
    ),
    "blue_green": (
        *("auto_promote", "auto_promote_seconds", "bake_seconds", "retain_seconds"),
        *("end_retention", "max_failures"),
    ),
}
COMMON = ("min_healthy", "on_failure", "parallelism", "retries")
_YES_NO = (("", "No"), ("yes", "Yes"))
_NO_VERSION = (
    "There is no such version to deploy: it was withdrawn, or belongs to another"
    " application. Choose one of the list, or register it."
)
#: The prefix of fields that are settings of the health rule.
HEALTH = "health_"


class Text(forms.CharField):
    """One line of text that a database can keep: no NUL, stripped, bounded."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**{"required": False, "max_length": 200, **more})


class VersionForm(forms.Form):
    """A version to register."""

    application = forms.ModelChoiceField(Application.objects.order_by("name"))
    version = Text(required=True, max_length=128)
    digest = Text()
    notes = Text(max_length=4000)
    ticket = Text()


class DeploymentForm(forms.Form):
    """What to deploy where and how; options go to the strategy as they were typed."""

    application = forms.ModelChoiceField(Application.objects.order_by("name"))
    version = forms.ModelChoiceField(
        Version.objects.none(), error_messages={"invalid_choice": _NO_VERSION}
    )
    environment = forms.ModelChoiceField(Environment.objects.order_by("name"))
    where = Text(
        max_length=MOST_CHARS,
        label="Only where",
        help_text="As zone=eu-west & !canary. Empty: the whole fleet.",
    )
    strategy = forms.ChoiceField(
        choices=STRATEGIES, initial=USUAL, required=False, label="Strategy"
    )
    stages = Text(
        initial="10, 25, 50, 100",
        label="Stages, %",
        help_text="Of the targets that need the change; the last is 100.",
    )
    stage_duration_seconds = Text(
        initial="60", label="Bake after each, s", help_text="Watched all the time."
    )
    success_threshold = Text(
        initial="95%", label="Must succeed", help_text="Of each stage, and so far."
    )
    gates = forms.ChoiceField(
        choices=_YES_NO, required=False, label="Ask a person after each stage"
    )
    gate_limit_seconds = Text(
        label="A person has, s", help_text="Empty: no limit. Then it halts."
    )
    traffic_shares = Text(
        label="Traffic of each, %",
        help_text="As 5, 15, 40: one for each stage but the last. Empty: as the load"
        " balancer has it.",
    )
    auto_promote = forms.ChoiceField(
        choices=_YES_NO, required=False, label="Switch without asking"
    )
    auto_promote_seconds = Text(
        label="Switch by itself after, s", help_text="Empty: it waits for a person."
    )
    bake_seconds = Text(initial="0", label="Watch after the switch, s")
    retain_seconds = Text(
        initial="1800", label="Keep the old slot, s", help_text="To return to it."
    )
    end_retention = forms.ChoiceField(
        choices=_YES_NO, required=False, label="Change a slot that is still kept"
    )
    batch_size = Text(
        initial="4", label="Batch size", help_text="3, 25% or a growing 1, 5, 25%."
    )
    delay_seconds = Text(initial="2", label="Wait between batches, s")
    max_failures = Text(
        initial="0", label="Failures tolerated", help_text="One more stops it."
    )
    min_healthy = Text(
        initial="0", label="Stay available", help_text="A count or a percentage."
    )
    on_failure = forms.ChoiceField(
        choices=ON_FAILURE,
        initial="",
        required=False,
        label="When it stops",
        help_text="As usual: a canary rolls back, all others halt.",
    )
    parallelism = Text(label="At once", help_text="Empty: a whole batch.")
    retries = Text(initial="0", label="Further attempts")
    health_interval_seconds = Text(initial="1", label="Ask every, s")
    health_timeout_seconds = Text(initial="5", label="Answer within, s")
    health_success_threshold = Text(initial="1", label="Good answers needed")
    health_failure_threshold = Text(initial="3", label="Bad answers that fail it")
    health_min_healthy_seconds = Text(initial="2", label="Stay healthy for, s")
    health_deadline_seconds = Text(initial="30", label="Healthy within, s")
    health_initial_delay_seconds = Text(initial="0", label="First ask after, s")
    reason = Text(max_length=1000, label="Why")

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        #: Why a strategy cannot be chosen here, by its name.
        self.unavailable: dict[str, str] = {}
        #: What was asked for and is none; the usual one is chosen instead.
        self.no_strategy = ""
        #: What was saved for the application, to choose `where` from.
        self.queries: list[SavedQuery] = []
        application, environment = self._id("application"), self._id("environment")
        if application is not None:
            versions = Version.objects.filter(
                application_id=application, withdrawn_at=None
            )
            self.fields["version"].queryset = versions.order_by("-pk")  # type: ignore[attr-defined]
            self.queries = saved(application)
        if application is not None and environment is not None:
            why = why_no_switch(application, environment)
            self.unavailable = {"blue_green": f"No blue-green: {why}"} if why else {}
        asked = str(self.initial.get("strategy") or USUAL)
        if asked not in dict(STRATEGIES):
            self.no_strategy, asked = asked[:40], USUAL
        self.initial["strategy"] = asked

    def _id(self, name: str) -> int | None:
        value = str(self.data.get(name) or self.initial.get(name) or "")
        return int(value) if value.isdecimal() and len(value) < 16 else None

    @property
    def health_errors(self) -> bool:
        """Whether one of the health settings is wrong, so that they must be seen."""
        return any(name.startswith(HEALTH) for name in self.errors)

    @property
    def chosen(self) -> str:
        """The strategy's name; the usual one if nobody chose."""
        return str(self.cleaned_data.get("strategy") or USUAL)

    def options(self) -> dict[str, Any]:
        """Return the strategy's options as they were typed; empty means the default."""
        names = (*OWN[self.chosen], *COMMON)
        typed = {name: self.cleaned_data[name] for name in names}
        given = {name: value for name, value in typed.items() if value != ""}
        health = {
            name.removeprefix(HEALTH): value
            for name, value in self.cleaned_data.items()
            if name.startswith(HEALTH) and value != ""
        }
        yes = {name: True for name, value in given.items() if value == "yes"}
        return {**given, **yes, "health": health}

    def blame(self, error: InvalidOptions) -> None:
        """Put each of the strategy's sentences beside its field."""
        for name, text in error.errors.items():
            known = name if name in self.fields else f"{HEALTH}{name}"
            field = known if known in self.fields else None
            self.add_error(field, text if field else f"{name}: {text}")
