"""Ways to begin and end the life story of a rolling deployment; it checks nothing."""

from __future__ import annotations

from tests.strategies.worlds import FORWARD, S, World, plan_of


def started(count, *, unhealthy=(), places=1000, **options):
    """Return a world that has begun, with its first claims in hand."""
    plan = plan_of(count, unhealthy=unhealthy, **options)
    return World(plan, unhealthy=unhealthy).start(places=places)


def failing(*positions, direction=FORWARD):
    """Return an outcome that fails at these positions in one direction."""

    def outcome(claim):
        bad = claim.direction is direction and claim.position in positions
        return S.FAILED if bad else S.SUCCEEDED

    return outcome


def ended(count, *bad, **options):
    """Run a deployment to its end, with these positions failing."""
    return started(count, **options).finish(failing(*bad))
