"""Conditions on readings: six operators, three answers."""

from datetime import UTC, datetime

import pytest

from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.reading import Reading, Value


def reading(value: Value, error: str | None = None) -> Reading:
    return Reading("p", value, "", datetime.now(UTC), "somewhere", "?", error)


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "holds"),
    [
        (Operator.IS, "PAUSED", "PAUSED", True),
        (Operator.IS, "PAUSED", "RUNNING", False),
        (Operator.IS, 0, 0, True),
        (Operator.IS_NOT, "answers", "refused", True),
        (Operator.IS_NOT, "answers", "answers", False),
        (Operator.IS_NOT, "answers", None, False),
        (Operator.BELOW, 5, 4.9, True),
        (Operator.BELOW, 5, 5, False),
        (Operator.BELOW, 5, None, False),
        (Operator.ABOVE, 5, 5.1, True),
        (Operator.ABOVE, 5, "many", False),
        (Operator.ABSENT, None, None, True),
        (Operator.ABSENT, None, 0, False),
    ],
)
def test_a_condition_holds_by_its_operator(operator: Operator, wanted: Value, value: Value, holds: bool) -> None:
    assert Condition(operator, wanted).holds(reading(value), reading(value)) is holds


def test_both_readings_must_satisfy_it() -> None:
    condition = Condition(Operator.IS, "PAUSED")
    assert condition.holds(reading("PAUSED"), reading("RUNNING")) is False
    assert condition.holds(reading("RUNNING"), reading("PAUSED")) is False


def test_a_question_without_an_answer_is_neither_true_nor_false() -> None:
    silent = reading(None, "refused")
    for operator in (Operator.ABSENT, Operator.GROWS):
        assert Condition(operator).holds(silent, silent) is None
    assert Condition(Operator.IS_NOT, "answers").holds(reading("answers"), silent) is None


def test_grows_compares_the_two_readings() -> None:
    grows = Condition(Operator.GROWS)
    assert grows.holds(reading(1.0), reading(2.5)) is True
    assert grows.holds(reading(2), reading(2)) is False
    assert grows.holds(reading(3), reading(2)) is False
    assert grows.holds(reading(None), reading(2)) is False


@pytest.mark.parametrize(
    ("one", "other", "implied"),
    [
        ((Operator.IS, "PAUSED"), (Operator.IS, "PAUSED"), True),
        ((Operator.IS, "PAUSED"), (Operator.IS_NOT, "RUNNING"), True),
        ((Operator.IS, "RUNNING"), (Operator.IS_NOT, "RUNNING"), False),
        ((Operator.IS, 9), (Operator.ABOVE, 5), True),
        ((Operator.IS, 5), (Operator.ABOVE, 5), False),
        ((Operator.IS, 9), (Operator.GROWS, None), False),
        ((Operator.ABOVE, 90), (Operator.ABOVE, 60), True),
        ((Operator.ABOVE, 60), (Operator.ABOVE, 60), True),
        ((Operator.ABOVE, 60), (Operator.ABOVE, 90), False),
        ((Operator.BELOW, 60), (Operator.BELOW, 90), True),
        ((Operator.BELOW, 90), (Operator.BELOW, 60), False),
        ((Operator.ABOVE, 90), (Operator.BELOW, 60), False),
        ((Operator.IS_NOT, "x"), (Operator.IS_NOT, "y"), False),
        ((Operator.ABSENT, None), (Operator.ABSENT, None), True),
        ((Operator.ABSENT, None), (Operator.IS_NOT, "x"), False),
    ],
)
def test_one_condition_may_imply_another(
    one: tuple[Operator, Value], other: tuple[Operator, Value], implied: bool
) -> None:
    assert Condition(*one).implies(Condition(*other)) is implied
