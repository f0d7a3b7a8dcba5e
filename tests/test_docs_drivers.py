"""What docs/drivers.md shows is what the kinds take; its scripts do what they say."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deployctl.engine import drivers, targets
from tests.support import ROOT

DOCUMENT = (ROOT / "docs" / "drivers.md").read_text()
EXAMPLES = [
    json.loads(text) for text in re.findall(r"```json\n(.*?)```", DOCUMENT, re.S)
]
SCRIPTS = ROOT / "docs" / "examples"

#: A tool that notes its arguments, and answers or fails as it is told.
TOOL = """#!/bin/sh
echo "$(basename "$0") $*" >>"$TOLD"
for word in "$@"; do
    case $word in $FAILS) echo "it cannot $word" >&2; exit 3 ;; esac
    case $word in $ANSWERS) printf '%s' "$ANSWER"; exit 0 ;; esac
done
"""


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_has_no_problems(number: int) -> None:
    example: dict[str, Any] = EXAMPLES[number]
    assert targets.problems(**example) == {}


def test_every_kind_has_its_place() -> None:
    for kind in drivers.kinds():
        assert f"\n## `{kind}`\n" in DOCUMENT, kind
        assert f"\n| `{kind}` |" in DOCUMENT, kind
    shown = {example["kind"] for example in EXAMPLES}
    assert shown == set(drivers.kinds())


def test_every_script_that_is_named_is_there() -> None:
    named = set(re.findall(r"\]\(examples/([a-z]+)\)", DOCUMENT))
    assert named
    for name in named:
        assert os.access(SCRIPTS / name, os.X_OK), name
        assert any(f"/opt/deployctl/{name}" in json.dumps(e) for e in EXAMPLES), name


class Tools:
    """A folder of tools that come first, and what they were asked."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.told = folder, folder / "told"
        for name in ("kubectl", "docker", "nomad", "systemctl"):
            (folder / name).write_text(TOOL)
            (folder / name).chmod(0o700)

    def run(
        self, *argv: str, answers: str = "-", answer: str = "", fails: str = "-"
    ) -> subprocess.CompletedProcess[str]:
        """Run a script of the examples with these tools."""
        self.told.write_text("")
        environment = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "TOLD": str(self.told),
            "ANSWERS": answers,
            "ANSWER": answer,
            "FAILS": fails,
        }
        return subprocess.run(
            [str(SCRIPTS / argv[0]), *argv[1:]],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    """Tools in a folder of their own."""
    made = tmp_path / "bin"
    made.mkdir()
    return Tools(made)


CLUSTER = ("shop", "web", "app")


def test_kubernetes(tools: Tools) -> None:
    image = "registry.example.org:5000/shop"
    done = tools.run("kubernetes", "apply", *CLUSTER, image, "1.4.2")
    assert (done.returncode, done.stderr) == (0, "")
    assert tools.told.read_text().splitlines() == [
        f"kubectl --namespace shop set image deployment/web app={image}:1.4.2",
        "kubectl --namespace shop rollout status deployment/web",
    ]
    for fails in ("set", "rollout"):
        assert tools.run(
            "kubernetes", "apply", *CLUSTER, "i", "2", fails=fails
        ).returncode
    said = tools.run(
        "kubernetes", "probe", *CLUSTER, answers="get", answer=f"{image}:1.4.2"
    )
    assert json.loads(said.stdout) == {"version": "1.4.2", "healthy": False}
    assert tools.run("kubernetes", "probe", *CLUSTER, fails="get").returncode


def test_compose(tools: Tools, tmp_path: Path) -> None:
    place = str(tmp_path)
    assert tools.run("compose", "apply", place, "web", "1.4.2").returncode == 0
    assert (tmp_path / ".env").read_text() == "VERSION=1.4.2\n"
    assert tools.told.read_text().splitlines() == [
        "docker compose pull --quiet web",
        "docker compose up --detach --wait web",
    ]
    failed = tools.run("compose", "apply", place, "web", "1.4.3", fails="pull")
    assert failed.returncode
    # What could not be had is not what the next start takes.
    assert (tmp_path / ".env").read_text() == "VERSION=1.4.2\n"
    assert tools.run("compose", "apply", place, "web", "1.4.3", fails="up").returncode
    assert tools.run("compose", "probe", place, "web").stdout == ""


def test_systemd(tools: Tools, tmp_path: Path) -> None:
    for version in ("1.0", "2.0"):
        (tmp_path / "releases" / version).mkdir(parents=True)
    place = (str(tmp_path), "shop.service")
    assert tools.run("systemd", "probe", *place).stdout == ""
    for version in ("1.0", "2.0"):
        assert tools.run("systemd", "apply", *place, version).returncode == 0
        said = tools.run("systemd", "probe", *place)
        assert json.loads(said.stdout) == {"version": version, "healthy": True}
    assert tools.run("systemd", "apply", *place, "3.0").returncode
    assert tools.run("systemd", "apply", *place, "1.0", fails="restart").returncode
    stopped = tools.run("systemd", "probe", *place, fails="is-active")
    assert json.loads(stopped.stdout) == {"version": "1.0", "healthy": False}


def test_nomad(tools: Tools) -> None:
    file = "/srv/jobs/shop.nomad.hcl"
    assert tools.run("nomad", "apply", file, "shop", "1.4.2").returncode == 0
    assert tools.told.read_text() == f"nomad job run -var version=1.4.2 {file}\n"
    assert tools.run("nomad", "apply", file, "shop", "2", fails="run").returncode == 3
    said = tools.run("nomad", "probe", "shop", answers="inspect", answer="1.4.2")
    assert said.stdout == "1.4.2"
    assert tools.run("nomad", "probe", "shop", fails="inspect").returncode
