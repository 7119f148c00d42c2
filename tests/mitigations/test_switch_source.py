"""Off keeps the address that somebody set on purpose, and on gives it back."""

import stat
from types import SimpleNamespace

import pytest

from lakeproof.errors import TerminalError
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.support_timeline import repairs
from lakeproof_shop.scenarios.support_timeline.repairs import SwitchSource

VARIABLE = "SERVICE_ORDER_SERVICE_URL"
OFF, ON = SwitchSource(source="order", to="off"), SwitchSource(source="order")


@pytest.fixture
def support(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """given: its addresses. late, slow: what is said of its sources. restarts: how often it was restarted.

    cut: true for a run that is killed once it has stopped support. pid: None while support has no process.
    """
    made = SimpleNamespace(given={}, late="none", slow="none", restarts=0, cut=False, pid=1)

    def hand(stack: Stack, name: str, variable: str, url: str | None) -> None:
        if made.cut:
            made.cut, made.pid = False, None
            raise KeyboardInterrupt
        made.restarts, made.pid = made.restarts + 1, 1
        made.given = {} if url is None else {variable: url}

    client = SimpleNamespace(row=lambda name: made, start=lambda name: setattr(made, "pid", 1))
    monkeypatch.setattr(repairs, "our_processes", lambda *_: client)
    monkeypatch.setattr(repairs, "hand_variable", hand)
    monkeypatch.setattr(repairs, "handed_variables", lambda *_: made.given if made.pid else {})
    monkeypatch.setattr(repairs, "late_sources", lambda *_: made.late)
    monkeypatch.setattr(repairs, "slow_sources", lambda *_: made.slow)
    monkeypatch.setattr(repairs, "last_handed", lambda *_: made.given)
    return made


def test_on_gives_back_the_address_that_off_took(stack: Stack, support: SimpleNamespace) -> None:
    support.given = {VARIABLE: "http://far:8001"}
    for _ in range(2):  # off again, while it is off, forgets nothing
        OFF.run(stack)
        assert support.given == {VARIABLE: ""}
    assert "http://far:8001" in ON.run(stack)
    assert support.given == {VARIABLE: "http://far:8001"}
    support.given = {}
    OFF.run(stack)
    ON.run(stack)
    assert support.given == {}, "the note of before counts only once"


@pytest.mark.parametrize("login", ["shop:s3cret", "shop:s3@cret", "s3cret"])
def test_a_password_in_an_address_reaches_no_timeline_and_nobody_elses_eyes(
    login: str, stack: Stack, support: SimpleNamespace
) -> None:
    address = f"http://{login}@far:8001/a"
    support.given = {VARIABLE: address}
    said = [ON.run(stack)]
    assert "stays on at http://…@far:8001/a" in said[0]
    said.append(OFF.run(stack))
    (note,) = stack.data_dir("support-service").iterdir()
    assert (note.read_text(), stat.S_IMODE(note.stat().st_mode)) == (address, 0o600)
    said += [ON.typed(stack), ON.run(stack)]
    assert support.given == {VARIABLE: address}
    support.late = "order-service"
    said.append(SwitchSource().run(stack))
    assert "it was http://…@far:8001/a" in said[-1]
    assert "cret" not in "".join(said)


def test_on_by_hand_gives_back_the_address_that_off_took(stack: Stack, support: SimpleNamespace) -> None:
    support.given = {VARIABLE: "http://far:8001"}
    OFF.run(stack)
    on = f"lakeproof stop support-service; {VARIABLE}=http://far:8001 lakeproof start support-service"
    assert ON.typed(stack) == on
    support.given = {}  # somebody has started it with the stack's own address meanwhile
    assert ON.typed(stack) == "lakeproof stop support-service; lakeproof start support-service"


@pytest.mark.parametrize("cut", [OFF, ON])
def test_a_run_that_was_cut_off_while_support_was_stopped_loses_no_address(
    cut: SwitchSource, stack: Stack, support: SimpleNamespace
) -> None:
    support.given = {VARIABLE: "http://far:8001"}
    if cut is ON:
        OFF.run(stack)
    support.cut = True
    with pytest.raises(KeyboardInterrupt):
        cut.run(stack)
    cut.run(stack)
    ON.run(stack)
    assert support.given == {VARIABLE: "http://far:8001"}


def test_an_address_that_is_not_late_is_left_alone_and_one_that_is_late_is_given_up(
    stack: Stack, support: SimpleNamespace
) -> None:
    support.given = {VARIABLE: "http://far:8001"}
    assert "stays on" in ON.run(stack)
    assert support.restarts == 0
    support.late = "order-service"
    assert "it was http://far:8001" in SwitchSource().run(stack)
    assert (support.given, support.restarts) == ({}, 1)


def test_without_an_address_of_its_own_it_is_the_stacks_again(stack: Stack, support: SimpleNamespace) -> None:
    assert "the stack's own address" in ON.run(stack)
    assert (support.given, support.restarts) == ({}, 1)


def test_off_is_for_a_source_that_is_slow_itself_and_on_again_would_not_help_it(
    stack: Stack, support: SimpleNamespace
) -> None:
    support.slow = "order-service"
    with pytest.raises(TerminalError, match="no source is late for it alone"):
        SwitchSource().run(stack)
    assert SwitchSource(to="off").run(stack) == "order: switched off"
    assert support.given == {VARIABLE: ""}
    support.slow = "none"
    with pytest.raises(TerminalError, match="none is slow"):
        SwitchSource(to="off").run(stack)
