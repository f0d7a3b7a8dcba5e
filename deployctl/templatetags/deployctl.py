"""How a state, a number or a name looks on a page; knows no model and no request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django import template
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from deployctl.templatetags._board import lay_out

register = template.Library()

NBSP = "\u00a0"
BAR_UNITS = 1000
PERCENT = BAR_UNITS / 100
LEAST_BAR = 8


class Look(NamedTuple):
    """One state as people see it: a CSS class, an icon's name, a word."""

    css: str
    icon: str
    word: str


STATES: Mapping[str, Look] = {
    # deployments
    "draft": Look("is-queued", "circle-dashed", "draft"),
    "awaiting_approval": Look("is-awaiting", "hourglass", "awaits approval"),
    "in_progress": Look("is-running", "progress", "in progress"),
    "pausing": Look("is-paused", "player-pause", "pausing"),
    "paused": Look("is-paused", "player-pause", "paused"),
    "halted": Look("is-failed", "alert-octagon", "halted"),
    "aborting": Look("is-cancelled", "ban", "aborting"),
    "rolling_back": Look("is-rolled", "arrow-back-up", "rolling back"),
    "completed": Look("is-ok", "circle-check", "completed"),
    "no_op": Look("is-ok", "circle-check", "nothing to do"),
    "completed_with_failures": Look("is-paused", "alert-triangle", "with failures"),
    "rolled_back": Look("is-rolled", "arrow-back-up", "rolled back"),
    "rollback_failed": Look("is-failed", "alert-octagon", "roll back failed"),
    "cancelled": Look("is-cancelled", "ban", "cancelled"),
    "superseded": Look("is-cancelled", "ban", "superseded"),
    # operations, and deployments that share the word
    "pending": Look("is-queued", "circle-dashed", "pending"),
    "running": Look("is-running", "progress", "running"),
    "verifying": Look("is-running", "heartbeat", "verifying"),
    "unknown": Look("is-unknown", "help", "unknown"),
    "unresolved": Look("is-awaiting", "hand-stop", "needs a person"),
    "succeeded": Look("is-ok", "circle-check", "succeeded"),
    "failed": Look("is-failed", "alert-octagon", "failed"),
    "skipped": Look("is-skipped", "circle-minus", "skipped"),
    # targets, versions and workers
    "healthy": Look("is-ok", "circle-check", "healthy"),
    "unhealthy": Look("is-failed", "alert-octagon", "unhealthy"),
    "unreachable": Look("is-unknown", "help", "not answering"),
    "drifted": Look("is-paused", "alert-triangle", "drifted"),
    "withdrawn": Look("is-cancelled", "ban", "withdrawn"),
    # levels of a message, a warning or an event
    "info": Look("", "info-circle", ""),
    "success": Look("is-ok", "circle-check", ""),
    "warning": Look("is-paused", "alert-triangle", ""),
    "error": Look("is-failed", "alert-octagon", ""),
}
#: The pictures of a tab; they differ in form, for they are small and colours are not
#: for everybody.
_FAVICONS: Mapping[str, str] = {
    "is-running": "favicon-running",
    "is-paused": "favicon-paused",
    "is-failed": "favicon-failed",
    "is-ok": "favicon-done",
    "is-rolled": "favicon-returned",
}
UNKNOWN_STATE = Look("is-unknown", "help", "")

# The letters of the grid. static/js/live.js holds the same table.
CELLS: Mapping[str, tuple[str, str]] = {
    "p": ("is-queued", "waits"),
    "r": ("is-running", "running"),
    "v": ("is-running is-verifying", "verifying"),
    "u": ("is-unknown", "unknown, being probed"),
    "x": ("is-awaiting", "needs a person"),
    "s": ("is-ok", "updated"),
    "f": ("is-failed", "failed"),
    "g": ("is-failed is-regressed", "regressed: not well any more"),
    "k": ("is-skipped", "skipped"),
    "P": ("is-to-return", "waits to return"),
    "R": ("is-returning", "returning"),
    "V": ("is-returning is-verifying", "verifying the return"),
    "U": ("is-unknown", "return unknown, being probed"),
    "X": ("is-awaiting", "return needs a person"),
    "S": ("is-rolled", "restored"),
    "F": ("is-failed", "restore failed"),
    "K": ("is-skipped", "unchanged"),
}


@register.filter
def icon(name: str, css: str = "ic-s") -> SafeString:
    """An icon of the sprite, hidden from readers: words beside it say the same."""
    return format_html(
        '<svg class="ic {}" aria-hidden="true"><use href="{}#{}"/></svg>',
        css,
        static("icons.svg"),
        name,
    )


@register.filter
def state_favicon(state: str) -> str:
    """The address of the picture that a tab shows while a deployment is so."""
    name = _FAVICONS.get(STATES.get(state, UNKNOWN_STATE).css, "favicon")
    return static(f"{name}.svg")


@register.filter
def stamp(at: datetime | None, how: str = "date") -> SafeString | str:
    """A `<time>` that the browser writes in its reader's zone; see static/js/times.js.

    Without a script it reads in UTC, and says so. `how` is clock, date, ago, since
    or until.
    """
    if at is None:
        return ""
    utc = at.astimezone(UTC)
    pattern = "%H:%M:%S UTC" if how == "clock" else "%Y-%m-%d %H:%M UTC"
    return format_html(
        '<time datetime="{}" data-how="{}">{}</time>',
        utc.isoformat(),
        how,
        utc.strftime(pattern),
    )


