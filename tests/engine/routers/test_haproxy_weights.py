"""HAProxy's weights: the arithmetic for any servers, and a real one that has them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from fractions import Fraction

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from deployctl.engine.effects import ProbeFailed
from deployctl.engine.routers.base import Applied, Member, Reading, RouterRef
from deployctl.engine.routers.haproxy_weights import (
    HEAVIEST,
    HaproxyWeightsRouter,
    weights,
)
from tests.support.balancers import Haproxy
from tests.support.ports import free_ports

NAMES = ("one", "two", "three")
EVENLY = dict.fromkeys(NAMES, 1)


# -- the arithmetic --------------------------------------------------------------------


@given(
    st.lists(st.integers(0, HEAVIEST), min_size=1, max_size=20),
    st.lists(st.integers(0, HEAVIEST), min_size=1, max_size=20),
    st.integers(0, 9_999),
)
def test_the_first_get_what_is_said_or_a_little_less(
    ours: list[int], others: list[int], basis_points: int
) -> None:
    configured = {f"a{n}": w for n, w in enumerate(ours)}
    configured |= {f"b{n}": w for n, w in enumerate(others)}
    first = frozenset(name for name in configured if name.startswith("a"))
    try:
        found = weights(configured, first, basis_points)
    except ValueError:
        return
    assert all(0 <= weight <= HEAVIEST for weight in found.values())
    total = sum(found.values())
    share = Fraction(sum(found[name] for name in first), total)
    assert share <= Fraction(basis_points, 10_000)
    # Rounding costs less than one of a weight for each server.
    lost = Fraction(len(configured), total)
    assert share >= Fraction(basis_points, 10_000) - lost
    for name, weight in configured.items():
        gets = weight > 0 and (basis_points > 0 or name not in first)
        assert (found[name] > 0) is gets, "who had some has some"


@pytest.mark.parametrize(
    ("configured", "basis_points", "says"),
    [
        ({"a": 1, "b": 1}, 10, "a would need less than a weight of 1"),
        ({"a": 0, "b": 1}, 500, "none of the first targets has a weight"),
        ({"a": 1, "b": 0}, 500, "no other server has a weight"),
        ({"a": 1}, 500, "no other server has a weight"),
    ],
)
def test_what_no_weights_can_do_is_said(
    configured: dict[str, int], basis_points: int, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        weights(configured, frozenset({"a"}), basis_points)


def test_servers_keep_their_order_among_themselves() -> None:
    """Twice as heavy by configuration is twice as heavy within its group."""
    found = weights({"a": 50, "b": 100, "c": 200, "d": 100}, frozenset("ab"), 2_500)
    assert found["b"] == pytest.approx(2 * found["a"], abs=2)
    assert found["c"] == pytest.approx(2 * found["d"], abs=2)


# -- HAProxy itself --------------------------------------------------------------------


@pytest.fixture
def haproxy() -> Iterator[Haproxy]:
    with Haproxy({"blue": free_ports(3), "green": free_ports(3)}) as made:
        assert isinstance(made, Haproxy)
        yield made


@pytest_asyncio.fixture
async def driver() -> AsyncIterator[HaproxyWeightsRouter]:
    made = HaproxyWeightsRouter()
    yield made
    await made.close()


def router(haproxy: Haproxy, **groups: tuple[str, ...]) -> RouterRef:
    """Return the backend blue with these groups; "p10_1" is the share "10% to 1"."""
    settings = {"address": haproxy.socket, "backend": "blue"}
    named = {
        label: tuple(Member(name) for name in names)
        for label, names in ((_label(key), value) for key, value in groups.items())
    }
    return RouterRef("1", "blue", (), settings, groups=named)


def _label(key: str) -> str:
    if key == "even":
        return key
    percent, _, count = key.removeprefix("p").partition("_")
    return f"{percent}% to {count}"


def now(haproxy: Haproxy, backend: str = "blue") -> dict[str, int]:
    """Return the weights that it has."""
    lines = haproxy.asked(f"show servers state {backend}").strip().split("\n")
    names = lines[1].removeprefix("# ").split()
    rows = [dict(zip(names, line.split(), strict=False)) for line in lines[2:]]
    return {row["srv_name"]: int(row["srv_uweight"]) for row in rows}


async def read(driver: HaproxyWeightsRouter, ref: RouterRef) -> Reading:
    return await driver.read(ref, fence=None, seconds=5)


async def led(
    driver: HaproxyWeightsRouter, ref: RouterRef, expected: str, slot: str
) -> Applied:
    return await driver.switch(ref, expected=expected, slot=slot, fence=1, seconds=5)


@pytest.mark.serial
@pytest.mark.asyncio
async def test_what_was_begun_is_gone_on_with(
    haproxy: Haproxy, driver: HaproxyWeightsRouter
) -> None:
    """Between two shares each weight is one of both: it may be set again."""
    ref = router(haproxy, even=(), p10_1=("one",))
    haproxy.asked("set server blue/one weight 56")
    reading = await read(driver, ref)
    assert (reading.serving, "some are not" in reading.detail) == ("even", True)
    assert (await led(driver, ref, "even", "10% to 1")).ok
    assert (await read(driver, ref)).serving == "10% to 1"
    assert now(haproxy) == {"one": 56, "two": 256, "three": 256}


@pytest.mark.serial
@pytest.mark.asyncio
async def test_what_a_person_has_set_is_left_alone(
    haproxy: Haproxy, driver: HaproxyWeightsRouter
) -> None:
    ref = router(haproxy, even=(), p10_1=("one",))
    haproxy.asked("set server blue/two weight 7")
    reading = await read(driver, ref)
    assert (reading.serving, reading.detail) == (None, "two has weight 7")
    said = await led(driver, ref, "even", "10% to 1")
    assert (said.ok, said.error) == (False, "it is uneven (two has weight 7), not even")
    assert now(haproxy) == {**EVENLY, "two": 7}
    # Outside a claim it is said, so that no plan is made over it.
    assert (await read(driver, router(haproxy))).serving == "uneven"


@pytest.mark.serial
@pytest.mark.asyncio
async def test_from_anywhere_to_what_its_configuration_says(
    haproxy: Haproxy, driver: HaproxyWeightsRouter
) -> None:
    """A return expects nothing: the balancer may have forgotten, or been changed."""
    haproxy.asked("set server blue/two weight 7")
    assert (await led(driver, router(haproxy, even=()), "", "even")).ok
    assert now(haproxy) == EVENLY
    assert (await read(driver, router(haproxy))).serving == "even"


@pytest.mark.serial
@pytest.mark.asyncio
async def test_a_target_may_be_named_otherwise_there(
    haproxy: Haproxy, driver: HaproxyWeightsRouter
) -> None:
    """Its setting traffic says which server of this backend it is."""
    entry = {"kind": "haproxy", "servers": ["green/one", "blue/three"]}
    groups = {"even": (), "20% to 1": (Member("web-17", (entry,)),)}
    settings = {"address": haproxy.socket, "backend": "blue"}
    ref = RouterRef("1", "blue", (), settings, groups=groups)
    assert (await led(driver, ref, "even", "20% to 1")).ok
    assert now(haproxy) == {"one": 256, "two": 256, "three": 128}
    assert now(haproxy, "green") == EVENLY


@pytest.mark.serial
@pytest.mark.asyncio
async def test_a_target_that_is_no_server_is_said_by_name(
    haproxy: Haproxy, driver: HaproxyWeightsRouter
) -> None:
    ref = router(haproxy, even=(), p10_1=("web 1;disable",))
    with pytest.raises(ProbeFailed, match=r"has no server web 1;disable: name servers"):
        await read(driver, ref)
    assert now(haproxy) == EVENLY


@pytest.mark.serial
@pytest.mark.asyncio
async def test_none_of_it_is_a_share_too(
    haproxy: Haproxy, driver: HaproxyWeightsRouter
) -> None:
    ref = router(haproxy, even=(), p0_2=("one", "two"))
    assert (await led(driver, ref, "even", "0% to 2")).ok
    assert now(haproxy) == {"one": 0, "two": 0, "three": 256}


@pytest.mark.serial
@pytest.mark.asyncio
async def test_who_only_stands_by_is_not_counted(
    haproxy: Haproxy, driver: HaproxyWeightsRouter
) -> None:
    """It gets traffic only when all others are gone."""
    text = haproxy.config.read_text()
    lines = [
        line + (" backup" if line.startswith("    server three") else "")
        for line in text.split("\n")
    ]
    haproxy.config.write_text("\n".join(lines))
    haproxy.restart()
    ref = router(haproxy, even=(), p50_1=("one",))
    assert (await led(driver, ref, "even", "50% to 1")).ok
    assert now(haproxy) == {"one": 256, "two": 256, "three": 1}


@pytest.mark.serial
@pytest.mark.asyncio
async def test_a_way_of_balancing_that_knows_no_weights_refuses(
    haproxy: Haproxy, driver: HaproxyWeightsRouter
) -> None:
    text = haproxy.config.read_text()
    wanted = "backend blue\n    balance static-rr"
    haproxy.config.write_text(text.replace("backend blue", wanted))
    haproxy.restart()
    said = await led(
        driver, router(haproxy, even=(), p10_1=("one",)), "even", "10% to 1"
    )
    assert not said.ok
    assert "static LB" in said.error
    assert now(haproxy) == EVENLY


@pytest.mark.serial
@pytest.mark.asyncio
async def test_hundreds_of_servers_are_set(
    haproxy: Haproxy, driver: HaproxyWeightsRouter
) -> None:
    """More than HAProxy reads at once."""
    more = "".join(f"    server s{n} 127.0.0.1:9 weight 10\n" for n in range(500))
    haproxy.config.write_text(f"{haproxy.config.read_text()}\nbackend many\n{more}")
    haproxy.restart()
    first = tuple(Member(f"s{n}") for n in range(250))
    settings = {"address": haproxy.socket, "backend": "many"}
    ref = RouterRef("1", "many", (), settings, groups={"even": (), "5% to 250": first})
    assert (await led(driver, ref, "even", "5% to 250")).ok
    found = now(haproxy, "many")
    ours = sum(weight for name, weight in found.items() if int(name[1:]) < 250)
    assert 0.045 < ours / sum(found.values()) <= 0.05
    assert (await read(driver, ref)).serving == "5% to 250"


@pytest.mark.serial
@pytest.mark.asyncio
async def test_a_backend_that_is_not_there_is_said(
    haproxy: Haproxy, driver: HaproxyWeightsRouter
) -> None:
    settings = {"address": haproxy.socket, "backend": "nobody"}
    with pytest.raises(ProbeFailed):
        await read(driver, RouterRef("1", "nobody", (), settings))
