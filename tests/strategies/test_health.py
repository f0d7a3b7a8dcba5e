"""The health rule, case by case, against `conformance.md` D."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.errors import InvalidOptions
from strategies.health import (
    Answer,
    Health,
    HealthGate,
    Healthy,
    Reason,
    Unhealthy,
    Wait,
)
from strategies.rolling import RollingDeployment

OK, FAILED, ERROR = Answer.OK, Answer.FAILED, Answer.ERROR


def played(health: Health, *answers: tuple[float, Answer]) -> HealthGate:
    gate = HealthGate.opened(health)
    for elapsed, answer in answers:
        gate = gate.told(elapsed, answer, f"{answer} at {elapsed:g}")
    return gate


class TestSettings:
    def test_D_1_defaults_are_sound(self) -> None:
        assert Health().problems(progress_deadline_seconds=600) == {}

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ({"min_healthy_seconds": 300}, "deadline_seconds"),
            ({"min_healthy_seconds": 301}, "deadline_seconds"),
            ({"initial_delay_seconds": 295}, "deadline_seconds"),
            ({"success_threshold": 61}, "deadline_seconds"),
            ({"deadline_seconds": 600}, "deadline_seconds"),
            ({"interval_seconds": 0}, "interval_seconds"),
            ({"timeout_seconds": -1}, "timeout_seconds"),
            ({"timeout_seconds": math.nan}, "timeout_seconds"),
            ({"deadline_seconds": math.inf}, "deadline_seconds"),
            ({"success_threshold": 0}, "success_threshold"),
            ({"failure_threshold": True}, "failure_threshold"),
            ({"failure_threshold": 1.5}, "failure_threshold"),
            ({"interval_seconds": "5"}, "interval_seconds"),
        ],
    )
    def test_D_1_impossible_ones_are_named(
        self, values: dict[str, float], field: str
    ) -> None:
        found = Health(**values).problems(progress_deadline_seconds=600)  # type: ignore[arg-type]
        assert list(found) == [field]

    def test_read_takes_typed_texts(self) -> None:
        read = Health.read({"interval_seconds": "2.5", "success_threshold": " 2 "})
        assert read == Health(interval_seconds=2.5, success_threshold=2)

    def test_read_names_what_is_wrong(self) -> None:
        with pytest.raises(InvalidOptions) as wrong:
            Health.read(
                {"interval_seconds": "x", "success_threshold": "x", "colour": 1}
            )
        assert set(wrong.value.errors) == {
            "interval_seconds",
            "success_threshold",
            "colour",
        }


class TestStarting:
    def test_D_2_first_check_comes_after_the_initial_delay(self) -> None:
        gate = HealthGate.opened(Health(initial_delay_seconds=5))
        assert gate.says == Wait(5)

    def test_without_minimum_the_first_success_is_enough(self) -> None:
        gate = played(Health(min_healthy_seconds=0), (0, OK))
        assert gate.says == Healthy(0)

    def test_D_5_a_delay_holds_back_an_early_success(self) -> None:
        rule = Health(initial_delay_seconds=1, min_healthy_seconds=0)
        assert HealthGate.opened(rule).says == Wait(1)
        assert played(rule, (1, OK)).says == Healthy(1)

    def test_D_7_failures_are_tolerated_until_the_deadline(self) -> None:
        failures = [(5.0 * n, FAILED) for n in range(59)]
        gate = played(Health(), *failures, (295, OK))
        assert gate.says == Wait(300)

    def test_D_4_never_healthy_ends_at_the_deadline_with_its_last_word(
        self,
    ) -> None:
        gate = played(Health(deadline_seconds=60), (0, FAILED), (58, FAILED))
        assert gate.says == Wait(60)
        end = gate.overdue(60).says
        assert end == Unhealthy(Reason.DEADLINE, "failed at 58", 60)

    def test_an_answer_after_the_deadline_is_too_late(self) -> None:
        rule = Health(min_healthy_seconds=0, deadline_seconds=60)
        assert played(rule, (60, OK)).says == Healthy(60)
        late = played(rule, (60.1, OK)).says
        assert isinstance(late, Unhealthy)
        assert late.reason is Reason.DEADLINE


class TestStayingHealthy:
    def test_minimum_time_is_counted_from_the_first_success(self) -> None:
        gate = played(Health(), (4, OK), (9, OK))
        assert gate.says == Wait(14)
        assert gate.told(14, OK, "").says == Healthy(14)

    def test_D_5_it_is_not_accepted_a_moment_earlier(self) -> None:
        assert isinstance(played(Health(), (0, OK), (9.999, OK)).says, Wait)

    def test_one_failure_starts_the_minimum_time_anew(self) -> None:
        gate = played(Health(), (0, OK), (5, FAILED), (10, OK), (15, OK))
        assert gate.says == Wait(20)
        assert gate.told(20, OK, "").says == Healthy(20)

    def test_several_successes_may_be_asked_for(self) -> None:
        rule = Health(success_threshold=3, min_healthy_seconds=0)
        gate = played(rule, (0, OK), (5, OK))
        assert gate.says == Wait(10)
        assert gate.told(10, OK, "").says == Healthy(10)


class TestFailing:
    def test_failures_in_a_row_after_health_end_it(self) -> None:
        gate = played(Health(), (0, OK), (5, FAILED), (10, FAILED))
        assert isinstance(gate.says, Wait)
        end = gate.told(15, FAILED, "503").says
        assert end == Unhealthy(Reason.BECAME_UNHEALTHY, "503", 15)

    def test_failures_before_health_do_not_count_towards_them(self) -> None:
        start = [(float(n), FAILED) for n in range(10)]
        gate = played(Health(), *start, (10, OK), (11, FAILED), (12, FAILED))
        assert isinstance(gate.says, Wait)

    def test_flapping_ends_at_the_deadline(self) -> None:
        flaps = [(5.0 * n, FAILED if n % 2 else OK) for n in range(60)]
        gate = played(Health(), *flaps)
        assert gate.says == Wait(300)
        assert isinstance(gate.overdue(300).says, Unhealthy)

    def test_D_9_five_errors_in_a_row_end_it_at_any_time(self) -> None:
        gate = played(Health(), *[(float(n), ERROR) for n in range(4)])
        assert isinstance(gate.says, Wait)
        end = gate.told(4, ERROR, "refused").says
        assert end == Unhealthy(Reason.CHECK_ERROR, "refused", 4)

    def test_an_answer_forgives_errors(self) -> None:
        errors = [(float(n), ERROR) for n in range(4)]
        gate = played(Health(), *errors, (4, FAILED), *errors)
        assert isinstance(gate.says, Wait)

    def test_an_error_counts_as_a_failure(self) -> None:
        gate = played(Health(), (0, OK), (5, ERROR), (10, FAILED), (15, ERROR))
        assert isinstance(gate.says, Unhealthy)
        assert gate.says.reason is Reason.BECAME_UNHEALTHY


_ANSWERS = st.lists(
    st.tuples(st.floats(0, 30, allow_subnormal=False), st.sampled_from(list(Answer))),
    max_size=60,
)


@given(steps=_ANSWERS, minimum=st.floats(0, 50), successes=st.integers(1, 4))
def test_healthy_means_a_long_enough_run_of_successes(
    steps: list[tuple[float, Answer]], minimum: float, successes: int
) -> None:
    rule = Health(min_healthy_seconds=minimum, success_threshold=successes)
    gate, elapsed = HealthGate.opened(rule), 0.0
    run: list[float] = []
    for gap, answer in steps:
        elapsed += gap
        run = [*run, elapsed] if answer is OK else []
        gate = gate.told(elapsed, answer, "")
        enough = len(run) >= successes and elapsed >= run[0] + minimum
        if not isinstance(gate.says, Wait):
            assert isinstance(gate.says, Healthy) == (enough and elapsed <= 300)
            assert gate.told(elapsed, OK, "").says == gate.says
            return
        assert elapsed < gate.says.next_at <= 300
        assert not enough


def test_D_12_a_progress_deadline_of_nothing_is_refused_not_obeyed() -> None:
    """Nomad fails at the first unhealthy one then: `max_failures=0` says that."""
    with pytest.raises(InvalidOptions, match="more than the health deadline of 300"):
        RollingDeployment(progress_seconds=0)
