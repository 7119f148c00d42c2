"""Events of another shape: told by what they lack, rolled back, and sent again under their own ids."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import pytest

from lakeproof.errors import TerminalError, TransientError
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.notification_failure import event_shapes, faults, repairs
from lakeproof_shop.scenarios.notification_failure.event_shapes import Reshaped, compared
from lakeproof_shop.scenarios.notification_failure.repairs import RestoreEventShape
from lakeproof_shop.serving import outbox

USUAL = {"payment.captured": {"order_id": 7, "moved": "9.50"}}


def test_events_are_told_by_what_they_lack_and_have_instead() -> None:
    unread = [("payment.captured", one, {"order": 7, "moved": "1.00"}) for one in ("a", "b")]
    (found,) = compared("payment", unread, USUAL)
    assert found == Reshaped("payment", "payment.captured", ("order_id",), ("order",), ("a", "b"))
    assert str(found) == "payment: 2 payment.captured lack order_id and have order"


def test_an_event_of_the_usual_shape_that_nobody_could_use_is_none_of_them() -> None:
    gone: list[tuple[str, str, dict[str, Any]]] = [
        ("payment.captured", "a", {"order_id": 404, "moved": "1.00"}),
        ("payment.captured", "b", {"order_id": 7, "moved": "1.00", "new": 1}),
        ("payment.invented", "c", {}),
    ]
    assert compared("payment", gone, USUAL) == []


def test_each_sender_is_asked_and_the_usual_shape_only_of_what_could_not_be_read(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def read(stack: Stack, sql: str, *args: object, seconds: float) -> list[tuple[Any, ...]]:
        asked.append(sql)
        if sql == event_shapes.UNREAD.format(sender="payment"):
            return [("payment.captured", "a", {"order": 7, "moved": "1.00"})]
        return [(USUAL["payment.captured"],)] if sql == event_shapes.LAST_READ.format(sender="payment") else []

    monkeypatch.setattr(event_shapes, "read_rows", read)
    assert event_shapes.event_shapes(stack, 1.0) == "payment: 1 payment.captured lack order_id and have order"
    assert len(asked) == 4
    monkeypatch.setattr(event_shapes, "read_rows", lambda *_, **__: [])
    assert event_shapes.event_shapes(stack, 1.0) == "none"


class Database:
    """PostgreSQL with one strange trigger; keeps what was executed."""

    def __init__(self) -> None:
        self.done: list[tuple[str, tuple[object, ...]]] = []
        self.under_way = [2, 0]
        self.triggers, self.newest_is_usual, self.older = {"payment": ["strange"]}, False, 0
        # Newer events of the type, and how many of them have the other shape.
        self.newer = (1, 0)

    def rows(self, sql: str, *args: object) -> Sequence[tuple[Any, ...]]:
        if "pg_trigger" in sql:
            words = map(repairs._word, ("order_id", "order"))
            assert args == (repairs.REWRITES, *words)
            names = self.triggers.get(sql.partition(".outbox'")[0].rpartition("'")[2], [])
            return [(name, f"CREATE TRIGGER {name} …", "CREATE FUNCTION …") for name in names]
        if "max(id)" in sql:
            return [(7,)]
        if "FILTER" in sql:
            assert args == ("payment.captured", 7, "order", "order_id") or args[0] == "payment.refunded"
            return [self.newer]
        if "ORDER BY id DESC" in sql:
            return [(self.newest_is_usual,)]
        if "count(*)" in sql:
            return [(self.under_way.pop(0),)]
        self.done.append((sql, args))
        return []

    def transaction(self) -> nullcontext[None]:
        return nullcontext()


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    made = Database()

    @contextmanager
    def session(stack: Stack) -> Iterator[Database]:
        yield made

    monkeypatch.setattr(repairs, "_database", session)
    monkeypatch.setattr(repairs, "NEWER_SECONDS", 0.0)
    monkeypatch.setattr(event_shapes, "read_rows", lambda *_, **__: [(made.older,)])
    return made


def test_the_repair_drops_the_change_waits_for_what_is_under_way_and_sends_all_of_it_again(
    stack: Stack, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = [("a",), ("a", "b", "c")]  # two more came while the trigger was dropped
    monkeypatch.setattr(
        repairs,
        "reshaped",
        lambda *_: [Reshaped("payment", "payment.captured", ("order_id",), ("order",), looks.pop(0))],
    )
    assert "sent again: 3 payment.captured" in repairs.RestoreEventShape().run(stack)
    statements = [sql.split()[0] for sql, _ in database.done]
    assert statements == ["DROP", "UPDATE", "DELETE", "UPDATE"]
    assert database.done[0][0] == "DROP TRIGGER strange ON payment.outbox"
    assert database.done[1][1] == (["a", "b", "c"], "order", "order_id")
    assert database.done[2][1] == database.done[3][1] == (["a", "b", "c"],)
    assert database.under_way == []


def test_a_sender_without_such_a_trigger_is_told_of_and_nothing_is_changed_until_its_events_are_as_usual(
    stack: Stack, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [Reshaped("payment", "payment.captured", ("order_id",), ("order",), ("a",))]
    monkeypatch.setattr(repairs, "reshaped", lambda *_: found)
    database.triggers.clear()
    with pytest.raises(TerminalError, match="no trigger"):
        repairs.RestoreEventShape().run(stack)
    assert database.done == []
    database.newest_is_usual = True
    repairs.RestoreEventShape().run(stack)
    assert [sql.split()[0] for sql, _ in database.done] == ["UPDATE", "DELETE", "UPDATE"]
    found.clear()
    assert repairs.RestoreEventShape().run(stack) == "every event of the last 1440 minutes could be read"


def test_it_looks_back_as_long_as_senders_keep_their_events_and_tells_of_what_is_older(
    stack: Stack, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert RestoreEventShape().minutes * 60 == outbox.KEPT_SECONDS
    found = [Reshaped("payment", "payment.captured", ("order_id",), ("order",), ("a",))]
    monkeypatch.setattr(repairs, "reshaped", lambda *_: found)
    database.older = 7
    beyond = "; 7 of the day before could not be read either, and are not sent again"
    said = repairs.RestoreEventShape().run(stack)
    assert "sent again: 1 payment.captured" in said and said.endswith(beyond)
    found.clear()
    assert repairs.RestoreEventShape(minutes=60).run(stack).endswith(f"could be read{beyond}")


@pytest.mark.parametrize(
    ("source", "is_one"),
    [
        (faults.FUNCTION.format(key="order_id", name="order"), True),
        ("begin new.payload = new.payload - 'order_id'; return new; end", True),
        ("BEGIN IF NEW.payload = '{}' THEN RAISE 'no order_id'; END IF; RETURN NEW; END", False),
        ("BEGIN PERFORM pg_notify('events', NEW.payload->>'order_id'); RETURN NEW; END", False),
    ],
)
def test_only_a_function_that_gives_an_event_other_data_is_dropped(source: str, is_one: bool) -> None:
    # PostgreSQL's \m is the beginning of a word.
    pattern = repairs.REWRITES.replace(r"\m", r"\b")
    assert bool(re.search(pattern, source, re.IGNORECASE)) is is_one


@pytest.mark.parametrize(
    ("source", "names_it"),
    [
        (faults.FUNCTION.format(key="order_id", name="order"), True),
        ("IF NEW.payload ? 'order_id' THEN NEW.payload := NEW.payload || '{\"currency\":\"EUR\"}'; END IF;", False),
    ],
)
def test_a_function_that_only_reads_the_key_does_not_name_the_new_one(source: str, names_it: bool) -> None:
    """`order` stands in `order_id`."""
    assert re.search(repairs._word("order_id"), source)
    assert bool(re.search(repairs._word("order"), source)) is names_it


@pytest.mark.parametrize("has", [(), ("order", "number")])
def test_where_it_is_not_plain_which_key_stands_for_which_nothing_is_changed(
    has: tuple[str, ...], stack: Stack, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        repairs,
        "reshaped",
        lambda *_: [Reshaped("payment", "payment.captured", ("order_id",), has, ("a",))],
    )
    with pytest.raises(TerminalError, match="not plain"):
        repairs.RestoreEventShape().run(stack)
    assert database.done == []


PLAIN = Reshaped("payment", "payment.captured", ("order_id",), ("order",), ("a",))


def run_over(
    looks: list[list[Reshaped]], stack: Stack, database: Database, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, list[str]]:
    """What the repair says of events that the first and the second look find, and its statements."""
    monkeypatch.setattr(repairs, "reshaped", lambda *_: looks.pop(0))
    try:
        said = repairs.RestoreEventShape().run(stack)
    except TerminalError as error:
        said = error.message
    return said, [sql.split()[0] for sql, _ in database.done]


@pytest.mark.parametrize("first", [0, 1])
def test_an_odd_event_is_passed_over_and_named_and_the_others_are_sent_again(
    first: int, stack: Stack, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there at the first look, or comes meanwhile; its sender's newest event is as usual."""
    database.newest_is_usual = True
    odd = replace(PLAIN, has=("number", "order"), ids=("odd",))
    said, statements = run_over([[PLAIN, odd][: 2 - first], [PLAIN, odd]], stack, database, monkeypatch)
    assert statements == ["DROP", "UPDATE", "DELETE", "UPDATE"]
    assert all(args[0] == ["a"] for _, args in database.done[1:])
    assert said.startswith("the senders' newest events have their usual shape; sent again: 1 payment.captured; left")
    assert "which: payment: 1 payment.captured lack order_id and have number, order; dropped" in said


