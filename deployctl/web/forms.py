"""Forms: what people type, read into what services take; they change nothing."""

from __future__ import annotations

from typing import Any

from django import forms

from deployctl.models import Application, Environment, SavedQuery, Version
from deployctl.queries.expression import MOST_CHARS
from deployctl.queries.routers import why_no_switch
from deployctl.queries.selecting import Choice, offered, saved
from deployctl.web.options import STRATEGIES, USUAL, explanation, fields_of
from strategies import InvalidOptions
from strategies.registry import HEALTH, with_health

ON_FAILURE = (
    ("", "As usual"),
    ("halt", "Halt"),
    ("rollback", "Roll back"),
    ("freeze", "Freeze"),
)
_YES_NO = (("", "No"), ("yes", "Yes"))
#: Fields that are folded away together, until one of them is wrong.
_PACE = (
    *("parallelism", "retries"),
    *("apply_seconds", "settle_seconds", "progress_seconds"),
)
_NO_VERSION = (
    "There is no such version to deploy: it was withdrawn, or belongs to another"
    " application. Choose one of the list, or register it."
)


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


def _yes_no(label: str, help_text: str = "") -> forms.ChoiceField:
    """Return a field for what is no, unless somebody says yes."""
    return forms.ChoiceField(
        choices=_YES_NO, required=False, label=label, help_text=help_text
    )


class ApplicationForm(forms.Form):
    """An application to add."""

    application = Text(required=True, max_length=128, label="Name")


class EnvironmentForm(forms.Form):
    """An environment to add."""

    environment = Text(required=True, max_length=128, label="Name")
    production = _yes_no(
        "Is it production?",
        help_text="Pages mark it: nobody takes it for another.",
    )

    def agrees(self, row: Environment) -> bool:
        """Whether the one that is there is of this kind; if not, say so."""
        if row.is_production == bool(self.cleaned_data["production"]):
            return True
        marked = "is" if row.is_production else "is not"
        self.add_error(
            "environment",
            f"Environment {row} is there, and {marked} marked as production."
            " Nothing was changed.",
        )
        return False


class DeploymentForm(forms.Form):
    """What to deploy where and how; options go to the strategy as they were typed.

    `options.fields_of` says which field is which option. What is empty is left out, so
    that a new field must begin empty: a plan is another one else.
    """

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
    stages = Text(initial="10, 25, 50, 100", label="Stages, %")
    stage_duration_seconds = Text(initial="60", label="Bake after each, s")
    success_threshold = Text(initial="95%", label="Must succeed")
    canary_batch_size = Text(label="Batch size")
    gates = _yes_no("Ask a person after each stage")
    gate_limit_seconds = Text(label="A person has, s")
    traffic_shares = Text(label="Traffic of each, %")
    auto_promote = _yes_no("Switch without asking")
    auto_promote_seconds = Text(label="Switch by itself after, s")
    bake_seconds = Text(initial="0", label="Watch after the switch, s")
    retain_seconds = Text(initial="1800", label="Keep the old slot, s")
    blue_green_batch_size = Text(label="Batch size")
    end_retention = _yes_no("Change a slot that is still kept")
    restore_idle = _yes_no("Roll back the slot, too")
    batch_size = Text(initial="4", label="Batch size")
    delay_seconds = Text(initial="2", label="Wait between batches, s")
    window = _yes_no("Sliding window")
    max_failure_percent = Text(label="Tolerated in a batch, %")
    max_failures = Text(initial="0", label="Failures tolerated")
    canary_max_failures = Text(label="Failures tolerated")
    require_all = _yes_no("All must succeed")
    min_healthy = Text(initial="0", label="Stay available")
    max_unavailable = Text(label="May be unavailable")
    on_failure = forms.ChoiceField(
        choices=ON_FAILURE, initial="", required=False, label="When it stops"
    )
    force = _yes_no("Change what runs it already")
    parallelism = Text(label="At once")
    retries = Text(initial="0", label="Further attempts")
    apply_seconds = Text(label="A change may take, s")
    progress_seconds = Text(label="Some progress within, s")
    settle_seconds = Text(label="Settle a doubt within, s")
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
        for name, field in self.fields.items():
            is_choice = isinstance(field, forms.ChoiceField)
            said = explanation(name, is_choice=is_choice)
            field.help_text = said or field.help_text
        #: Why a strategy cannot be chosen here, by its name.
        self.unavailable: dict[str, str] = {}
        #: What was asked for and is none; the usual one is chosen instead.
        self.no_strategy = ""
        #: What was saved for the application, to choose `where` from.
        self.queries: list[SavedQuery] = []
        application, environment = self.place
        if application is not None:
            versions = Version.objects.filter(
                application_id=application, withdrawn_at=None
            )
            self.fields["version"].queryset = versions.order_by("-pk")  # type: ignore[attr-defined]
            self.fields["version"].help_text = self._withdrawn(application)
            self.queries = saved(application)
        if application is not None and environment is not None:
            why = why_no_switch(application, environment)
            self.unavailable = {"blue_green": f"No blue-green: {why}"} if why else {}
        asked = str(self.initial.get("strategy") or USUAL)
        if asked not in dict(STRATEGIES):
            self.no_strategy, asked = asked[:40], USUAL
        self.initial["strategy"] = asked

    @property
    def place(self) -> tuple[int | None, int | None]:
        """The numbers of application and environment, if they are chosen."""
        return self._id("application"), self._id("environment")

    def _id(self, name: str) -> int | None:
        value = str(self.data.get(name) or self.initial.get(name) or "")
        return int(value) if value.isdecimal() and len(value) < 16 else None

    def _withdrawn(self, application: int) -> str:
        """Return that the version which was saved once cannot be chosen any more."""
        gone = Version.objects.filter(application_id=application)
        gone = gone.exclude(withdrawn_at=None)
        row = gone.filter(pk=self._id("version") or 0).first()
        return f"{row} was withdrawn: choose another version." if row else ""

    @property
    def offered(self) -> list[Choice]:
        """What `where` may be chosen from."""
        typed = str(self["where"].value() or "")
        return offered(self.queries, typed, "The whole fleet")

    @property
    def health_errors(self) -> bool:
        """Whether one of the health settings is wrong, so that they must be seen."""
        return any(name.startswith(HEALTH) for name in self.errors)

    @property
    def pace_errors(self) -> bool:
        """Whether one of the settings of the pace is wrong."""
        return not self.errors.keys().isdisjoint(_PACE)

    @property
    def chosen(self) -> str:
        """The strategy's name; the usual one if nobody chose."""
        return str(self.cleaned_data.get("strategy") or USUAL)

    def typed(self) -> dict[str, str]:
        """Return each field as it was typed, right or wrong."""
        texts = {name: str(self.data.get(name, "")) for name in self.fields}
        return {name: text.replace("\0", "").strip() for name, text in texts.items()}

    def options(self) -> dict[str, Any]:
        """Return the strategy's options as it takes them."""
        return with_health(self.typed_options())

    def typed_options(self) -> dict[str, str]:
        """Return the strategy's options as they were typed; empty means the default."""
        fields, data = fields_of(self.chosen), self.cleaned_data
        typed = {option: data[field] for option, field in fields.items()}
        return {option: value for option, value in typed.items() if value != ""}

    def blame(self, error: InvalidOptions) -> None:
        """Put each of the strategy's sentences beside its field."""
        fields = fields_of(self.chosen)
        for name, text in error.errors.items():
            known = fields.get(name, name)
            field = known if known in self.fields else None
            self.add_error(field, text if field else f"{name}: {text}")
