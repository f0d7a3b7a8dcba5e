"""The machine's memory: how far a deployment has come, and what each fact changes.

It decides and never does: no clock, no I/O, no names of targets, and its size does
not grow with the fleet.

The machine has three verbs, each pure:

- `commands.decide(progress, command)` answers with facts, or refuses. Only commands
  may be refused.
- `folds.apply(progress, fact, at)` folds a fact that has happened. It is total: a
  stored history always replays, and a report that comes late is counted, not argued
  with.
- `rules.actions(progress)` says what its driver should do now. Asking twice gives the
  same answer. After doing it the driver must fold the fact that answers it, and ask
  again, until only claims and timers are left.

Rules are state-triggered: an end, a halt or the next batch follows from what the
machine is, after every fact, and not from how it got there.

Three fields say what people and rules want, and the state is derived from them:

- `intent` is none < halt or abort < roll back, and is only raised.
- `hold` is a pause, in either direction. Nothing is claimed; what a rule would raise
  waits. Resume clears it, and so does a person's abort or roll back.
- `rest` says how it ended. It needs that nothing is open.

    rest?                  -> that state
    intent roll back       -> rolling_back      (held or not)
    hold, none open        -> paused
    at a gate, none open   -> paused
    otherwise              -> in_progress

A gate is no hold: while it waits, rules go on, and a regression halts there.

Availability. `available` counts the selected targets that are healthy and not open;
room is what lies above the floor. Taking a target that is unavailable already costs
no room, and with no room only such targets are taken: else a broken fleet could
neither be mended nor rolled back. Where the targets of an idle slot are changed, those
of the serving slot are counted instead: nothing touches them, and traffic returns to
them only while enough are left.

Tallies. `whole` and `back` count targets, `shifts` and `back_shifts` routers. A stage
is a range of targets with the waits and gates behind it: `step_tally` is kept until
the next range begins, so that a regression in a bake counts in its stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from strategies.messages import Halted, Held, Rested, Where
from strategies.states import RETRYABLE, Direction, Intent, State
from strategies.steps import Course, Deploy, Gate, Step, Verify, later
from strategies.tally import Tally

NOTHING = Tally()


@dataclass(frozen=True)
class OpenBatchAt:
    """The batch that may be claimed from; `unavailable` of its pending cost no room."""

    start: int
    stop: int
    size: int
    unavailable: int


@dataclass(frozen=True)
class Progress:
    """How far a deployment has come, as one frozen value.

    `step` and `batch` count from 0 and point at the open or the next one. Datetimes are
    those of the events folded, aware and in UTC.
    """

    course: Course
    step: int = 0
    batch: int = 0
    opened: OpenBatchAt | None = None
    batch_tally: Tally = NOTHING
    step_tally: Tally = NOTHING
    whole: Tally = NOTHING
    back: Tally = NOTHING
    shifts: Tally = later(NOTHING)
    back_shifts: Tally = later(NOTHING)
    available: int = 0
    floor: int = 0
    #: Claims whose release was not recorded; 0 means that nothing was ever touched.
    claims: int = 0
    #: Targets that were only looked at: these are not touched.
    looks: int = later(0)
    #: Claims that only share traffic anew: they come between those of targets.
    weighings: int = later(0)
    intent: Intent = Intent.NONE
    hold: Held | None = None
    held_at: datetime | None = None
    halt: Halted | None = None
    #: Resumed over unresolved operations: they are being written off.
    writing_off: bool = False
    entered_at: datetime | None = None
    delay_until: datetime | None = None
    progress_by: datetime | None = None
    #: The progress deadline has passed.
    overdue: bool = False
    #: The gate's time limit has passed.
    lapsed: bool = later(False)
    #: Gates and bakes are passed without waiting.
    promoted_fully: bool = later(False)
    return_planned: bool = False
    return_unavailable: int = 0
    reviving: bool = False
    rest: Rested | None = None

    @classmethod
    def begin(cls, course: Course) -> Progress:
        """Return the progress of a plan that has not started."""
        return cls(
            course=course,
            whole=Tally(pending=course.work),
            shifts=Tally(pending=course.shifts),
        )

    @property
    def open(self) -> int:
        """Operations that hold their subject, in both directions."""
        back = self.back.open + self.back_shifts.open
        return self.whole.open + self.shifts.open + back

    def unresolved(self, direction: Direction) -> int:
        """Operations of one direction that wait for a person."""
        if direction is Direction.FORWARD:
            return self.whole.unresolved + self.shifts.unresolved
        return self.back.unresolved + self.back_shifts.unresolved

    @property
    def touched(self) -> int:
        """How many targets a return would take back, as far as tallies can tell.

        A retry is a further claim but not a further target; one that waits for its
        retry is not told from one that waits for its first attempt.
        """
        if not self.course.limits.returns_targets:
            return 0
        begun = self.course.work - self.whole.pending - self.whole.skipped
        # With nothing pending, what else was claimed is a router.
        changes = self.claims - self.weighings
        retried = min(changes, 1) if self.whole.pending else 0
        return max(begun - self.looks, retried)

    @property
    def state(self) -> State:
        """The deployment's state, from start to rest."""
        if self.rest is not None:
            return self.rest.state
        if self.intent is Intent.ROLL_BACK:
            return State.ROLLING_BACK
        waits = self.hold is not None or self.gate is not None
        return State.PAUSED if waits and not self.open else State.IN_PROGRESS

    @property
    def room(self) -> int:
        """How many available targets may be taken now."""
        return max(0, self.available - self.floor)

    @property
    def current(self) -> Step | None:
        """The step that is open or next; None after the last."""
        steps = self.course.steps
        return steps[self.step] if self.step < len(steps) else None

    @property
    def gate(self) -> Gate | None:
        """The gate at which it waits for somebody, if it does."""
        step = self.current
        if not isinstance(step, Gate) or self.entered_at is None:
            return None
        return step if self.intent is Intent.NONE and self.rest is None else None

    @property
    def stage(self) -> Deploy | Verify | None:
        """The range of targets that is open, or that was last; None before the first.

        Its waits, its gates and a shift behind it belong to it.
        """
        steps = self.course.steps
        begun = self.step + (self.opened is not None or self.batch > 0)
        for number in range(min(begun, len(steps)) - 1, -1, -1):
            step = steps[number]
            if isinstance(step, Deploy | Verify) and step.stop > step.start:
                return step
        return None

    @property
    def may_claim(self) -> bool:
        """Whether new effects may begin: what a worker asks before it sends one."""
        if self.rest is not None or self.hold is not None:
            return False
        return self.intent is Intent.NONE or (
            self.intent is Intent.ROLL_BACK and self.return_planned
        )

    @property
    def watches(self) -> bool:
        """Whether accepted targets are looked at.

        What is stopping, or goes back, is judged already: a recovery would not undo it,
        and a return says itself how its targets are.
        """
        return self.rest is None and self.intent is Intent.NONE

    @property
    def is_frozen(self) -> bool:
        """Whether it halted under a plan that forbids the way back from there."""
        return self.halt is not None and self.course.limits.on_failure == "freeze"

    @property
    def is_retryable(self) -> bool:
        """Whether it is over with failures that another deployment may try again."""
        over = self.rest is not None and self.rest.state in RETRYABLE
        return over and self.whole.failed > 0

    def may_retry(self, direction: Direction) -> bool:
        """Whether a failed attempt may be tried again; a hold only delays it."""
        wanted = Intent.NONE if direction is Direction.FORWARD else Intent.ROLL_BACK
        return self.rest is None and self.intent is wanted

    def where(self, direction: Direction, position: int) -> Where:
        """Say where an operation stands, for the fact that moves it.

        Batches that have not begun are elsewhere: they are counted when they open.
        """
        if direction is Direction.RETURN:
            return "elsewhere"
        opened = self.opened
        if opened and opened.start <= position < opened.stop:
            return "batch"
        stage = self.stage
        if stage is None:
            return "elsewhere"
        begun = stage.stop
        if self.current is stage:
            begun = opened.start if opened else stage.batch(self.batch)[0]
        return "step" if stage.start <= position < begun else "elsewhere"

    @property
    def control_key(self) -> tuple[object, ...]:
        """What a person's go-type command depends on; target progress is not in it."""
        return (
            self.state,
            self.intent,
            self.hold,
            self.halt,
            self.step,
            self.rest,
            self.promoted_fully,
            bool(self.claims),
            bool(self.unresolved(Direction.FORWARD)),
            bool(self.unresolved(Direction.RETURN)),
        )

    def deadline(self, at: datetime) -> datetime:
        """When progress must have been made, counted anew from `at`."""
        return self.after(at, self.course.limits.progress_seconds)

    @staticmethod
    def after(at: datetime, seconds: float) -> datetime:
        """Return the time so many seconds later."""
        return at + timedelta(seconds=seconds)
