"""The words in which people choose targets, read into a tree; it knows no table.

    either = both { "|" both }            so that & binds closer than |,
    both   = single { "&" single }        and ! closest of all
    single = "!" single | "(" either ")" | term
    term   = name [ ("=" | "!=") value ]
    name   = a field: name, slot, version, kind, health,
             disabled (and why); else a label
    value  = { piece }, without space between pieces
    piece  = characters that mean nothing here, with * for any text, also none
           | '"' anything, with \\" and \\\\ '"', in which * is a star

A label that is called as a field is written `label.name`. A name alone asks whether it
is set; `a!=b` is the same as `!a=b`, and so holds where `a` is not set. Capitals count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

MOST_CHARS = 1000
#: How deep parentheses and negations may be within each other.
MOST_DEPTH = 20
#: What is asked of the target itself, not of its labels.
FIELDS = frozenset({"name", "slot", "version", "kind", "health", "disabled"})
#: What every target has; asking whether it is set would choose nothing.
_ALWAYS = frozenset({"name", "kind", "health"})
_LABEL = "label."

_SPACE = re.compile(r"[ \t\r\n]*")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")
_PLAIN = re.compile(r"[^\s&|!()=\"]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_UNKEPT = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Term:
    """One thing asked of a target.

    Attributes:
        name: of a field, or of a label.
        of_label: which of the two.
        parts: the texts between the stars of what it must be; None: it must be set.
    """

    name: str
    of_label: bool
    parts: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Negation:
    """What must not hold."""

    of: Expression


@dataclass(frozen=True)
class All:
    """All of these must hold."""

    of: tuple[Expression, ...]


@dataclass(frozen=True)
class Either:
    """One of these must hold, or more."""

    of: tuple[Expression, ...]


Expression: TypeAlias = "Term | Negation | All | Either"


def parse(text: str) -> Expression:
    """Return what a text asks of targets.

    Raises:
        ValueError: one sentence that says what is wrong, and where.
    """
    if len(text) > MOST_CHARS:
        raise ValueError(f"A query has at most {MOST_CHARS} characters.")
    unkept = _UNKEPT.search(text)
    if unkept:
        raise ValueError(
            f"Character {unkept.start() + 1} of the query is none of text."
        )
    return _Reader(text).whole()


class _Reader:
    """Reads a text from left to right, once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def whole(self) -> Expression:
        self._skip()
        if self._at == len(self._text):
            raise ValueError("The query is empty; say what targets must have.")
        found = self._either(0)
        if self._at < len(self._text):
            self._refuse("& or | is needed here")
        return found

    def _either(self, depth: int) -> Expression:
        found = [self._both(depth)]
        while self._take("|"):
            found.append(self._both(depth))
        return found[0] if len(found) == 1 else Either(tuple(found))

    def _both(self, depth: int) -> Expression:
        found = [self._single(depth)]
        while self._take("&"):
            found.append(self._single(depth))
        return found[0] if len(found) == 1 else All(tuple(found))

    def _single(self, depth: int) -> Expression:
        if depth > MOST_DEPTH:
            self._refuse(f"parentheses and ! are at most {MOST_DEPTH} deep")
        if self._take("!"):
            return Negation(self._single(depth + 1))
        opened = self._at
        if not self._take("("):
            return self._term()
        found = self._either(depth + 1)
        if not self._take(")"):
            self._at = opened
            self._refuse("this parenthesis is not closed")
        return found

    def _term(self) -> Expression:
        begun, name = self._at, self._match(_NAME)
        if not name:
            self._refuse("a name is needed here, as in zone=eu-west")
        of_label = name not in FIELDS
        name = name.removeprefix(_LABEL)
        if not name:
            self._refuse("a label's name is needed here, as in label.zone")
        self._skip()
        for sign in ("!=", "="):
            if self._take(sign):
                term = Term(name, of_label, self._value())
                return Negation(term) if sign == "!=" else term
        if not of_label and name in _ALWAYS:
            self._at = begun
            self._refuse(f"every target has a {name}; say which, as in {name}=…")
        return Term(name, of_label)

    def _value(self) -> tuple[str, ...]:
        parts, begun = [""], self._at
        while self._at < len(self._text):
            if self._text[self._at] == '"':
                parts[-1] += self._quoted()
                continue
            plain = self._match(_PLAIN)
            if not plain:
                break
            first, *more = plain.split("*")
            parts[-1] += first
            parts += more
        if self._at == begun:
            self._refuse('a value is needed here; one that is empty is written ""')
        self._skip()
        return tuple(parts)

    def _quoted(self) -> str:
        found = _QUOTED.match(self._text, self._at)
        if found is None:
            self._refuse('this quotation is not closed; \\ stands before " or \\ only')
        self._at = found.end()
        return re.sub(r"\\(.)", r"\1", found[1])

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return found[0] if found else ""

    def _take(self, sign: str) -> bool:
        if not self._text.startswith(sign, self._at):
            return False
        self._at += len(sign)
        self._skip()
        return True

    def _skip(self) -> None:
        self._match(_SPACE)

    def _refuse(self, what: str) -> NoReturn:
        raise ValueError(f"Character {self._at + 1} of the query: {what}.")
