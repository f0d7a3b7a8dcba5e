"""Whoever follows a link from one document to another arrives, at its heading too."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support import ROOT

DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
#: `[text](target)` and the pictures of `<picture>`; code is no link.
LINK = re.compile(r'\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"')
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as they are made on a page of it."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    kept = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in kept}


def test_every_link_leads_somewhere() -> None:
    count = 0
    for document in DOCUMENTS:
        for pair in LINK.findall(CODE.sub("", document.read_text())):
            target = "".join(pair)
            if "://" in target:
                continue
            path, _, anchor = target.partition("#")
            there = document.parent / path if path else document
            assert there.exists(), (document.name, target)
            assert not anchor or anchor in anchors(there), (document.name, target)
            count += 1
    assert count > 30
