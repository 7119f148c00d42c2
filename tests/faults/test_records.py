"""Faults on record: written first, cleared last, found after a crash."""

import json

import pytest
from tests.doubles import plugins
from tests.doubles.plugins import OURS

from lakeproof.arguments import Arguments
from lakeproof.errors import CouldNotLook, InvalidInput, LakeproofError, NotReady, TerminalError
from lakeproof.faults import records
from lakeproof.faults.fault import Fault, Sign, all_faults
from lakeproof.stack.stack import Stack

METHODS = ("inject", "remove", "sign")


class Where(Arguments):
    where: str = "here"


class Broken:
    """A thing that can be broken; keeps what was asked of it."""

    def __init__(self, *, fails: Exception | None = None, stuck: LakeproofError | None = None) -> None:
        self.calls: list[tuple[str, str]] = []
        self.fails, self.stuck = fails, stuck
        self.lands = True

    def inject(self, stack: Stack, arguments: Where) -> None:
        self.calls.append(("inject", arguments.where))
        if self.fails is not None:
            raise self.fails

    def remove(self, stack: Stack, arguments: Where) -> None:
        self.calls.append(("remove", arguments.where))
        if self.stuck is not None:
            raise self.stuck

    def sign(self, stack: Stack, arguments: Where) -> Sign:
        return Sign(self.lands, f"the thing is {'broken' if self.lands else 'whole'}")

    def fault(self) -> type[Fault]:
        return plugins.fault("broken_thing", self.inject, self.remove, self.sign, Where)


def test_a_fault_is_recorded_and_removed_with_its_own_arguments(stack: Stack) -> None:
    thing = Broken()
    records.inject(stack, thing.fault(), {"where": "there"}, by="hand")
    assert [(record.fault, record.by) for record in records.recorded(stack)] == [("broken_thing", "hand")]
    records.remove(stack, thing.fault())
    assert thing.calls == [("inject", "there"), ("remove", "there")]
    assert records.recorded(stack) == ()


@pytest.mark.parametrize("error", [TerminalError("half-way"), OSError("no room")], ids=["told", "nobody foresaw it"])
def test_a_fault_that_failed_half_way_is_taken_back_and_not_on_record(stack: Stack, error: Exception) -> None:
    thing = Broken(fails=error)
    with pytest.raises(type(error), match=str(error)):
        records.inject(stack, thing.fault(), {"where": "there"}, by="hand")
    assert thing.calls == [("inject", "there"), ("remove", "there")]
    assert records.recorded(stack) == ()


def test_a_fault_that_was_refused_is_not_on_record_and_nothing_is_taken_back(stack: Stack) -> None:
    thing = Broken(fails=InvalidInput("no such component"))
    with pytest.raises(InvalidInput):
        records.inject(stack, thing.fault(), {}, by="hand")
    assert thing.calls == [("inject", "here")]
    assert records.recorded(stack) == ()


def test_a_fault_that_could_not_be_taken_back_stays_on_record_as_one_that_may_be_in(stack: Stack) -> None:
    thing = Broken(fails=NotReady("no answer"), stuck=NotReady("no answer"))
    with pytest.raises(NotReady):
        records.inject(stack, thing.fault(), {}, by="hand")
    assert [record.made for record in records.recorded(stack)] == [False]
    with pytest.raises(InvalidInput, match="may be in the stack"):
        records.inject(stack, thing.fault(), {}, by="hand")
    thing.stuck = None
    records.remove(stack, thing.fault())
    assert records.recorded(stack) == ()


def test_a_fault_that_was_interrupted_half_way_is_on_record(stack: Stack) -> None:
    fault = plugins.fault("broken_thing", interrupted, Broken().remove, Broken().sign, Where)
    with pytest.raises(KeyboardInterrupt):
        records.inject(stack, fault, {}, by="hand")
    assert [(record.fault, record.made) for record in records.recorded(stack)] == [("broken_thing", False)]


def interrupted(stack: Stack, arguments: Where) -> None:
    raise KeyboardInterrupt


def test_a_fault_is_not_made_twice(stack: Stack) -> None:
    thing = Broken()
    records.inject(stack, thing.fault(), {}, by="hand")
    with pytest.raises(InvalidInput, match="already"):
        records.inject(stack, thing.fault(), {}, by="hand")
    assert thing.calls == [("inject", "here")]


def test_a_fault_that_does_not_show_is_taken_back_and_is_no_fault(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "LANDING_SECONDS", 0.0)
    thing = Broken()
    thing.lands = False
    with pytest.raises(CouldNotLook, match="not seen to land: the thing is whole"):
        records.inject(stack, thing.fault(), {}, by="hand")
    assert thing.calls == [("inject", "here"), ("remove", "here")]
    assert records.recorded(stack) == ()


