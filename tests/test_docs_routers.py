"""What docs/routers.md shows is what the kinds of routers, and of traffic, take."""

from __future__ import annotations

import json
import re

from deployctl.engine import routers, traffic
from tests.support import ROOT

DOCUMENT = (ROOT / "docs" / "routers.md").read_text()
EXAMPLES = [
    json.loads(each) for each in re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
]


def test_each_kind_has_an_example_that_it_takes() -> None:
    shown = {each["kind"]: each["settings"] for each in EXAMPLES if "kind" in each}
    assert set(shown) == set(routers.kinds())
    for kind, settings in shown.items():
        assert routers.get(kind).problems(settings) == {}, kind


def test_each_kind_of_traffic_has_an_example_that_it_takes() -> None:
    (shown,) = [each["traffic"] for each in EXAMPLES if "traffic" in each]
    assert traffic.problem(shown) == ""
    assert {each["kind"] for each in shown} == set(traffic.kinds())


def test_the_examples_that_are_named_are_there() -> None:
    for name in re.findall(r"`examples/(\S+)`", DOCUMENT):
        assert (ROOT / "docs" / "examples" / name).exists(), name
