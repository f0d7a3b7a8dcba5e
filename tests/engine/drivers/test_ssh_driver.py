"""The SSH drivers against hosts that hang, flood, babble, cut and are somebody else."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncssh
import pytest
import pytest_asyncio

from deployctl.engine.drivers.base import (
    Driver,
    NotSent,
    OutcomeUnknown,
    Probe,
    ProbeFailed,
    TargetRef,
)
from deployctl.engine.drivers.ssh import SshCommandDriver, SshDriver
from deployctl.engine.ssh import fingerprint
from tests.engine.drivers.ssh_hosts import SshCommandSubject, SshSubject
from tests.support.sshd import KEY, KEY_VARIABLE, Sshd, ordinary_user

USERS = ["root", ordinary_user()] if os.geteuid() == 0 else [ordinary_user()]
pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.serial,
    pytest.mark.parametrize("sshd", USERS, indirect=True, scope="module"),
]


@pytest_asyncio.fixture
async def wrapped(sshd: Sshd) -> AsyncIterator[SshSubject]:
    made = SshSubject(sshd)
    yield made
    await made.driver.close()
    assert sshd.is_quiet()


@pytest_asyncio.fixture
async def plain(sshd: Sshd) -> AsyncIterator[SshCommandSubject]:
    made = SshCommandSubject(sshd)
    yield made
    await made.driver.close()
    assert sshd.is_quiet()


def sh(script: str, *words: str) -> list[str]:
    return ["sh", "-c", script, "sh", *words]


async def apply(driver: Driver, target: TargetRef, seconds: float = 5) -> Any:
    return await driver.apply(target, version="2.0", fence=7, seconds=seconds)


async def probe(driver: Driver, target: TargetRef, seconds: float = 5) -> Probe:
    return await driver.probe(target, fence=None, seconds=seconds)


async def until_begun(target: TargetRef, sshd: Sshd) -> None:
    async with asyncio.timeout(5):
        while not (sshd.folder / target.name / "begun").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


# -- who answers -----------------------------------------------------------------------


async def test_a_changed_host_key_is_refused_with_both(sshd: Sshd) -> None:
    subject = SshSubject(sshd)
    target, pinned = subject.target(), sshd.host_key
    assert (await subject.probe(target)).version == "1.0"
    sshd.replace_host_key()
    with pytest.raises(NotSent) as refused:
        await apply(subject.driver, target)
    said = str(refused.value)
    assert fingerprint(pinned) in said
    assert fingerprint(sshd.host_key) in said
    assert "Nothing was sent" in said
    assert subject.effects(target) == []
    with pytest.raises(ProbeFailed, match="is not the pinned one"):
        await subject.probe(target)
    await subject.driver.close()


async def test_a_host_without_a_pinned_key_is_not_asked(wrapped: SshSubject) -> None:
    target = wrapped.target()
    settings = {k: v for k, v in target.settings.items() if k != "host_key"}
    unknown = TargetRef(target.id, target.name, target.address, settings)
    with pytest.raises(NotSent, match=f"Run `manage.py enrol {target.name}` first"):
        await apply(wrapped.driver, unknown)
    assert wrapped.effects(target) == []


async def test_a_key_that_the_host_does_not_know(
    wrapped: SshSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    monkeypatch.setenv(KEY_VARIABLE, other)
    with pytest.raises(NotSent, match=f"did not let in .* with the key {KEY}"):
        await apply(wrapped.driver, wrapped.target())


@pytest.mark.parametrize(
    ("value", "said"),
    [("", "no secret named"), ("S3cret", "is not a private key without a passphrase")],
)
async def test_a_secret_that_is_no_key_is_never_told(
    wrapped: SshSubject, monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, value)
    with pytest.raises(NotSent, match=said) as refused:
        await apply(wrapped.driver, wrapped.target())
    assert "S3cret" not in str(refused.value)


async def test_nobody_there(sshd: Sshd) -> None:
    subject = SshSubject(sshd)
    target = subject.target()
    sshd.stop()
    try:
        with pytest.raises(NotSent, match="could not be reached"):
            await apply(subject.driver, target)
    finally:
        (sshd.folder / "said").unlink()
        sshd.start()
        await subject.driver.close()


# -- what comes back -------------------------------------------------------------------

BABBLE = [
    "head -c 3000 /dev/urandom",
    """echo '{"ok": true, "version": "9.9", "fence": 7}'""",
    """echo '{"healthy": "yes"}'""",
    """printf '{"ok": true, "vers'""",
    "echo '{}'; exit 3",
    "kill -9 $$",
    "while :; do echo .; sleep 0.05; done",
    "exec head -c 1000000000 /dev/zero",
]


@pytest.mark.parametrize(
    "script",
    [
        *BABBLE,
        "echo '[1]'",
        r"printf '\000\000{}\000'",
        "exec cat >/dev/null",  # Hangs until we go.
    ],
)
async def test_what_is_no_answer_of_the_wrapper(
    wrapped: SshSubject, script: str
) -> None:
    target = wrapped.at("one", command=sh(script))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        await apply(wrapped.driver, target, seconds=1)
    with pytest.raises(ProbeFailed):
        await probe(wrapped.driver, target, seconds=1)
    assert time.monotonic() - began < 4
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


@pytest.mark.parametrize("script", [*BABBLE, "exec sleep 60"])
async def test_what_is_no_word_of_a_probe(
    plain: SshCommandSubject, script: str
) -> None:
    target = plain.at("one", apply=["false"], probe=sh(script))
    with pytest.raises(ProbeFailed):
        await probe(plain.driver, target, seconds=1)


async def test_a_flood_neither_fills_memory_nor_stops_others(
    plain: SshCommandSubject,
) -> None:
    flood = sh("echo first; head -c 1000000000 /dev/zero")
    loud, quiet = plain.at("one", apply=flood, probe=["true"]), plain.target()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    flooding = asyncio.create_task(apply(plain.driver, loud, seconds=3))
    await asyncio.sleep(0.5)
    assert (await probe(plain.driver, quiet, seconds=2)).version == "1.0"
    with pytest.raises(OutcomeUnknown):
        await flooding
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


async def test_output_is_cleaned_and_a_failure_is_its_status(
    plain: SshCommandSubject,
) -> None:
    script = r"printf 'a\000\033[31mb\377'; echo no image >&2; exit 4"
    applied = await apply(plain.driver, plain.at("x", apply=sh(script), probe=["true"]))
    assert (applied.ok, applied.error) == (False, "exit status 4")
    assert applied.output == "ab\ufffdno image\n"


async def test_a_command_hears_all_and_its_line_says_nothing(
    plain: SshCommandSubject,
) -> None:
    """Versions go in by the input: none is ever in a command line, for all to see."""
    target = plain.at("x", apply=sh("cat; cat /proc/$PPID/cmdline"), probe=["true"])
    applied = await apply(plain.driver, target)
    assert applied.output.startswith('{"do":"apply","version":"2.0","fence":7}\n')
    assert applied.output.count("2.0") == 1


async def test_a_setting_of_somebody_else_does_not_matter(
    plain: SshCommandSubject,
) -> None:
    """Checks stand in the same settings, and are asked by others."""
    target = plain.at("x", apply=["true"], probe=["echo", "1.0"], checks=[])
    assert (await probe(plain.driver, target)).version == "1.0"


async def test_a_command_that_is_not_there_changed_nothing(wrapped: SshSubject) -> None:
    target = wrapped.at("one", command=["/nowhere/deployctl-host"])
    applied = await apply(wrapped.driver, target)
    assert not applied.ok
    assert "the command of the settings is not on the host" in applied.error


# -- deadlines and cuts ----------------------------------------------------------------

#: Neither a child, nor one that ignores TERM, is left.
STUBBORN = 'trap "" TERM; sleep 61 & touch "${0%/*}/begun"; sleep 62'


async def test_the_deadline_ends_an_effect_of_the_wrapper(wrapped: SshSubject) -> None:
    target = wrapped.configured(STUBBORN.replace("$0", f"{wrapped.sshd.folder}/x"))
    with pytest.raises(OutcomeUnknown):
        await apply(wrapped.driver, target, seconds=1)
    assert wrapped.sshd.is_quiet(4)
    assert (await wrapped.probe(target, fence=8)).version is None


async def test_a_connection_cut_after_the_apply_is_settled_by_a_probe(
    wrapped: SshSubject,
) -> None:
    """The host goes on and keeps its answer; nobody here knows, until it is asked."""
    target = wrapped.configured("echo done; sleep 0.6")
    running = asyncio.create_task(apply(wrapped.driver, target))
    await wrapped.until_started(target)
    wrapped.sshd.cut()
    with pytest.raises(OutcomeUnknown):
        await running
    assert (await wrapped.probe(target, fence=8)).version == "2.0"
    assert wrapped.effects(target) == ["started 7", "ended 7"]


async def _begun(plain: SshCommandSubject, seconds: float) -> Any:
    target = plain.target()
    path = f"{plain.sshd.folder}/{target.name}/x"
    slow = plain.at(target.name, apply=sh(STUBBORN, path), probe=["true"])
    slow.settings["apply"][3] = path  # type: ignore[index]
    running = asyncio.create_task(apply(plain.driver, slow, seconds))
    await until_begun(target, plain.sshd)
    return running


async def test_the_deadline_ends_a_command(plain: SshCommandSubject) -> None:
    running = await _begun(plain, 1)
    with pytest.raises(OutcomeUnknown, match="no end within"):
        await running
    assert plain.sshd.is_quiet(0.5)


async def test_a_cut_ends_a_command(plain: SshCommandSubject) -> None:
    running = await _begun(plain, 60)
    plain.sshd.cut()
    with pytest.raises(OutcomeUnknown, match="cut before"):
        await running
    assert plain.sshd.is_quiet(0.5)


async def test_being_cancelled_ends_a_command(plain: SshCommandSubject) -> None:
    running = await _begun(plain, 60)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert plain.sshd.is_quiet(0.5)


async def test_a_worker_that_hangs_does_not_prolong_a_command(
    plain: SshCommandSubject,
) -> None:
    """The host counts the seconds too: a stopped worker closes nothing."""
    running = await _begun(plain, 1)
    time.sleep(2)  # noqa: ASYNC251 - the worker does nothing meanwhile
    assert plain.sshd.running() == []
    with pytest.raises(OutcomeUnknown):
        await running


# -- settings --------------------------------------------------------------------------


async def test_settings_are_checked(sshd: Sshd) -> None:
    good = {"host_key": sshd.host_key, "key": "k", "post_quantum": True}
    assert SshDriver.problems("ssh://a@b:22", good) == {}
    bad = {"host_key": "ssh-dss A", "key": "K Y", "command": [], "post_quantum": 1}
    found = SshDriver.problems("http://host", bad)
    assert found.keys() == {"address", *bad}
    both = {"key": "a", "password": "b"}
    assert SshDriver.problems("ssh://a@b", both).keys() == {"key"}
    missing = SshCommandDriver.problems("ssh://a@b", {"key": "a"})
    assert missing.keys() == {"apply", "probe"}
