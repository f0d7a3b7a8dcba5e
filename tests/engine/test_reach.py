"""What no target may be, and where secrets come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployctl.engine import reach
from deployctl.engine.drivers.agent import AgentDriver
from deployctl.engine.drivers.base import NotSent, TargetRef
from deployctl.networks import networks

NEVER = (
    "169.254.169.254",
    "0.0.0.0",
    "224.0.0.1",
    "::",
    "fe80::1%eth0",
    "::ffff:169.254.169.254",
    "fd00:ec2::254",
    "ff02::1",
    "168.63.129.16",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
    # What leads to one of IPv4: compatible, translated, NAT64, 6to4, Teredo.
    "::169.254.169.254",
    "::ffff:0:a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::6464:64c8",
    "2002:a9fe:a9fe::1",
    "2001:0:102:304::5601:5601",
)


@pytest.mark.parametrize("address", NEVER)
def test_never_a_target(address: str) -> None:
    with pytest.raises(reach.Refused):
        reach.check_ip(address)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "::1", "8.8.8.8", "64:ff9b::808:808", "fd00::a9fe:a9fe"],
)
def test_private_and_public_ones_may_be(address: str) -> None:
    reach.check_ip(address)


def test_only_networks_of_the_list_are_allowed() -> None:
    here = reach.Reach(allowed=networks(["192.0.2.0/24", "fd00::/8"]))
    for address in "192.0.2.7", "::ffff:192.0.2.7", "fd00::1%eth0":
        here.check(address)
    for address in "198.51.100.1", "::ffff:198.51.100.1", "2001:db8::1", "127.0.0.1":
        with pytest.raises(reach.Refused, match="in no network"):
            here.check(address)
    with pytest.raises(reach.Refused, match="in no network"):
        reach.Reach(allowed=()).check("192.0.2.7")
    reach.Reach().check("198.51.100.1")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "host",
    [
        "2852039166",
        "0xa9fea9fe",
        "169.254.169.254",
        "[::ffff:a9fe:a9fe]",
        "0251.0376.0251.0376",
        "0xa9.254.43518",
        "[64:ff9b::a9fe:a9fe]",
    ],
)
async def test_other_ways_to_write_it_do_not_help(host: str) -> None:
    driver = AgentDriver()
    target = TargetRef("1", "one", f"http://{host}")
    try:
        with pytest.raises(NotSent, match="never a target"):
            await driver.apply(target, version="2.0", fence=1, seconds=0.5)
    finally:
        await driver.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        None,
        5,
        "host:80",
        "file:///etc/passwd",
        "gopher://host/",
        "http://",
        "http://user:pass@host/",
        "http://host:99999/",
        "http://host/path",
        "http://host/?query",
        "http://host/#x",
        "http://ho st/",
        "http://host\\@other/",
        "http://höst/",
        "http://[::1",
        "http://169.254.169.254/",
        "http://" + "x" * 600,
    ],
)
def test_addresses_that_are_none(url: object) -> None:
    assert reach.url_problem(url, path=False)


@pytest.mark.parametrize(
    "url", ["http://host:8080", "https://host/", "http://[::1]:80", "http://10.0.0.1"]
)
def test_addresses(url: str) -> None:
    assert not reach.url_problem(url, path=False)


def test_a_health_url_may_have_a_path() -> None:
    assert not reach.url_problem("http://host/health?x=1", path=True)


class TestSecrets:
    def test_file_first_then_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DEPLOYCTL_SECRET_ONE_TWO", "from the environment")
        assert reach.of_surroundings("one-two") == "from the environment"
        monkeypatch.setenv("DEPLOYCTL_SECRETS_DIR", str(tmp_path))
        assert reach.of_surroundings("one-two") == "from the environment"
        (tmp_path / "one-two").write_text("from the file\n")
        assert reach.of_surroundings("one-two") == "from the file"

    def test_a_file_that_cannot_be_read_is_not_replaced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DEPLOYCTL_SECRETS_DIR", str(tmp_path))
        for name in ("folder", "bytes"):
            monkeypatch.setenv(f"DEPLOYCTL_SECRET_{name.upper()}", "of less right")
        (tmp_path / "folder").mkdir()
        (tmp_path / "bytes").write_bytes(b"\xff\xfe")
        assert reach.of_surroundings("folder") is None
        assert reach.of_surroundings("bytes") is None

    @pytest.mark.parametrize("name", ["../x", "", "A", "a/b", "x" * 65, "a\n"])
    def test_a_name_is_no_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setenv("DEPLOYCTL_SECRETS_DIR", str(tmp_path / "secrets"))
        (tmp_path / "x").write_text("canary")
        assert reach.of_surroundings(name) is None
        assert reach.secret_name_problem(name)
