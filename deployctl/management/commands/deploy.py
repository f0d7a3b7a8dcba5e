"""`manage.py deploy`: shows a plan, simulates it, or starts it and follows it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.core.management.base import CommandParser

from deployctl.management.terminal import finding, plans, showing
from deployctl.management.terminal.asking import answered
from deployctl.management.terminal.base import Wrong
from deployctl.management.terminal.codes import Code
from deployctl.management.terminal.following import rests_as
from deployctl.management.terminal.options import add_options, typed
from deployctl.management.terminal.presses import (
    FollowingCommand,
    add_following,
    add_person,
)
from deployctl.models import Application, Deployment, Environment, SavedForm
from deployctl.queries.selecting import chosen
from deployctl.services import deployments
from deployctl.services.people import at_terminal
from deployctl.services.planning import Refused, plan_deployment
from deployctl.services.saved_forms import as_options
from strategies import InvalidOptions, Plan, shares
from strategies.registry import with_health
from strategies.states import State

#: What is chosen when nobody chose, as in the builder.
USUAL = "rolling"


class Command(FollowingCommand):
    """Deploy a version of an application to an environment."""

    help = "Deploy a version: show its plan, simulate it, or start it and follow it."
    nothing = " Nothing was started."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what, where, how, and what is done with the plan."""
        super().add_arguments(parser)
        parser.add_argument("application")
        parser.add_argument("version")
        parser.add_argument("--env", required=True, help="the environment")
        parser.add_argument("--strategy", help=f"how ({USUAL})")
        parser.add_argument(
            "--template",
            metavar="NAME",
            help="strategy, options and query of a template; -o and --where win",
        )
        add_options(parser)
        parser.add_argument(
            "--where",
            metavar="QUERY",
            help="only targets like that, as 'zone=eu-west & !canary'",
        )
        parser.add_argument(
            "--hash", metavar="HASH", help="only if this is the plan, as --plan said"
        )
        only = parser.add_mutually_exclusive_group()
        only.add_argument("--plan", action="store_true", help="show it; start nothing")
        only.add_argument(
            "--simulate", action="store_true", help="run it in virtual time only"
        )
        world = parser.add_argument_group("with --simulate")
        world.add_argument(
            "--broken", metavar="SHARE", help="3 or 5%% of targets fail (0)"
        )
        world.add_argument("--takes", metavar="SECONDS", help="each change takes (30)")
        world.add_argument("--seed", type=int, help="of the draw (0)")
        add_person(parser, "--why")
        add_following(parser)

    def act(self, options: dict[str, Any]) -> Code:
        """Plan, and do with the plan what was asked."""
        refuse_made_up(options)
        application = finding.application(options["application"])
        version = finding.version(application, options["version"])
        environment = finding.environment(options["env"])
        place = application, environment, version
        template = finding.template(application, environment, options["template"])
        only = where(*place[:2], query_of(template, options["where"]))
        plan = plan_deployment(*place, *how(template, options), target_ids=only)
        refuse_another(plan, options["hash"])
        if options["plan"]:
            return self.shown(plan)
        if options["simulate"]:
            return self.simulated(plan, options)
        by, key = at_terminal(options["by"]), str(uuid4())
        try:
            row = answered(
                lambda: deployments.deploy(
                    *(*place, plan),
                    by=by,
                    key=key,
                    why=options["why"],
                    template=template.pk if template else None,
                ),
                self.screen,
            )
        except Refused as error:
            raise led_to(error) from None
        self.screen.line(f"{showing.title(row)} started, {plan.course.work:,} targets.")
        self.screen.line(showing.address(row))
        return self.follow(row, rests_as(State.COMPLETED), options)

    def shown(self, plan: Plan) -> Code:
        """Print the plan; nothing is kept of it."""
        self.screen.record(plans.plan_record(plan))
        for line in plans.plan_lines(plan):
            self.screen.line(line)
        return Code.DONE

    def simulated(self, plan: Plan, options: dict[str, Any]) -> Code:
        """Print how the plan would go."""
        made = made_up(options)
        run = plans.simulated(plan, made)
        self.screen.record(plans.simulation_record(plan, run))
        for line in plans.simulation_lines(plan, run, made):
            self.screen.line(line)
        return Code.DONE


def query_of(template: SavedForm | None, typed_query: str | None) -> str | None:
    """Return the query that was typed, else the template's; None without either."""
    if typed_query is not None or template is None or template.query is None:
        return typed_query
    return template.query.text


def how(template: SavedForm | None, options: dict[str, Any]) -> tuple[str, Any]:
    """Return strategy and options: what was typed goes before what a template says.

    Raises:
        Wrong: another strategy than the template's was typed, or an option is none.
    """
    given = typed(options["option"])
    if template is None:
        return options["strategy"] or USUAL, with_health(given)
    strategy = template.fields["strategy"]
    if options["strategy"] not in (None, strategy):
        raise Wrong(f"The template {template} is {strategy}: leave --strategy out.")
    return as_options({**template.fields, **given})


def led_to(error: Refused) -> Refused:
    """Return a refusal that says where the deployment is which stands in the way."""
    if error.deployment_id is None:
        return error
    address = showing.address(Deployment(pk=error.deployment_id))
    return Refused(error.code, f"{error} It is at {address}", error.deployment_id)


def where(
    application: Application, environment: Environment, query: str | None
) -> list[int] | None:
    """Return the targets that a query chooses; None, the whole fleet, without one.

    Raises:
        Wrong: what is wrong with the query, or that it chooses none.
    """
    if query is None:
        return None
    try:
        return chosen(application, environment, query)
    except ValueError as error:
        raise Wrong(f"--where: {error}") from None


def refuse_another(plan: Plan, wanted: str | None) -> None:
    """Refuse a plan that is not the one which was looked at.

    Raises:
        Wrong: its hash is another.
    """
    if wanted is not None and wanted != plan.hash:
        raise Wrong(
            f"The plan is {plan.hash} now, not {wanted}: fleet, version or options have"
            " changed. Look at it with --plan."
        )


#: What a simulation makes up when nobody says it.
MADE_UP = {"broken": "0", "takes": "30", "seed": 0}


def refuse_made_up(options: dict[str, Any]) -> None:
    """Refuse what only a simulation makes up: who says it wants nothing started.

    Raises:
        Wrong: it is said without --simulate.
    """
    said = [name for name in MADE_UP if options[name] is not None]
    if said and not options["simulate"]:
        raise Wrong(
            f"--{said[0]} is for a simulation: say --simulate too, or leave it."
        )


def made_up(options: dict[str, Any]) -> plans.Made:
    """Read what a simulation makes up.

    Raises:
        InvalidOptions: by the name of the option.
    """
    wrong: dict[str, str] = {}
    given = {n: options[n] for n in MADE_UP if options[n] is not None}
    read: dict[str, Any] = {**MADE_UP, **given}
    for name, reader in (("broken", shares.parse), ("takes", shares.seconds)):
        try:
            read[name] = reader(read[name])
        except ValueError as error:
            wrong[name] = str(error)
    if wrong:
        raise InvalidOptions(wrong)
    return plans.Made(read["broken"], read["takes"], read["seed"])