def test_one_slow_answer_does_not_take_back_a_fault_that_has_landed(stack: Stack) -> None:
    thing, answers = Broken(), iter([CouldNotLook("no answer", where="kafka"), None])

    def sign(stack: Stack, arguments: Where) -> Sign:
        if (silence := next(answers)) is not None:
            raise silence
        return thing.sign(stack, arguments)

    fault = plugins.fault("broken_thing", thing.inject, thing.remove, sign, Where)
    assert records.inject(stack, fault, {}, by="hand").made
    assert thing.calls == [("inject", "here")]


def test_a_fault_of_which_nobody_could_see_anything_is_taken_back_and_says_why(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(stack: Stack, arguments: Where) -> Sign:
        raise CouldNotLook("no answer", where="kafka")

    monkeypatch.setattr(records, "LANDING_SECONDS", 0.0)
    thing = Broken()
    fault = plugins.fault("broken_thing", thing.inject, thing.remove, silent, Where)
    with pytest.raises(CouldNotLook, match="broken_thing: the fault was not seen to land: kafka: no answer"):
        records.inject(stack, fault, {}, by="hand")
    assert thing.calls == [("inject", "here"), ("remove", "here")]


def test_what_showed_that_it_landed_is_on_record(stack: Stack) -> None:
    assert records.inject(stack, Broken().fault(), {}, by="hand").seen == "the thing is broken"
    assert [record.seen for record in records.recorded(stack)] == ["the thing is broken"]


def test_one_fault_with_other_arguments_is_another_one_and_each_is_taken_out_by_itself(stack: Stack) -> None:
    thing = Broken()
    for where in ("here", "there"):
        records.inject(stack, thing.fault(), {"where": where}, by="hand")
    records.remove(stack, thing.fault(), {"where": "there"})
    assert [record.args for record in records.recorded(stack)] == [{"where": "here"}]
    records.inject(stack, thing.fault(), {"where": "there"}, by="hand")
    records.remove(stack, thing.fault())
    assert records.recorded(stack) == ()


def test_removing_what_is_not_there_is_fine(stack: Stack) -> None:
    thing = Broken()
    records.remove(stack, thing.fault())
    assert thing.calls == [("remove", "here")]


class Component(Arguments):
    component: str


def test_removing_once_more_what_needs_an_argument_does_nothing_and_says_so(stack: Stack) -> None:
    thing = Broken()

    def called(*_: object) -> None:
        thing.calls.append(("called", ""))

    fault = plugins.fault("broken_part", called, called, thing.sign, Component)
    records.inject(stack, fault, {"component": "kafka"}, by="hand")
    assert records.remove(stack, fault) is True
    thing.calls.clear()
    assert records.remove(stack, fault) is False
    assert thing.calls == []
    assert records.remove(stack, fault, {"component": "kafka"}) is True
    assert thing.calls == [("called", "")]


def test_a_wrong_argument_is_refused_before_anything_is_recorded(stack: Stack) -> None:
    with pytest.raises(InvalidInput, match="its arguments: where"):
        records.inject(stack, Broken().fault(), {"were": 1}, by="hand")
    assert records.recorded(stack) == ()


def test_a_record_that_cannot_be_read_is_not_ignored(stack: Stack) -> None:
    (stack.state_dir / "faults").mkdir()
    (stack.state_dir / "faults" / "x.json").write_text(json.dumps({"fault": "x"}))
    with pytest.raises(TerminalError, match="not a record"):
        records.recorded(stack)


def test_every_fault_says_what_it_does_and_has_all_three_methods() -> None:
    for name, fault in all_faults(OURS).items():
        assert fault.summary, name
        assert not {getattr(fault, method) for method in METHODS} & {getattr(Fault, method) for method in METHODS}


def test_what_is_made_and_taken_back_is_on_record_meanwhile(stack: Stack) -> None:
    thing = Broken()
    with records.announced(stack, thing.fault(), [{"where": "here"}, {"where": "there"}], by="drill"):
        assert [record.args["where"] for record in records.newest_first(stack)] == ["there", "here"]
        thing.lands = False
    assert records.recorded(stack) == ()


def test_what_was_made_and_not_taken_back_stays_on_record(stack: Stack) -> None:
    with (
        pytest.raises(TerminalError),
        records.announced(stack, Broken().fault(), [{"where": "there"}], by="drill"),
    ):
        raise TerminalError("half-way")
    assert [record.args["where"] for record in records.recorded(stack)] == ["there"]


def test_what_was_on_record_before_is_not_announced_again_and_stays(stack: Stack) -> None:
    thing = Broken()
    before = records.inject(stack, thing.fault(), {"where": "there"}, by="hand")
    thing.lands = False
    with records.announced(stack, thing.fault(), [{"where": "there"}], by="drill"):
        assert records.recorded(stack) == (before,)
    assert records.recorded(stack) == (before,)
