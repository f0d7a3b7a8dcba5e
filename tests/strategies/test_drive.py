"""The driver: plain and awaited callbacks, loops, and what is ended from outside."""

from __future__ import annotations

import asyncio
import functools
import threading

import pytest

from strategies import (
    BlueGreenDeployment,
    DeploymentState,
    InsideLoop,
    InvalidOptions,
    RollingDeployment,
)
from strategies.hands import run_in_line
from tests.strategies.fakes import Site, targets


class Crowd:
    """An awaited deploy that notes how many are under way at once."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.begun: list[str] = []

    async def deploy(self, target, version):
        """Be under way for a turn of the loop or two."""
        self.begun.append(target.id)
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.001)
        self.now -= 1
        return True


def rolling(**options):
    """Return a rolling strategy without delays."""
    return RollingDeployment(**{"batch_size": 5, "delay_seconds": 0, **options})


# -- plain callbacks ------------------------------------------------------------------


def test_plain_callbacks_are_called_in_line_and_in_order():
    """In the caller's thread, one at a time, each with its check before the next."""
    site, threads = Site(), set()

    def deploy(target, version):
        threads.add(threading.get_ident())
        return site.deploy(target, version)

    rolling(health_check=site.check).deploy(targets(3), "v2", deploy)

    assert threads == {threading.get_ident()}
    assert site.log == [
        (kind, f"t{n}", *rest)
        for n in range(3)
        for kind, *rest in (("deploy", "v2"), ("check",))
    ]


def test_unhealthy_targets_come_first_as_in_every_rolling_plan():
    """The order is the plan's, not the list's."""
    fleet, site = targets(3), Site()
    fleet[2].healthy = False

    rolling().deploy(fleet, "v2", site.deploy)

    assert site.called == ["t2", "t0", "t1"]


def test_a_plain_callback_may_run_a_loop_of_its_own():
    """No loop runs while it is called, not even when others are awaited."""
    crowd = Crowd()

    def check(target):
        return asyncio.run(asyncio.sleep(0, result=True))

    result = rolling(health_check=check).deploy(targets(3), "v2", crowd.deploy)

    assert result.success, result.errors


# -- awaited callbacks ----------------------------------------------------------------


@pytest.mark.parametrize("is_inside", [False, True])
def test_awaited_callbacks_run_at_once_as_far_as_the_plan_allows(is_inside):
    """Three of a batch of five: never more, and all three are used."""
    crowd, strategy = Crowd(), rolling(parallelism=3)

    if is_inside:
        result = asyncio.run(strategy.adeploy(targets(10), "v2", crowd.deploy))
    else:
        result = strategy.deploy(targets(10), "v2", crowd.deploy)

    assert crowd.most == 3
    assert crowd.begun == [f"t{n}" for n in range(10)]
    assert result.targets_updated == 10


def test_what_gives_an_awaitable_is_awaited_whatever_it_is():
    """A partial, a lambda, an object: not only what is declared async."""
    crowd = Crowd()

    class Deploy:
        def __call__(self, target, version):
            return crowd.deploy(target, version)

    for deploy in (
        functools.partial(crowd.deploy),
        lambda t, v: crowd.deploy(t, v),
        Deploy(),
    ):
        assert rolling().deploy(targets(2), "v2", deploy).success
    assert len(crowd.begun) == 6


def test_what_is_awaited_and_raises_is_that_targets_error():
    """Also a cancellation from within; the others go on."""

    async def deploy(target, version):
        if target.id == "t0":
            raise OSError("gone")
        if target.id == "t1":
            raise asyncio.CancelledError
        return target.id != "t2"

    for result in (
        rolling(max_failures=3).deploy(targets(4), "v2", deploy),
        asyncio.run(rolling(max_failures=3).adeploy(targets(4), "v2", deploy)),
    ):
        assert sorted(result.errors) == [
            "t0: deploy_fn raised OSError: gone",
            "t1: deploy_fn raised CancelledError",
            "t2: deploy_fn returned False",
        ]
        assert result.targets_updated == 1


