"""The builder explains each option where it stands, also to who hears the page."""

from __future__ import annotations

import html
import re

import pytest
from django.test import Client

from deployctl.web.options import STRATEGIES, fields_of
from strategies.registry import explained_options
from tests.support.fleet import Place

#: Each option that has a field in the builder, with a strategy that has it.
OPTIONS = [
    (strategy, *pair)
    for strategy, _ in STRATEGIES
    for pair in fields_of(strategy).items()
]


def described(page: str, name: str) -> str:
    """Return what describes a field, as a screen reader would say it."""
    control = re.search(rf'<(?:input|select)[^>]*id="id_{name}"[^>]*>', page)
    group = re.search(rf'<fieldset[^>]*aria-describedby="([^"]*id_{name}-[^"]*)"', page)
    found = control and re.search(r'aria-describedby="([^"]*)"', control[0])
    ids = (found or group or [None, ""])[1]
    assert ids, name
    texts = [
        re.search(rf'id="{each}">([^<]*)<', page) or pytest.fail(f"no {each}")
        for each in ids.split()
    ]
    return html.unescape(" ".join(each[1] for each in texts))


def test_each_option_is_described_in_its_own_words(
    place: Place, charlie: Client
) -> None:
    page = charlie.get("/deployments/new/").content.decode()
    for strategy, option, field in OPTIONS:
        assert explained_options(strategy)[option].text in described(page, field)
    assert described(page, "delay_seconds").endswith("Empty:\N{NO-BREAK SPACE}5\xa0s.")
    usual = "As\xa0usual:\xa0halt, canary rollback."
    assert described(page, "on_failure").endswith(usual)
    assert described(page, "apply_seconds").endswith("Empty:\xa0300\xa0s.")
    assert "Empty" not in described(page, "parallelism"), "its sentence says it"
    assert "Empty" not in described(page, "canary_max_failures"), "0 is rolling's"


def test_what_is_wrong_is_said_before_what_the_option_does(
    place: Place, alice: Client
) -> None:
    data = {"application": place.application.pk, "environment": "", "version": ""}
    page = alice.post("/deployments/new/", {**data, "batch_size": "x" * 201})
    said = described(page.content.decode(), "batch_size")
    assert said.startswith("Ensure this value has at most 200")
    assert "How many targets are changed before the next" in said
