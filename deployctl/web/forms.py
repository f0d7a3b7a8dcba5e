"""Forms: what people type, read into what services take; they change nothing."""

from __future__ import annotations

from typing import Any

from django import forms

from deployctl.models import Application, Environment, Version
from strategies import InvalidOptions

ON_FAILURE = (("halt", "Halt"), ("rollback", "Roll back"), ("freeze", "Freeze"))
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
    version = forms.ModelChoiceField(Version.objects.none())
    environment = forms.ModelChoiceField(Environment.objects.order_by("name"))
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
        choices=ON_FAILURE, initial="halt", label="When it stops"
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
        application = self.data.get("application") or self.initial.get("application")
        if str(application or "").isdecimal() and len(str(application)) < 16:
            versions = Version.objects.filter(
                application_id=int(str(application)), withdrawn_at=None
            )
            self.fields["version"].queryset = versions.order_by("-pk")  # type: ignore[attr-defined]

    @property
    def health_errors(self) -> bool:
        """Whether one of the health settings is wrong, so that they must be seen."""
        return any(name.startswith(HEALTH) for name in self.errors)

    def options(self) -> dict[str, Any]:
        """Return the strategy's options as they were typed; empty means the default."""
        names = ("batch_size", "delay_seconds", "max_failures", "min_healthy")
        more = ("on_failure", "parallelism", "retries")
        typed = {name: self.cleaned_data[name] for name in (*names, *more)}
        given = {name: value for name, value in typed.items() if value != ""}
        health = {
            name.removeprefix(HEALTH): value
            for name, value in self.cleaned_data.items()
            if name.startswith(HEALTH) and value != ""
        }
        return {**given, "health": health}

    def blame(self, error: InvalidOptions) -> None:
        """Put each of the strategy's sentences beside its field."""
        for name, text in error.errors.items():
            known = name if name in self.fields else f"{HEALTH}{name}"
            field = known if known in self.fields else None
            self.add_error(field, text if field else f"{name}: {text}")