def test_every_callback_may_be_awaited():
    """Switch, gate and health check as well; all in a private loop, or in the one."""
    seen = []

    async def switch(slot):
        seen.append(slot)
        return True

    async def check(target):
        return True

    async def gate(name):
        seen.append(name)
        return True

    strategy = BlueGreenDeployment(switch, check, auto_promote=False, bake_seconds=10)
    site = Site()
    run = functools.partial(
        strategy.deploy, targets(2), "v2", site.adeploy, gate_fn=gate, clock=site.clock
    )

    assert run().success
    assert seen == ["promotion", "green"]


def test_the_callers_own_current_loop_is_left_as_it_is():
    """A private loop is private."""
    mine = asyncio.new_event_loop()
    asyncio.set_event_loop(mine)
    try:
        rolling().deploy(targets(1), "v2", Crowd().deploy)
        assert asyncio.get_event_loop_policy().get_event_loop() is mine
    finally:
        asyncio.set_event_loop(None)
        mine.close()


@pytest.mark.parametrize(
    ("name", "instead"), [("deploy", "adeploy"), ("rollback", "arollback")]
)
def test_inside_a_loop_it_says_what_to_await(name, instead):
    """It would stop the loop; nothing is called."""
    site, strategy = Site(), rolling()

    async def main():
        getattr(strategy, name)(targets(1), "v2", site.deploy)

    with pytest.raises(InsideLoop, match=rf"await {instead}\(\)") as refused:
        asyncio.run(main())
    assert isinstance(refused.value, RuntimeError)
    assert site.log == []


def test_arollback_takes_back_too():
    """As many at once as on the way there, the last one first."""
    crowd, fleet, strategy = Crowd(), targets(6), rolling(parallelism=2)

    async def main():
        await strategy.adeploy(fleet, "v2", crowd.deploy)
        crowd.begun.clear()
        return await strategy.arollback(fleet, "v0", crowd.deploy)

    result = asyncio.run(main())

    assert result.state is DeploymentState.ROLLED_BACK
    assert (crowd.most, crowd.begun[:2]) == (2, ["t5", "t4"])
    assert {t.version for t in fleet} == {"v1"}


def test_cancelled_it_cancels_and_remembers():
    """What was under way is over before the caller goes on, and can be taken back."""
    fleet, site, ended = targets(4), Site(), []

    async def deploy(target, version):
        try:
            await asyncio.sleep(30)
        finally:
            ended.append(target.id)

    strategy = rolling(parallelism=2)

    async def main():
        run = asyncio.create_task(strategy.adeploy(fleet, "v2", deploy))
        await asyncio.sleep(0.01)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert sorted(ended) == ["t0", "t1"]

    asyncio.run(main())
    strategy.rollback(fleet, "v0", site.deploy)
    assert site.calls == [("t1", "v1"), ("t0", "v1")]


def test_interrupted_while_it_awaits_it_gives_up_what_is_under_way():
    """Nothing runs on after the exception has come out."""
    ended = []

    async def deploy(target, version):
        if target.id == "t0":
            return True
        try:
            await asyncio.sleep(30)
        finally:
            ended.append(target.id)

    def check(target):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rolling(health_check=check).deploy(targets(3), "v2", deploy)
    assert sorted(ended) == ["t1", "t2"]


def test_interrupted_it_remembers():
    """Ctrl-C in a callback comes out, and what was touched can be taken back."""
    fleet, site, strategy = targets(4), Site(), rolling(parallelism=1)

    def deploy(target, version):
        if target.id == "t1":
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        strategy.deploy(fleet, "v2", deploy)

    strategy.rollback(fleet, "v0", site.deploy)
    assert site.called == ["t1", "t0"]


def test_hands_in_line_refuse_what_needs_a_loop():
    """A coroutine that waits for something of a loop's would never go on."""
    with pytest.raises(RuntimeError, match="does not run"):
        run_in_line(asyncio.sleep(0))


def test_deploy_fn_must_be_callable():
    """Said at once, not once for each target."""
    with pytest.raises(InvalidOptions, match="deploy_fn"):
        rolling().deploy(targets(1), "v2", None)
