"""`manage.py template`, and `deploy --template`: how a team deploys, saved once."""

from __future__ import annotations

import pytest

from deployctl.models import Application, Audit, Deployment, Environment, SavedForm
from deployctl.services import saved_forms
from deployctl.services.saved_forms import keep_draft, save_template
from deployctl.services.saved_queries import save_query
from tests.support.fleet import Place, person, simulated
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


def saving(place: Place, name: str = "careful", *more: str) -> list[str]:
    """Return the words that save a canary under a name."""
    words = ["template", "save", place.application.name, name, "--by", "ana"]
    return [*words, "--env", place.environment.name, "--strategy", "canary", *more]


def of(place: Place, verb: str, *more: str) -> list[str]:
    """Return the words that do something with the template `careful`."""
    words = ["template", verb, place.application.name, "careful", *more]
    by = [] if verb == "show" else ["--by", "ana"]
    return [*words, "--env", place.environment.name, *by]


def test_a_template_is_saved_as_in_the_builder(place: Place) -> None:
    save_query(place.application, "Some", "name=t1 | name=t4", by=place.by)
    how = ("-o", "stages= 50, 100", "-o", "health-interval-seconds=7", "-o", "retries=")
    said = typed(*saving(place, "careful", *how, "--query", "Some"))
    where = f"{place.application} in {place.environment}"
    assert said.out == f"The template careful is saved for {where}.\n"
    row = SavedForm.objects.get()
    fields = {"strategy": "canary", "stages": "50, 100", "health_interval_seconds": "7"}
    assert row.fields == fields, "what is empty is left out"
    assert row.query is not None
    entry = Audit.objects.get(action="template.saved")
    assert (entry.actor, entry.source.startswith("terminal of")) == ("ana", True)
    plan = typed(*registered(place), "--template", "careful", "--plan").out
    assert "Canary: 2 of 2 targets to 2.0 in 2 batches" in plan


def test_templates_are_listed_and_shown(place: Place) -> None:
    assert "There is none; `manage.py template save`" in typed("template", "list").out
    careful(place, "name=t1")
    name, env = place.application.name, place.environment.name
    (line,) = typed("template", "list").out.splitlines()
    assert line.split("\t")[:5] == [name, env, "careful", "canary", "where name=t1"]
    (told,) = typed("template", "list", name, "--env", env, "--json").records
    assert (
        told.items()
        >= {
            "name": "careful",
            "strategy": "canary",
            "options": {"stages": "50, 100", "health_interval_seconds": "7"},
            "query": "Some",
            "where": "name=t1",
            "revision": 1,
            "last_deployment": None,
        }.items()
    )
    assert typed(*of(place, "show"), "--json").records == [told]
    shown = typed(*of(place, "show")).out
    assert shown.splitlines()[:4] == [
        f"careful, of {name} in {env}: canary.",
        "  health_interval_seconds=7",
        "  stages=50, 100",
        "  where name=t1, the saved query Some",
    ]
    assert shown.endswith("  never used\n")
    Application.objects.create(name="other")
    Environment.objects.create(name="elsewhere")
    for words in (["other"], ["--env", "elsewhere"]):
        assert typed("template", "list", *words, "--json").records == []


def test_nothing_is_overwritten_that_was_not_seen(place: Place) -> None:
    assert typed(*saving(place)).code == 0
    assert typed(*saving(place)).code == 0, "the same again"
    more = ("-o", "retries=2")
    taken = typed(*saving(place, "careful", *more))
    assert taken.code == 1
    assert "There is a template “careful” already, saved by ana" in taken.err
    assert "It is revision 1: --over 1 overwrites that one." in taken.err
    assert taken.err.count("Nothing was ") == 1, taken.err
    (told,) = typed(*saving(place, "careful", *more, "--over", "1"), "--json").records
    assert (told["revision"], told["options"]) == (2, {"retries": "2"})
    stale = typed(*saving(place, "careful", "-o", "retries=3", "--over", "1"))
    assert (stale.code, "It is revision 2" in stale.err) == (1, True)
    assert SavedForm.objects.get().fields["retries"] == "2"
    none = typed(*saving(place, "hasty", "--over", "1"))
    assert (none.code, "has no template hasty" in none.err) == (1, True)


