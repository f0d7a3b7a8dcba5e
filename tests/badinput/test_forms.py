"""Every form, field by field, is given what is bad: see `forms.py` for the table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from deployctl.web.options import STRATEGIES
from tests.badinput.addresses import address, names, parts
from tests.badinput.answers import posted_fields, refusals
from tests.badinput.forms import FORMS, OPTIONS, Data, Field, Form
from tests.badinput.values import SCRIPT, SECRET
from tests.badinput.watching import fingerprint, listening, undone
from tests.badinput.world import World, browser, staying


class Desk:
    """One form at which rows are tried; `wrong` is what should not have happened."""

    def __init__(self, name: str, world: World) -> None:
        self.form: Form = FORMS[name]
        self.world = world
        self.path = address(name, world, **world.others.get(name, {}))
        self.good: Data = self.form.good(world, world.alice)
        self.client = browser() if self.form.is_anonymous else world.alice
        self.before = fingerprint()
        self.wrong: list[str] = []

    def sent(self, data: Data) -> Any:
        """Send a form; who is signed in stays so."""
        with staying(self.client):
            return self.client.post(self.path, data)

    def try_good(self) -> None:
        """Send what is good, without which a refusal would prove nothing."""
        with undone():
            answer = self.sent(self.good)
            changed = fingerprint() != self.before
            if answer.status_code not in (200, 302) or refusals(answer):
                self.wrong.append(f"good: {answer.status_code} {refusals(answer)}")
            if self.form.is_preview and changed:
                self.wrong.append("good: a preview changed something")

    def try_field(self, name: str, field: Field) -> None:
        """Send each hostile value in one field."""
        for value, sent in {**field.values, **field.more(self.world)}.items():
            row = f"{name}={value}"
            data = {**self.good, name: sent}
            with undone(), listening() as watch:
                try:
                    answer = self.sent(data)
                except Exception as error:
                    self.wrong.append(f"{row}: raised {error!r:.300}")
                    continue
                said = self.judged(answer, taken=value in field.takes)
                self.wrong += [f"{row}: {what}" for what in (*said, *watch.wrong)]

    def judged(self, answer: Any, *, taken: bool) -> list[str]:
        """Return what is wrong with an answer to what is bad, or to what is odd."""
        said = refusals(answer)
        page = answer.content.decode()
        wrong = ["the secret is shown"] if SECRET in page else []
        if SCRIPT in page:
            wrong.append("markup is shown as markup")
        if answer.status_code >= 500:
            wrong.append(f"answered {answer.status_code}")
        if taken:
            if said or answer.status_code not in (200, 302):
                wrong.append(f"refused: {answer.status_code} {said}")
            return wrong
        if not any(len(text.split()) > 3 for text in said):
            wrong.append(f"{answer.status_code} without a sentence: {said}")
        changed = {k for k, v in fingerprint().items() if v != self.before[k]}
        return [*wrong, f"changed {changed}"] if changed else wrong


@pytest.mark.parametrize("name", FORMS)
def test_what_is_bad_is_refused_and_what_is_odd_is_taken(
    name: str, world: World
) -> None:
    with undone():
        FORMS[name].prepare(world)
        desk = Desk(name, world)
        desk.try_good()
        for each, field in desk.form.fields.items():
            desk.try_field(each, field)
    assert not desk.wrong, "\n".join(desk.wrong)


@pytest.mark.parametrize("group", OPTIONS)
def test_each_option_of_a_plan_is_blamed_for_itself(group: str, world: World) -> None:
    fields = OPTIONS[group]
    desk, wrong = Desk("deployment-new", world), []
    good = {**desk.good, "strategy": group if group in dict(STRATEGIES) else "rolling"}
    del good["start"]
    for value in sorted({each for field in fields.values() for each in field.values}):
        given = {n: f.values[value] for n, f in fields.items() if value in f.values}
        blamed = {n for n in given if value not in fields[n].takes}
        with undone(), listening() as watch:
            answer = desk.sent({**good, **given})
            said = desk.judged(answer, taken=not blamed)
            found = {n for n, texts in answer.context["form"].errors.items() if texts}
            if answer.status_code != (422 if blamed else 200) or found != blamed:
                said.append(f"{answer.status_code}, blamed {found}, not {blamed}")
            wrong += [f"{value}: {what}" for what in (*said, *watch.wrong)]
    assert not wrong, "\n".join(wrong)


def test_every_form_has_its_row(world: World) -> None:
    """What takes a POST is a form; a new one needs a row in `forms.py`."""
    found = set()
    for name in names():
        with undone(), staying(world.alice):
            if world.alice.post(address(name, world)).status_code != 405:
                found.add(name)
    assert found == set(FORMS)


def pages(world: World) -> Iterator[Any]:
    """Yield every page that there is, each room of the world among them."""
    yield browser().get("/sign-in/")
    for name in names():
        for number in world.rooms if "deployment_id" in parts(name) else [0]:
            yield world.alice.get(address(name, world, deployment_id=number))


def test_every_field_of_a_page_has_its_row(world: World) -> None:
    """A form that a page shows has no field which the table does not try."""
    options = {name for group in OPTIONS.values() for name in group}
    known = {name: {*form.fields} for name, form in FORMS.items()}
    known["deployment-new"] |= options
    seen: dict[str, set[str]] = {}
    with undone():
        world.doubt()
        for page in pages(world):
            for form, fields in posted_fields(page):
                seen.setdefault(form, set()).update(fields)
    missing = {name: fields - known[name] for name, fields in seen.items()}
    assert not any(missing.values()), missing
    assert set(seen) >= {"sign-in", "deployment-new", "operation-settle"}
