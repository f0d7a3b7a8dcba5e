"""What an answer says to the person, and asks of them; it judges nothing."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from django.contrib.messages import WARNING, get_messages
from django.urls import resolve

#: Where our pages say what is wrong, and where they say that a thing is not there.
_WRONG = (
    r'<span class="wrong"[^>]*>(.*?)</span>',
    r'<div class="note is-failed".*?</div>',
    r'data-hint="([^"]*)" data-notice="(?:error|warning)"',
)
_BLANK = r'<div class="blank">(.*?)</dl>'


def refusals(answer: Any) -> list[str]:
    """Return what an answer says is wrong, as plain text.

    A redirect says it on the page that it leads to.
    """
    if answer.status_code == 302:
        said = get_messages(answer.wsgi_request)
        return [str(each) for each in said if each.level >= WARNING]
    page = answer.content.decode()
    patterns = (*_WRONG, *([_BLANK] if answer.status_code >= 400 else ()))
    found = [m for pattern in patterns for m in re.finditer(pattern, page, re.S)]
    texts = [re.sub(r"<[^>]*>", " ", m[m.lastindex or 0]) for m in found]
    return [" ".join(html.unescape(text).split()) for text in texts]


class _Forms(HTMLParser):
    """Collects the names of fields of forms that are posted, by their addresses."""

    def __init__(self, here: str) -> None:
        super().__init__()
        self.here = here
        self.action = ""
        self.found: dict[str, set[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a form, or a field of the one that is open."""
        given = dict(attrs)
        if tag == "form":
            is_posted = given.get("method") == "post"
            self.action = given.get("action") or self.here if is_posted else ""
        elif self.action and given.get("name") and tag != "button":
            self.found.setdefault(self.action, set()).add(str(given["name"]))

    def handle_endtag(self, tag: str) -> None:
        """Note that a form is over."""
        self.action = "" if tag == "form" else self.action


def posted_fields(answer: Any) -> Iterator[tuple[str, set[str]]]:
    """Yield (name of the address, names of fields) of each form of a page."""
    if answer.streaming or "html" not in answer.get("Content-Type", ""):
        return
    forms = _Forms(answer.wsgi_request.path)
    forms.feed(answer.content.decode())
    for action, fields in forms.found.items():
        yield str(resolve(action).url_name), fields - {"csrfmiddlewaretoken"}