def test_a_template_is_renamed_and_removed(place: Place) -> None:
    row = careful(place)
    typed(*saving(place, "hasty"))
    taken = typed(*of(place, "rename", "hasty"))
    assert (taken.code, "“hasty” already" in taken.err) == (1, True)
    assert typed(*of(place, "rename", "calm")).out == "It is called calm now.\n"
    row.refresh_from_db()
    assert row.name == "calm"
    gone = typed(*of(place, "remove"))
    assert (gone.code, "there are calm, hasty" in gone.err) == (1, True)
    saved_forms.rename_template(row.pk, "careful", by=place.by)
    (told,) = typed(*of(place, "remove"), "--json").records
    assert told["name"] == "careful"
    assert [each.name for each in SavedForm.objects.all()] == ["hasty"]
    acts = Audit.objects.filter(object_type="savedform").values_list(
        "action", flat=True
    )
    assert set(acts) == {"template.saved", "template.renamed", "template.removed"}


def test_what_goes_while_it_is_typed_is_no_error(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    careful(place)
    monkeypatch.setattr(saved_forms, "_locked", lambda *_: None)
    for words in (of(place, "rename", "calm"), of(place, "remove")):
        said = typed(*words)
        assert said.err == "It is not there any more. Nothing was changed."


@pytest.mark.parametrize(
    ("name", "more", "says"),
    [
        ("", (), "A name has letters, digits"),
        ("-x", (), "A name has letters, digits"),
        ("x" * 65, (), "at most 64 of them"),
        ("x" * 1001, (), "1,001 characters; 1,000 are the most"),
        ("a\tb", (), "no text on one line"),
        ("\x1b[2J", (), r"no text on one line: \x1b[2J"),
        ("a/b", (), "A name has letters, digits"),
        ("new", ("-o", "window=yes"), "window: is not an option"),
        ("new", ("-o", "switch_fn=rm"), "switch_fn: "),
        ("new", ("-o", "health=1"), "health: "),
        ("new", ("-o", "strategy=rolling"), "is said by --strategy"),
        ("new", ("-o", "stages=nonsense"), "stages: "),
        ("new", ("-o", "retries"), "has no value"),
        ("new", ("-o", "retries=1", "-o", "retries=2"), "is said twice"),
        ("new", ("-o", "retries=1\n2"), "no text on one line"),
        ("new", ("-o", "stages=" + "1" * 1001), "1,000 are the most"),
        ("new", ("--strategy", "hasty"), "'hasty' is not one of"),
        ("new", ("--query", "none"), "has no saved query none"),
        ("new", ("--env", "nowhere"), "There is no environment nowhere"),
        ("new", ("--by", "nobody"), "There is no account nobody"),
        ("new", ("--by", "charlie"), "charlie may look but not save templates"),
    ],
)
def test_what_makes_no_template_is_refused(
    place: Place, name: str, more: tuple[str, ...], says: str
) -> None:
    person("charlie", staff=False)
    words = saving(place, "NAME", *more)
    at = words.index("NAME")
    said = typed(*words[:at], *words[at + 1 :], "--", name)
    assert (said.code, said.out) == (1, "")
    assert says in said.err
    assert said.err.count("Nothing was ") == 1, said.err
    assert not SavedForm.objects.exists()


@pytest.mark.parametrize("verb", ["show", "rename", "remove"])
def test_a_template_that_is_nowhere(place: Place, verb: str) -> None:
    new = ["calm"] if verb == "rename" else []
    said = typed(*of(place, verb, *new))
    assert (said.code, "there are none yet" in said.err) == (1, True)
    words = of(place, verb, *new)
    words[2] = "nothing"
    assert "There is no application nothing" in typed(*words).err


def test_who_may_only_look_changes_no_template(place: Place) -> None:
    person("charlie", staff=False)
    careful(place)
    for words in (of(place, "rename", "calm"), of(place, "remove")):
        said = typed(*words[:-1], "charlie")
        assert (said.code, "charlie may look but not" in said.err) == (1, True)
    assert SavedForm.objects.get().name == "careful"
    assert typed(*of(place, "show")).code == 0


def test_drafts_are_seen_by_their_owner_alone(place: Place) -> None:
    person("dora", staff=True)
    at = place.application, place.environment
    wrong = {"strategy": "canary", "stages": "nonsense"}
    keep_draft(*at, "tonight", wrong, by=place.by)
    (line,) = typed("template", "drafts", "--by", "ana").out.splitlines()
    assert line.split("\t")[2:4] == ["tonight", "canary"]
    assert typed("template", "drafts", "--by", "dora").out == "You have none.\n"
    assert typed("template", "list", "--json").records == []
    gone = typed("template", "remove", *at, "tonight", "--env", at[1], "--by", "ana")
    assert gone.code == 1, "a draft is no template"
