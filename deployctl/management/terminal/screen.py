"""Where a command prints: lines, one line redrawn, or JSON; it knows no deployment.

Whatever is printed is made plain first: names and reasons come from other people, and
a terminal obeys what it is sent.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.management.base import OutputWrapper

_BACK, _CLEAR = "\r", "\x1b[K"


class Screen:
    """The output of one command.

    Attributes:
        is_json: stdout gets objects, one a line, and nothing else.
        is_live: stdout is a terminal on which a line can be redrawn.
    """

    def __init__(
        self, out: OutputWrapper, notes: OutputWrapper, *, is_json: bool
    ) -> None:
        self._out, self._notes = out, notes
        self.is_json = is_json
        can_redraw = os.environ.get("TERM", "dumb") != "dumb"
        self.is_live = out.isatty() and can_redraw and not is_json
        self._drawn = ""

    def line(self, text: str) -> None:
        """Print a line, unless JSON was asked for."""
        if not self.is_json:
            self.clear()
            self._write(plain(text) + "\n")

    def row(self, cells: Iterable[str]) -> None:
        """Print cells as a line with tabs between; a tab within one is an escape."""
        if not self.is_json:
            self.clear()
            self._write("\t".join(map(plain, cells)) + "\n")

    def record(self, content: Mapping[str, Any]) -> None:
        """Print an object on a line of its own, if JSON was asked for."""
        if self.is_json:
            self._write(json.dumps(content) + "\n")

    def note(self, text: str) -> None:
        """Say on stderr what is no answer: that nobody works, that one must wait."""
        self.clear()
        self._notes.write(plain(text), str)  # Not red: it is no error.

    def redraw(self, text: str) -> None:
        """Show a line in place of the last one shown so; only where that can be."""
        shown = plain(text)[: shutil.get_terminal_size().columns - 1]
        if self.is_live and shown != self._drawn:
            self._write(f"{_BACK}{shown}{_CLEAR}")
            self._drawn = shown

    def clear(self) -> None:
        """Take away the line that is redrawn."""
        if self._drawn:
            self._write(f"{_BACK}{_CLEAR}")
            self._drawn = ""

    def _write(self, text: str) -> None:
        # What this terminal's encoding has no character for is written as its number.
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        shown = text.encode(encoding, "backslashreplace").decode(encoding)
        self._out.write(shown, ending="")
        self._out.flush()


def plain(text: str) -> str:
    """Return one line of text in which nothing moves a cursor, or hides what it is.

    Control characters, ends of lines and marks of direction are written as escapes.
    """
    spaced = text.replace("\u00a0", " ")
    return "".join(c if c.isprintable() else _escaped(c) for c in spaced)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
