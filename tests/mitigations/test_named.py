"""A step that finds out by itself whom it concerns is held to the one that its proposal named."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from tests.doubles.plugins import OURS

from lakeproof.diagnosis.cause import Step
from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.lake.query.trino_queries import Query
from lakeproof.mitigations.mitigation import all_mitigations
from lakeproof.mitigations.named import Named, hold_to_found
from lakeproof.repairs.running import run_step
from lakeproof.stack.database_sessions import Held, Sessions
from lakeproof.stack.engines.sessions import Blocker
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.connection_saturation import repairs
from lakeproof_shop.scenarios.notification_failure import repairs as notification_failure_repairs
from lakeproof_shop.scenarios.support_timeline import repairs as support_timeline_repairs
from lakeproof_shop.scenarios.trino_backlog import repairs as trino_backlog_repairs

ONE, OTHER = (f"5a0c3f4e-0000-4000-8000-00000000000{at}" for at in (1, 2))


def waiting(user: str) -> list[Query]:
    return [Query("q", user, "", f"people.{user}", "QUEUED", datetime.now(UTC), waits=True, group_full=True)]


# Step → where it asks, what the first one found looks like and what another one does, the argument that names one.
STEPS: dict[str, tuple[Any, str, Callable[[str], object], str, str, dict[str, object]]] = {
    "kill_query": (trino_backlog_repairs, "queries", waiting, "analyst", "reporter", {"user": "analyst"}),
    "end_blocking_session": (
        repairs,
        "blocker",
        lambda name: Blocker(int(name), "root", 9, 20.0),
        "41",
        "42",
        {"session": 41},
    ),
    "end_idle_sessions": (
        repairs,
        "sessions",
        lambda name: Sessions(200, {name: Held(150, 150)}),
        "report",
        "bi",
        {"account": "report"},
    ),
    "spread_campaign": (
        notification_failure_repairs,
        "turned_down",
        lambda name: f"{name}: 12 x",
        ONE,
        OTHER,
        {"batch": ONE},
    ),
    "stop_campaign": (
        notification_failure_repairs,
        "opted_out",
        lambda name: f"{name}: 30 x",
        ONE,
        OTHER,
        {"batch": ONE},
    ),
    "switch_source": (
        support_timeline_repairs,
        "late_sources",
        lambda name: f"{name}-service",
        "order",
        "payment",
        {"source": "order", "to": "off"},
    ),
}


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done, and to whom."""
    did: list[str] = []

    class Service:
        def __enter__(self) -> "Service":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def spread(self, batch: str, *_: object) -> dict[str, Any]:
            did.append(batch)
            return {"by_status": {}}

        def withdraw(self, batch: str) -> dict[str, Any]:
            return self.spread(batch)

    def end_idle(_: Stack, server: str, account: str, seconds: float) -> int:
        did.append(account)
        return 150

    monkeypatch.setattr(trino_backlog_repairs, "kill", lambda _, found: did.extend(one.user for one in found))

    def end_session(_: Stack, server: str, session: int, seconds: float) -> bool:
        did.append(str(session))
        return True

    monkeypatch.setattr(repairs, "end_session", end_session)
    monkeypatch.setattr(repairs, "limit_of", lambda *_: 0)
    monkeypatch.setattr(repairs, "limit", lambda *_: None)
    monkeypatch.setattr(repairs, "end_idle", end_idle)
    monkeypatch.setattr(repairs, "idle_in_transaction", lambda *_: 0)
    monkeypatch.setattr(notification_failure_repairs, "read_rows", lambda *_, **__: [(75,)])
    for module in (notification_failure_repairs, notification_failure_repairs):
        monkeypatch.setattr(module, "NotificationClient", lambda url: Service())
    runs = SimpleNamespace(row=lambda name: SimpleNamespace(pid=1))
    monkeypatch.setattr(support_timeline_repairs, "our_processes", lambda *_: runs)
    monkeypatch.setattr(support_timeline_repairs, "handed_variables", lambda *_: {})
    monkeypatch.setattr(
        support_timeline_repairs,
        "hand_variable",
        lambda _, name, variable, url: did.append(variable.split("_")[1].lower()),
    )
    return did