def test_odd_events_that_go_on_coming_fail_the_repair_after_the_others_were_sent_again(
    stack: Stack, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, statements = run_over([[PLAIN], [PLAIN, replace(PLAIN, has=())]], stack, database, monkeypatch)
    assert statements == ["DROP", "UPDATE", "DELETE", "UPDATE"]
    assert "not plain which key stands for which: payment: 1 payment.captured lack order_id; sent again: 1" in said


def test_a_sender_whose_shape_no_trigger_changes_does_not_hold_up_another_one(
    stack: Stack, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.under_way = [0]
    other = replace(PLAIN, sender="support", type="case.closed", ids=("c",))
    said, statements = run_over([[PLAIN, other]] * 2, stack, database, monkeypatch)
    assert statements == ["DROP", "UPDATE", "DELETE", "UPDATE"]
    assert "no trigger changes the shape of these events: support: 1 case.closed" in said
    assert "sent again: 1 payment.captured" in said


def test_what_the_dropped_trigger_changed_of_another_type_meanwhile_is_sent_again_too(
    stack: Stack, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    refund = replace(PLAIN, type="payment.refunded", ids=("r",))
    said, _ = run_over([[PLAIN], [PLAIN, refund]], stack, database, monkeypatch)
    assert "sent again: 1 payment.captured, 1 payment.refunded; dropped" in said


def test_a_dropped_trigger_is_named_and_its_definition_is_kept(
    stack: Stack, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was gone for good, and nothing told that it had been there."""
    said, _ = run_over([[PLAIN]] * 2, stack, database, monkeypatch)
    assert "dropped: trigger strange of payment.outbox, its definition is kept in /" in said
    (path,) = (stack.state_dir / "kept-values").glob("shop-*.json")
    assert said.endswith(str(path))
    kept = json.loads(path.read_text())["definitions"]
    assert kept == {"strange of payment.outbox": ["CREATE TRIGGER strange …", "CREATE FUNCTION …"]}


def test_without_a_place_for_the_definition_nothing_is_dropped(
    stack: Stack, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stack.state_dir / "kept-values").write_text("a file where the folder should be")
    said, statements = run_over([[PLAIN]] * 2, stack, database, monkeypatch)
    assert "the definitions cannot be kept" in said and statements == []


def test_where_newer_events_have_the_other_shape_as_well_the_usual_one_is_not_claimed(
    stack: Stack, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trigger was another one's."""
    database.newer = (5, 2)
    said, statements = run_over([[PLAIN]] * 2, stack, database, monkeypatch)
    assert "newer events have it as well: payment: 1 payment.captured lack order_id" in said
    assert "dropped: trigger strange of payment.outbox" in said and "make the trigger again from that file" in said
    assert statements == ["DROP", "UPDATE", "DELETE", "UPDATE"]


def test_where_no_newer_event_came_the_usual_shape_is_not_claimed(
    stack: Stack, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.newer = (0, 0)
    said, _ = run_over([[PLAIN]] * 2, stack, database, monkeypatch)
    assert said.startswith(
        "whether it helped is not seen yet, no newer event came of payment.captured; sent again: 1"
    )


def test_a_failure_after_the_drop_does_not_hide_where_the_definition_is(
    stack: Stack, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.under_way = [1] * 100
    monkeypatch.setattr(repairs, "TAKEN_SECONDS", 0.0)
    monkeypatch.setattr(repairs, "reshaped", lambda *_: [PLAIN])
    with pytest.raises(
        TransientError, match=r"events under way .*strange of payment.outbox, .*kept in .*do this again"
    ):
        repairs.RestoreEventShape().run(stack)


def test_the_fault_is_a_trigger_of_the_sender_and_goes_with_its_function(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed: list[tuple[str, str]] = []

    class Session:
        def rows(self, sql: str) -> list[tuple[int]]:
            executed.append((" ".join(sql.split()[:3]), sql))
            return [(1,)]

    @contextmanager
    def connection(stack: Stack, user: str, *_: object) -> Iterator[Session]:
        assert user == "payment_service"
        yield Session()

    monkeypatch.setattr(faults, "transient_connection", connection)
    faults.ReshapedEvents().inject(stack)
    assert "NEW.payload - 'order_id'" in executed[0][1] and "'order', NEW.payload->'order_id'" in executed[0][1]
    assert faults.ReshapedEvents().sign(stack).holds
    faults.ReshapedEvents().remove(stack)
    assert [one for one, _ in executed[-2:]] == ["DROP TRIGGER IF", "DROP FUNCTION IF"]
