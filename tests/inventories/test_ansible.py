"""Ansible's inventories: what is read of them is what Ansible itself says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from deployctl.inventories import formats
from deployctl.inventories.rows import Inventory, NoInventory

#: Its own reader; the benchmark installs it, and nothing of ours needs it.
ANSIBLE = Path(sys.executable).parent / "ansible-inventory"

INI = """
# A comment.
mail.example.com ansible_port=5555 ansible_host=192.0.2.50

[webservers]
www[01:10:2].example.com http_port=80
db-[a:c].example.com:2222
[10:12]x[0:1]y
alpha beta=1 gamma='two words' ansible_host="10.0.0.1" # comment
v6 ansible_host=fd00::1

[webservers:vars]
ntp_server=ntp.example.com
ansible_user = web
; another comment

[small]
alpha ansible_user=root
mail.example.com

[europe:children]
webservers
small

[europe:vars]
ansible_port=2200

# The nearer group wins, whatever its name.
[yonder:children]
small

[yonder:vars]
ansible_user=far

[small:vars]
ansible_user=near

[empty]

[all:vars]
ansible_user=deploy
"""
YAML = """
---
all:
  hosts:
    mail.example.com: {ansible_host: 192.0.2.50, ansible_port: 5555}
  vars: &common
    ansible_user: deploy
    odd: !unsafe "{{ x }}"
  children:
    webservers:
      hosts:
        www[01:10:2].example.com:
          http_port: 80
        "db-[a:c].example.com:2222":
        alpha: {ansible_host: 10.0.0.1}
      vars:
        ansible_user: web
    europe:
      children:
        webservers:
        small:
          hosts:
            alpha:
              ansible_user: root
            mail.example.com:
      vars:
        <<: *common
        ansible_port: 2200
west:
  hosts: lonely
"""


def read(text: str, format: str) -> Inventory:
    """Return what a text says."""
    return formats.read(text.encode(), format)


def ours(text: str, format: str) -> dict[str, Any]:
    """Return {name: (address, groups)} as we read it."""
    found = read(text, format)
    assert found.problems.first == []
    return {row.name: (row.texts["address"], set(row.labels)) for row in found.rows}


def theirs(text: str, format: str, folder: Path) -> dict[str, Any]:
    """Return {name: (address, groups)} as Ansible reads it."""
    file = folder / f"hosts.{'yaml' if format.endswith('yaml') else 'ini'}"
    file.write_text(text)
    ended = subprocess.run(
        [str(ANSIBLE), "-i", str(file), "--list"],
        check=True,
        capture_output=True,
        env={**os.environ, "HOME": str(folder)},
    )
    said = json.loads(ended.stdout)
    found = {}
    for name in members(said, "all"):
        given = said["_meta"]["hostvars"].get(name, {})
        groups = {group for group in said if name in members(said, group)}
        host = str(given.get("ansible_host", name))
        host = f"[{host}]" if ":" in host else host
        port = f":{given['ansible_port']}" if "ansible_port" in given else ""
        address = f"ssh://{given['ansible_user']}@{host}{port}"
        found[name] = (address, groups - {"all", "ungrouped", "_meta"})
    return found


def members(said: dict[str, Any], group: str) -> set[str]:
    """Return the hosts in a group and below it."""
    own = said.get(group, {})
    below = [members(said, child) for child in own.get("children", [])]
    return set(own.get("hosts", [])).union(*below)


@pytest.mark.parametrize(
    ("format", "text"),
    [("ansible-ini", INI), ("ansible-yaml", YAML)],
    ids=["ini", "yaml"],
)
def test_it_is_read_as_ansible_reads_it(format: str, text: str, tmp_path: Path) -> None:
    assert ours(text, format) == theirs(text, format, tmp_path)


def test_what_ansible_said_of_the_ini_file() -> None:
    """As the test above found it, for where Ansible is not."""
    found = ours(INI, "ansible-ini")
    assert len(found) == 17
    assert found["mail.example.com"] == (
        "ssh://near@192.0.2.50:5555",
        {"small", "europe", "yonder"},
    )
    assert found["alpha"] == (
        "ssh://root@10.0.0.1:2200",
        {"webservers", "small", "europe", "yonder"},
    )
    assert found["www03.example.com"][0] == "ssh://web@www03.example.com:2200"
    assert found["db-b.example.com"][0] == "ssh://web@db-b.example.com:2222"
    assert found["v6"][0] == "ssh://web@[fd00::1]:2200"
    assert "11x1y" in found


def test_what_ansible_said_of_the_yaml_file() -> None:
    found = ours(YAML, "ansible-yaml")
    assert len(found) == 11
    assert found["alpha"] == (
        "ssh://root@10.0.0.1:2200",
        {"webservers", "small", "europe"},
    )
    assert found["lonely"] == ("ssh://deploy@lonely", {"west"})


OURS = """
[web]
a ansible_user=x deployctl_settings='{"key": "deploy", "n": (1, 2)}' \
 deployctl_labels='{"zone": "eu"}' deployctl_slot=blue deployctl_version=1.0