@register.filter
def state_css(state: str) -> str:
    """The CSS class that carries the colour of `state`."""
    return STATES.get(state, UNKNOWN_STATE).css


@register.filter
def state_icon(state: str) -> str:
    """The name of the icon of `state` in the sprite."""
    return STATES.get(state, UNKNOWN_STATE).icon


@register.filter
def state_word(state: str) -> str:
    """The word for `state`; a state that nobody has named reads as itself."""
    return STATES.get(state, UNKNOWN_STATE).word or state.replace("_", " ")


@register.filter
def cell_css(letter: str) -> str:
    """The CSS class of a grid cell; KeyError for a letter outside the table."""
    return CELLS[letter][0]


@register.filter
def cell_word(letter: str) -> str:
    """The words for a grid cell; KeyError for a letter outside the table."""
    return CELLS[letter][1]


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds as people say them, two units at most: "3 min 12 s", "1 h 09 min"."""
    if seconds is None:
        return ""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}{NBSP}s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes}{NBSP}min" + (f"{NBSP}{rest:02}{NBSP}s" if rest else "")
    if whole < 86400:
        hours, rest = divmod(whole // 60, 60)
        return f"{hours}{NBSP}h" + (f"{NBSP}{rest:02}{NBSP}min" if rest else "")
    days, rest = divmod(whole // 3600, 24)
    return f"{days}{NBSP}d" + (f"{NBSP}{rest}{NBSP}h" if rest else "")


@register.filter
def middle(text: str, length: int = 28) -> str:
    """`text` cut in its middle to at most `length` characters; both ends stay."""
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    tail = length - 1 - head
    return f"{text[:head]}…{text[-tail:]}"


@register.filter
def short(name: object, length: int = 28) -> SafeString | str:
    """A name that somebody gave, cut in its middle if it is long; whole as a title."""
    text = str(name)
    if len(text) <= length:
        return text
    cut = middle(text, length)
    return format_html('<span class="breaks" title="{}">{}</span>', text, cut)


@register.filter
def percent(basis_points: int) -> str:
    """Basis points as per cent, cut and never rounded up: 9499 is "94.9 %"."""
    whole, rest = divmod(int(basis_points), 100)
    tenth = rest // 10
    return f"{whole}.{tenth}{NBSP}%" if tenth else f"{whole}{NBSP}%"


@register.filter
def grouped(number: int) -> str:
    """A count with a comma for each three digits: 10,000."""
    return f"{number:,}"


@register.filter
def counted(number: int, noun: str) -> str:
    """A count and its noun: `1|counted:"target"` is "1 target", 2 are "2 targets"."""
    one, _, many = noun.partition(",")
    return f"{number:,}{NBSP}{one if number == 1 else many or one + 's'}"


@register.filter
def initials(name: str) -> str:
    """Two letters for a person: "maria.keller" is "mk"."""
    parts = [part for part in name.replace(".", " ").replace("_", " ").split() if part]
    return ("".join(p[0] for p in parts[:2]) if len(parts) > 1 else name[:2]).lower()


@register.filter
def stack(parts: Iterable[Mapping[str, Any]], total: int) -> SafeString:
    """A stacked bar, from `{"css", "count"}` parts.

    A part that is not zero is never drawn as nothing: one failure in ten thousand
    still gets its sliver, taken from the widest part.
    """
    return _stack("stack", _counts(parts), total)


@register.filter
def thin_stack(parts: Iterable[Mapping[str, Any]], total: int) -> SafeString:
    """The same, for lists and tables."""
    return _stack("stack stack-thin", _counts(parts), total)


_Counts = tuple[tuple[str, int], ...]


def _counts(parts: Iterable[Mapping[str, Any]]) -> _Counts:
    return tuple((part["css"], int(part["count"])) for part in parts if part["count"])


# Not a template, and once for all that are alike: a room has a hundred of them.
@lru_cache(maxsize=1024)
def _stack(css: str, counts: _Counts, total: int) -> SafeString:
    rectangles = format_html_join(
        "", '<rect class="{}" x="{}%" width="{}%" height="100%"/>', _bars(counts, total)
    )
    return format_html('<svg class="{}" aria-hidden="true">{}</svg>', css, rectangles)


def _bars(counts: _Counts, total: int) -> Iterator[tuple[str, str, str]]:
    """Yield (css, x, width) of each rectangle of a bar, in percent of it."""
    if not counts or total <= 0:
        return
    widths = [max(LEAST_BAR, BAR_UNITS * n // total) for _, n in counts]
    over = sum(widths) - BAR_UNITS
    if over > 0:
        widths[widths.index(max(widths))] -= over
    at = 0
    for (css, _), width in zip(counts, widths, strict=True):
        yield css, f"{at / PERCENT:g}", f"{width / PERCENT:g}"
        at += width


@register.filter
def board(cells: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Lays the cells of a room out by zone and batch; see `_board.lay_out`."""
    return lay_out(cells)