def proposed(stack: Stack, name: str, **given: object) -> dict[str, object]:
    step = all_mitigations(OURS)[name]
    return given | dict(step.model_validate(given).hold(stack))


@pytest.mark.parametrize("name", STEPS)
def test_the_one_that_was_proposed_is_acted_on_and_no_other(
    name: str, stack: Stack, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module, asks, look, first, other, _ = STEPS[name]
    step = all_mitigations(OURS)[name]
    monkeypatch.setattr(module, asks, lambda *_: look(first))
    held = step.model_validate(proposed(stack, name))
    if name != "switch_source":  # by hand it is the service that is started anew, whichever source is meant
        assert first in held.typed(stack)
    monkeypatch.setattr(module, asks, lambda *_: look(other))
    with pytest.raises(TerminalError, match="was not named when this was proposed"):
        held.run(stack)
    assert done == []
    monkeypatch.setattr(module, asks, lambda *_: look(first))
    held.run(stack)
    assert set(done) == {first}


@pytest.mark.parametrize("name", STEPS)
def test_whoever_comes_after_a_proposal_without_anybody_is_left_alone(
    name: str, stack: Stack, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module, asks, look, first, _, _ = STEPS[name]
    held = hold_to_found(Named(), list)
    assert held == {"only": ""}
    monkeypatch.setattr(module, asks, lambda *_: look(first))
    with pytest.raises(TerminalError, match="propose again"):
        all_mitigations(OURS)[name].model_validate(held).run(stack)
    assert done == []


@pytest.mark.parametrize("name", STEPS)
def test_without_an_answer_there_is_no_proposal(
    name: str, stack: Stack, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held to nobody, the step would be refused a moment later, as one that was not proposed."""
    module, asks, *_ = STEPS[name]

    def silent(*_: object) -> object:
        raise CouldNotLook("no answer", where="it")

    monkeypatch.setattr(module, asks, silent)
    with pytest.raises(CouldNotLook):
        proposed(stack, name)


@pytest.mark.parametrize("name", STEPS)
def test_whom_a_person_named_needs_no_hold(name: str, stack: Stack) -> None:
    given = STEPS[name][-1]
    assert proposed(stack, name, **given) == given


@pytest.mark.parametrize("name", STEPS)
def test_a_held_repair_is_known_again_in_the_timeline(
    name: str, stack: Stack, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told there by its arguments; an incident's repair that did not help is not proposed again by them."""
    module, asks, look, first, _, _ = STEPS[name]
    monkeypatch.setattr(module, asks, lambda *_: look(first))
    steps = (Step(name), Step(name, tuple(proposed(stack, name).items())))
    ran = [
        run_step(stack, all_mitigations(OURS), step, lambda text: None, lambda text: None).in_words for step in steps
    ]
    assert ran[0] == ran[1]


@pytest.mark.parametrize(
    ("name", "module", "asks", "look"),
    [
        ("kill_query", trino_backlog_repairs, "queries", waiting),
        ("end_idle_sessions", repairs, "sessions", lambda name: Sessions(200, {name: Held(150, 150)})),
    ],
)
def test_a_name_with_a_comma_is_one_name(
    name: str,
    module: Any,
    asks: str,
    look: Callable[[str], object],
    stack: Stack,
    done: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step = all_mitigations(OURS)[name]
    monkeypatch.setattr(module, asks, lambda *_: look("etl,anna"))
    held = step.model_validate(proposed(stack, name))
    monkeypatch.setattr(module, asks, lambda *_: look("anna"))
    with pytest.raises(TerminalError, match="anna was not named when this was proposed"):
        held.run(stack)
    assert done == []
    monkeypatch.setattr(module, asks, lambda *_: look("etl,anna"))
    held.run(stack)
    assert set(done) == {"etl,anna"}


@pytest.mark.parametrize("others", [1, 4])
def test_a_session_for_which_fewer_wait_than_the_cause_asks_for_is_not_ended(
    others: int, stack: Stack, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    step = all_mitigations(OURS)["end_blocking_session"]()
    monkeypatch.setattr(repairs, "blocker", lambda *_: Blocker(41, "root", others, 2.0))
    assert step.hold(stack) == {"only": ""}
    with pytest.raises(TerminalError, match=f"session 41 of root keeps {others} waiting, fewer than 5"):
        step.run(stack)
    assert done == []