b deployctl_kind=agent deployctl_address=http://b:9000
[web:vars]
ansible_password=hunter2
deployctl_labels={"zone": "us", "rack": 4}
"""


def test_variables_that_are_meant_for_us_say_the_rest() -> None:
    first, second = read(OURS, "ansible-ini").rows
    assert first.settings == {"key": "deploy", "n": [1, 2]}
    assert first.labels == {"web": "yes", "zone": "eu"}
    assert (first.texts["slot"], first.texts["version"]) == ("blue", "1.0")
    assert second.labels == {"web": "yes", "zone": "us", "rack": "4"}
    assert second.texts == {"kind": "agent", "address": "http://b:9000"}


def test_no_password_of_an_inventory_is_kept() -> None:
    assert "hunter2" not in repr(read(OURS, "ansible-ini"))
    text = "all: {hosts: {a: {ansible_user: x, ansible_password: hunter2}}}"
    assert "hunter2" not in repr(read(text, "ansible-yaml"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a\n", "line 1, ansible_user: is needed: as whom to sign in at it"),
        ("[web\na ansible_user=x\n", "line 1: [web has a range"),
        ("[a b]\n", "line 1: [a b] is no section"),
        ("[a:x]\n", "line 1: [a:x] is no section"),
        ("[a:vars]\nx=1\n", "line 1: group a is nowhere declared"),
        ("[a:children]\nb\n", "line 2: group b is nowhere declared"),
        ("a 'b\n", "line 1: its quotes are wrong"),
        ("a b\n", "line 1: b is not name=value"),
        ("[a]\n[a:vars]\nx\n", "line 3: x is not name=value"),
        ("a[1:2 ansible_user=x\n", "line 1: a[1:2 has a range that is not closed"),
        ("a[1] ansible_user=x\n", "line 1: [1] is no range"),
        ("a[3:1] ansible_user=x\n", "line 1: [3:1] is empty"),
        ("a[1:9:0] ansible_user=x\n", "line 1: [1:9:0] has no step"),
        ("a[01:100] ansible_user=x\n", "line 1: [01:100] must have as many digits"),
        ("a[a:9] ansible_user=x\n", "line 1: [a:9] goes from a number to"),
        ("a[1:999999999] ansible_user=x\n", "line 1: [1:999999999] stands for more"),
        ("a[1:900][1:900] ansible_user=x\n", "line 1: a[1:900][1:900] stands for"),
        ("a ansible_user=x deployctl_labels=3\n", "line 1, deployctl_labels: must be"),
        ("a ansible_user=x deployctl_slot=[]\n", "line 1, deployctl_slot: must be"),
    ],
)
def test_what_is_wrong_in_an_ini_file_is_said_with_its_line(
    text: str, says: str
) -> None:
    found = [str(each) for each in read(text, "ansible-ini").problems.first]
    assert found
    assert found[0].startswith(says), found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "Line 2 is no YAML"),
        ("a:\n\tb: 1", "Line 2 is no YAML"),
        ("- a\n", "It is no inventory"),
        ("hello", "It is no inventory"),
        ("# nothing", "It is no inventory"),
        ("a: 1\n---\nb: 1\n", "is no YAML"),
        ("a: *b", "is no YAML"),
        ("[" * 1000, "nested deeper than 50"),
        ("a: " + "{b: " * 100, "nested deeper than 50"),
        ("a: &a {children: {a: *a}}", "is no YAML|within itself|nested deeper"),
    ],
)
def test_what_is_no_yaml_inventory_is_refused_as_a_whole(text: str, says: str) -> None:
    with pytest.raises(NoInventory, match=says):
        read(text, "ansible-yaml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("all: {hosts: {a: }}", "line 1, ansible_user: is needed"),
        ("all:\n  hosts: [a]", "line 2: names with values are needed here"),
        ("all:\n  host: {a: }", "line 2, host: a group has hosts, children and vars"),
        ("all:\n  hosts:\n    'a[1]': ", "line 3: [1] is no range"),
        ("all:\n  hosts:\n    ? [a]\n    : 1", "line 3: a name must be text"),
    ],
)
def test_what_is_wrong_in_a_yaml_file_is_said_with_its_line(
    text: str, says: str
) -> None:
    found = [str(each) for each in read(text, "ansible-yaml").problems.first]
    assert found
    assert found[0].startswith(says), found


def test_a_tag_names_nothing_that_is_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    text = f"""
all:
  hosts:
    a:
      ansible_user: !!python/object/apply:os.system ["touch {trace}"]
      deployctl_slot: !!python/name:os.system x
      deployctl_settings: {{key: !vault secret, n: .inf, at: 2026-01-01, big: 1_0}}
"""
    (row,) = read(text, "ansible-yaml").rows
    assert not trace.exists()
    assert row.texts["slot"] == "x"
    assert row.settings == {"key": "secret", "n": ".inf", "at": "2026-01-01", "big": 10}


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(
            ["l0: &l0 {children: {x: }}"]
            + [
                f"l{n}: &l{n} {{children: {{"
                + ", ".join(f"g{n}x{e}: *l{n - 1}" for e in range(10))
                + "}}"
                for n in range(1, 12)
            ]
        ),
        "a0: &a0 {k: v}\n"
        + "\n".join(
            f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}"
            for n in range(1, 12)
        ),
        "x0: &x0 [1]\n"
        + "\n".join(
            f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 12)
        )
        + "\nall: {hosts: {h: {ansible_user: x, deployctl_settings: {a: *x11}}}}",
    ],
    ids=["children", "merges", "values"],
)
def test_a_bomb_is_refused_in_time(text: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(NoInventory, match="more than"):
        read(text, "ansible-yaml")
    assert time.perf_counter() - begun < 10


def test_a_group_within_itself_is_refused() -> None:
    with pytest.raises(NoInventory, match="is within itself"):
        read("[a:children]\nb\n[b:children]\na\n", "ansible-ini")
