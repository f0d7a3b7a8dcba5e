"""Forms of the fleet: a file to import, an edit of many targets; they write nothing."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from deployctl.inventories import formats
from deployctl.inventories.rows import Inventory, NoInventory
from deployctl.inventories.texts import MOST_BYTES
from deployctl.models import Application, Environment
from deployctl.queries.expression import MOST_CHARS
from deployctl.queries.selecting import Choice, offered, saved
from deployctl.services.editing import MOST_REASON_CHARS, Edit
from deployctl.web.forms import Text

_YES_NO = (("", "No"), ("yes", "Yes"))
_WORDS = {
    "csv": "CSV",
    "json": "JSON",
    "ansible-ini": "Ansible, INI",
    "ansible-yaml": "Ansible, YAML",
}


class PlaceForm(forms.Form):
    """One fleet."""

    application = forms.ModelChoiceField(
        Application.objects.order_by("name"), to_field_name="name"
    )
    environment = forms.ModelChoiceField(
        Environment.objects.order_by("name"), to_field_name="name"
    )


class ImportForm(PlaceForm):
    """A file, or its text, and what it is."""

    file = forms.FileField(required=False, allow_empty_file=True, label="File")
    text = forms.CharField(
        required=False, strip=False, label="Or its text", help_text="Pasted here."
    )
    format = forms.ChoiceField(
        choices=[("", "As the file's name ends"), *_WORDS.items()],
        required=False,
        label="Format",
    )
    settings = Text(
        label="Settings for all",
        help_text="As key=deploy: what the file does not name. A secret by its name.",
    )
    disable_missing = forms.ChoiceField(
        choices=_YES_NO, required=False, label="Disable what the file has not"
    )

    def inventory(self) -> Inventory | None:
        """Return what the file says; None if there is none yet.

        Raises:
            NoInventory: it cannot be read, or nobody said what it is.
        """
        file: UploadedFile | None = self.cleaned_data["file"]
        text: str = self.cleaned_data["text"]
        if file is None and not text:
            return None
        name = str(file.name) if file else ""
        chosen = self.cleaned_data["format"] or formats.by_ending(name)
        if not chosen:
            raise NoInventory("Say in which format it is.")
        if file and (file.size or 0) > MOST_BYTES:
            raise NoInventory(f"It has more than {MOST_BYTES // 1_000_000} MB.")
        data = file.read() if file else text.encode()
        return formats.read(data, chosen, self.cleaned_data["settings"])


class EditForm(PlaceForm):
    """What is done to each target that a query chooses."""

    where = Text(required=True, max_length=MOST_CHARS, label="Targets where")
    labels = Text(
        max_length=2000,
        label="Set labels",
        help_text="As zone=eu-west, role=web.",
    )
    unlabel = Text(max_length=2000, label="Take labels away", help_text="As canary.")
    disable = Text(
        max_length=MOST_REASON_CHARS,
        label="Disable, because",
        help_text="Left out of plans, and not watched.",
    )
    enable = forms.ChoiceField(choices=_YES_NO, required=False, label="Enable")

    @property
    def offered(self) -> list[Choice]:
        """What `where` may be chosen from; nothing if nothing was saved."""
        name = str(self["application"].value() or "").replace("\0", "")
        application = Application.objects.filter(name=name).first()
        queries = saved(application.pk) if application else []
        typed = str(self["where"].value() or "")
        return offered(queries, typed, "None chosen") if queries else []

    def edit(self) -> Edit:
        """Return the edit.

        Raises:
            ValueError: a label is not NAME=VALUE.
        """
        data: dict[str, Any] = self.cleaned_data
        labels: dict[str, str | None] = dict.fromkeys(_parts(data["unlabel"]))
        for part in _parts(data["labels"]):
            name, sign, value = part.partition("=")
            if not sign:
                raise ValueError(f"{part[:80]} is no label: it is NAME=VALUE.")
            labels[name.strip()] = value.strip()
        return Edit(labels, data["disable"], enable=data["enable"] == "yes")


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
