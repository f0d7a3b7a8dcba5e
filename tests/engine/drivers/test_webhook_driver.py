"""The webhook driver against services that refuse, forget, hang, flood and cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deployctl.engine.drivers.base import (
    Applied,
    NotSent,
    OutcomeUnknown,
    ProbeFailed,
    StaleFence,
    TargetRef,
)
from deployctl.engine.drivers.webhook import WebhookDriver
from deployctl.engine.reach import Reach
from deployctl.engine.webhooks import signed
from tests.engine.drivers.webhooks import WebhookSubject
from tests.support.certificates import server_tls
from tests.support.hostile import (
    Handler,
    Serve,
    answers,
    cuts,
    cuts_in_the_body,
    drips,
    endless_head,
    floods,
    hangs,
    hostile,
    says,
)
from tests.support.receivers import SECRET

__all__ = ["hostile"]  # A fixture.
pytestmark = [pytest.mark.asyncio, pytest.mark.serial]


@pytest_asyncio.fixture
async def subject() -> AsyncIterator[WebhookSubject]:
    made = WebhookSubject()
    yield made
    await made.driver.close()
    made.close()


@pytest_asyncio.fixture
async def driver() -> AsyncIterator[WebhookDriver]:
    made = WebhookDriver()
    yield made
    await made.close()


def behind(url: str, **secrets: str) -> TargetRef:
    settings = {"probe": f"{url}/p", "status": f"{url}/s/{{id}}", "secret": "hook"}
    return TargetRef("7", "one", f"{url}/a", settings, Reach({"hook": "x", **secrets}))


async def apply(
    driver: WebhookDriver, target: TargetRef, seconds: float = 1
) -> Applied:
    return await driver.apply(target, version="2.0", fence=5, seconds=seconds)


async def test_it_signs_as_standard_webhooks_says() -> None:
    """The example of its specification."""
    found = signed(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert found == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


async def test_who_signs_with_something_else_is_refused() -> None:
    subject = WebhookSubject("another secret")
    target = subject.target()
    applied = await subject.apply(target, "2.0", 1)
    assert (applied.ok, subject.effects(target)) == (False, [])
    assert "HTTP 401" in applied.error
    with pytest.raises(ProbeFailed, match="HTTP 401"):
        await subject.probe(target)
    await subject.driver.close()
    subject.close()


@pytest.mark.parametrize("spoilt", [["503"], ["cut"], ["cut", "503", "cut"]])
async def test_what_was_not_answered_is_delivered_again_and_done_once(
    subject: WebhookSubject, spoilt: list[str]
) -> None:
    subject.receiver.spoil = [*spoilt]
    target = subject.target()
    assert (await subject.apply(target, "2.0", 3)).ok
    assert subject.effects(target) == ["started 3", "ended 3"]
    assert len(subject.receiver.delivered) == len(spoilt) + 1
    assert set(subject.receiver.delivered) == {f"target-{target.id}-3"}


async def test_what_is_taken_late_has_the_less_time(subject: WebhookSubject) -> None:
    """Else it would still be at work when nobody waits for it any more."""
    subject.receiver.spoil = ["503"] * 3
    target = subject.target(slow=True)
    with pytest.raises(OutcomeUnknown):
        await subject.apply(target, "2.0", 3, seconds=2)
    await asyncio.sleep(subject.slow_seconds)
    assert subject.effects(target) == ["started 3"]
    assert (await subject.probe(target)).version == "1.0"


async def test_a_refusal_is_not_repeated(subject: WebhookSubject) -> None:
    subject.receiver.spoil = ["refuse"]
    target = subject.target()
    applied = await subject.apply(target, "2.0", 3)
    assert not applied.ok
    assert "422" in applied.error
    assert subject.effects(target) == []
    assert len(subject.receiver.delivered) == 1


async def test_a_stale_fence_is_told_as_such(
    driver: WebhookDriver, hostile: Serve
) -> None:
    page = await hostile(answers(409, error="stale", fence=8))
    with pytest.raises(StaleFence) as refused:
        await apply(driver, behind(page.target.address))
    assert refused.value.heard == 8


#: Each of these has read the request, so nobody knows what it did.
SENT: dict[str, Handler] = {
    "hangs": hangs,
    "cuts": cuts,
    "cuts_in_the_body": cuts_in_the_body,
    "drips": drips,
    "floods": floods,
    "endless_head": endless_head,
    "not_http": says("nonsense", b""),
    "error": says("500 Oh", b"\x00\x1b[2J"),
    "never_says_how_it_ended": answers(202, state="running"),
    "says_nonsense": answers(200, state=["succeeded"]),
}


@pytest.mark.parametrize("name", SENT)
async def test_without_an_end_nobody_knows(
    driver: WebhookDriver, hostile: Serve, name: str
) -> None:
    page = await hostile(SENT[name])
    began = asyncio.get_running_loop().time()
    with pytest.raises(OutcomeUnknown) as unknown:
        await apply(driver, behind(page.target.address))
    assert asyncio.get_running_loop().time() - began < 3
    assert "\x1b" not in str(unknown.value)


@pytest.mark.parametrize("status", ["302 Found", "307 Again", "404 No", "401 Who"])
async def test_who_does_not_take_it_has_done_nothing(
    driver: WebhookDriver, hostile: Serve, status: str
) -> None:
    goal = await hostile(answers(200, state="succeeded"))
    there = f"Location: {goal.target.address}/"
    page = await hostile(says(status, b"", there))
    applied = await apply(driver, behind(page.target.address))
    assert not applied.ok
    assert goal.asked == []


async def test_nobody_is_there_for_all_of_the_time(driver: WebhookDriver) -> None:
    with pytest.raises(NotSent):
        await apply(driver, behind("http://127.0.0.1:1"))


async def test_a_certificate_that_nobody_signed_is_refused_at_once(
    driver: WebhookDriver, tmp_path: Path
) -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: Any) -> None:
        heard.append(await reader.read(100))
        writer.close()

    tls = server_tls(tmp_path)
    server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(5):
        with pytest.raises(NotSent, match="certificate"):
            await apply(driver, behind(f"https://localhost:{port}"), 60)
    server.close()
    assert heard in ([], [b""])


async def test_without_its_secret_nothing_is_sent(
    driver: WebhookDriver, hostile: Serve
) -> None:
    page = await hostile(hangs)
    target = behind(page.target.address)
    for reach, said in (
        (Reach(), "no secret named hook"),
        (Reach({"hook": "whsec_?"}), "no base64"),
    ):
        lacking = TargetRef("7", "one", target.address, target.settings, reach)
        with pytest.raises(NotSent, match=said):
            await apply(driver, lacking)
        with pytest.raises(ProbeFailed, match=said):
            await driver.probe(lacking, fence=None, seconds=1)
    assert page.asked == []


@pytest.mark.parametrize(
    "handler", [hangs, cuts, floods, drips, says("302 X", b""), says("200 X", b"[]")]
)
async def test_a_probe_without_a_sensible_answer_fails(
    driver: WebhookDriver, hostile: Serve, handler: Handler
) -> None:
    page = await hostile(handler)
    with pytest.raises(ProbeFailed):
        await driver.probe(behind(page.target.address), fence=None, seconds=0.5)


async def test_its_settings_are_checked() -> None:
    good = {"probe": "http://h/{target}", "status": "http://h/{id}", "secret": "hook"}
    assert WebhookDriver.problems("http://h/apply", good) == {}
    bad = {"probe": "ftp://h", "status": "http://h/", "secret": SECRET, "more": 1}
    found = WebhookDriver.problems("http://169.254.169.254/", bad)
    assert found.keys() == {"address", "probe", "status", "secret", "more"}
    assert "must say {id}" in found["status"]
    assert WebhookDriver.problems("", {}).keys() == {
        "address",
        "probe",
        "status",
        "secret",
    }
