"""The ledger: what the shop acknowledged to its shoppers, written by the shopper, outside every database.

One file per run, `<run>.jsonl`, append-only. A line is written before a call is sent (`invoke`) and after its answer
(`ok`, `refused`, `unclear`, later `settled`); an answer is believed once its line is on the disk (ledger_writer.py).
calls.py decides from the lines how each call ended. This module derives from them what must be true of every order.

    {"at_us", "run", "key", "op", "attempt", "event", "version", "order", "reason"}

key: the order's client key, its identity.
version: the order's version after the call; for `invoke` and `unclear` the version that it would have; 0 for an order
that was never made.
order: as the service returned it; for `invoke` as it would be (unknown ids and times are null); null once deleted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from lakeproof.ledger.calls import Calls, Ended, Event, Open, ledgers_in, lines_of
from lakeproof_shop.services.checkout.models import checkout_key_of
from lakeproof_shop.services.order.models import Op, Order, Status


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the ledger; the module's docstring says what the fields mean."""

    at_us: int
    run: str
    key: str
    op: Op
    attempt: int
    event: Event
    version: int
    order: Order | None = None
    reason: str = ""

    def to_bytes(self) -> bytes:
        """One line of JSON with its newline."""
        return orjson.dumps(self, option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Line":
        """Raises: KeyError, TypeError, ValueError where `data` is no line of a ledger."""
        return cls(
            at_us=int(data["at_us"]),
            run=data["run"],
            key=data["key"],
            op=Op(data["op"]),
            attempt=int(data["attempt"]),
            event=Event(data["event"]),
            version=int(data["version"]),
            order=None if data["order"] is None else Order.from_json(data["order"]),
            reason=data["reason"],
        )


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of one ledger, in the order written. Raises: as `lines_of`."""
    return lines_of(path, Line.from_json)


@dataclass(frozen=True, slots=True)
class State:
    """One state that an order may be in. No order: it was deleted, or with version 0 never made."""

    version: int
    order: Order | None
    at_us: int

    def allows(self, found: Order | None) -> bool:
        """True where `found` (None: no such row) is in this state; a field unknown here allows any value."""
        if self.order is None or found is None:
            return self.order is None and found is None
        return self.order.describes(found)

    def difference(self, version: int, order: Order | None) -> str:
        """In words, how an order at that version differs from this state; "" where it does not."""
        if version == self.version and self.allows(order):
            return ""
        if self.order is None or order is None:
            return f"{self._in_words} → {State(version, order, 0)._in_words}"
        return self.order.differences(order) or f"version {self.version} → {version}"

    @property
    def _in_words(self) -> str:
        state = "no order" if self.order is None else self.order.status
        return f"{state} at version {self.version}"


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call whose outcome is unknown: the line of its newest try, and the state of its order before the call."""

    line: Line
    before: State

    @property
    def after(self) -> tuple[State, ...]:
        """The states that the call may lead to: what was asked for, and for a checkout also its order cancelled,
        since a checkout may fail before the order is paid.
        """
        asked = State(self.line.version, self.line.order, self.line.at_us)
        if asked.order is None or self.line.op is not Op.PAY or not checkout_key_of(self.line.key):
            return (asked,)
        return asked, replace(asked, order=replace(asked.order, status=Status.CANCELLED.value))

    def state_of(self, found: Order | None) -> State | None:
        """The state that `found` is in, of those that the order may be in; None where it is in none of them."""
        return next((state for state in (self.before, *self.after) if state.allows(found)), None)

    def mismatch(self, told: Line) -> str:
        """In words, how the acknowledgement `told` differs from what was asked for; "" where it does not.

        A settled call may also turn out never to have been done.
        """
        possible = (*self.after, self.before) if told.event is Event.SETTLED else self.after
        differences = [state.difference(told.version, told.order) for state in possible]
        return "" if "" in differences else differences[0]


def open_calls(path: Path) -> dict[str, OpenCall]:
    """The open calls of one ledger, by key. Raises: InvalidInput as `read_lines`."""
    calls = Calls[Line]()
    before: dict[str, State] = {}
    for line in read_lines(path):
        if calls.take(line) is Ended.ACKNOWLEDGED:
            before[line.key] = State(line.version, line.order, line.at_us)
    return {key: OpenCall(call.newest, before.get(key, State(0, None, 0))) for key, call in calls.open.items()}


@dataclass(slots=True)
class Expectation:
    """What must be true of one order.

    acknowledged: every state that the shop acknowledged, oldest first, with the time its line was written.
    open_call: the state that a call with an unclear outcome would have left; None where every outcome is known.
    unacknowledged: further states that the order may have had: a checkout's order is made before it is paid, and may
    be cancelled instead. They stay possible after later calls, since an engine with an older cut may show one of
    them. A state that was asked for and refused is in none of the three.
    """

    key: str
    acknowledged: list[State] = field(default_factory=list)
    open_call: State | None = None
    unacknowledged: tuple[State, ...] = ()

    @property
    def possible(self) -> tuple[State, ...]:
        """The states the order may be in once nothing is under way."""
        last = self.acknowledged[-1] if self.acknowledged else State(0, None, 0)
        return (last,) if self.open_call is None else (last, self.open_call)

    @property
    def last_version_acked(self) -> int:
        """The newest acknowledged version; 0: the order was never acknowledged."""
        return self.acknowledged[-1].version if self.acknowledged else 0

    def newest_acked_before(self, at_us: int) -> State:
        """The newest state acknowledged before that time. Data that covers the time must show it, or a newer one."""
        for state in reversed(self.acknowledged):
            if state.at_us < at_us:
                return state
        return State(0, None, 0)

    @property
    def newest_version(self) -> int:
        """No row may have a newer version than this: nothing newer was acknowledged or may be under way."""
        return max((state.version for state in (*self.acknowledged, *self._other)), default=0)

    def states_at(self, version: int) -> tuple[State, ...]:
        """The states that the order may have at that version: the acknowledged one, where it is known."""
        acked = next((state for state in self.acknowledged if state.version == version), None)
        if acked is not None:
            return (acked,)
        return tuple(state for state in self._other if state.version == version)

    @property
    def _other(self) -> tuple[State, ...]:
        return self.unacknowledged if self.open_call is None else (self.open_call, *self.unacknowledged)


@dataclass(frozen=True, slots=True)
class Expectations:
    """All ledgers of a stack. The counts are of calls; an operation that was retried counts once.

    unclear, later_than_now: as `Calls` counts them.
    mismatches: acknowledgements that differ from what was asked for, in words.
    """

    by_key: Mapping[str, Expectation]
    acknowledged: int
    refused: int
    unclear: int
    runs: tuple[str, ...]
    mismatches: tuple[str, ...] = ()
    later_than_now: int = 0

    def acknowledged_since(self, at_us: int) -> int:
        """How many acknowledgements are from then or later: data that covers only that time need not show them."""
        return sum(state.at_us >= at_us for one in self.by_key.values() for state in one.acknowledged)

    @property
    def orders_acknowledged(self) -> int:
        """Orders whose creation was acknowledged, also those deleted since."""
        return sum(1 for each in self.by_key.values() if each.last_version_acked > 0)


def read_ledgers(folder: Path) -> Expectations:
    """Everything that the shoppers of all runs know, key by key. A missing folder: nothing was ever asked.

    May be called while traffic runs: a call without its answer yet is in `open_call`.
    Raises: InvalidInput naming file:line for rubbish that is not a torn last line.
    """
    by_key: dict[str, Expectation] = {}
    acknowledged = refused = unclear = later_than_now = 0
    mismatches: list[str] = []
    paths = ledgers_in(folder)
    for path in paths:
        calls = Calls[Line]()
        for line in read_lines(path):
            one = by_key.get(line.key)
            if one is None:
                one = by_key[line.key] = Expectation(line.key)
            call = calls.open.get(line.key)
            ended = calls.take(line)
            if ended is Ended.REFUSED:
                refused += 1
            elif ended is Ended.ACKNOWLEDGED:
                acknowledged += 1
                if difference := _mismatch(call, one.possible[0], line):
                    mismatches.append(f"{line.key}: {line.op} at version {line.version}: {difference}")
                if call is not None:
                    one.unacknowledged += _first_step(call, line.version)
                one.acknowledged.append(State(line.version, line.order, line.at_us))
        for key, call in calls.open.items():
            one = by_key[key]
            one.open_call, *instead = OpenCall(call.newest, one.possible[0]).after
            one.unacknowledged += (*_first_step(call, call.newest.version), *instead)
        unclear += calls.unclear
        later_than_now += calls.later_than_now
    runs = tuple(path.stem for path in paths)
    return Expectations(by_key, acknowledged, refused, unclear, runs, tuple(mismatches), later_than_now)


@dataclass(frozen=True, slots=True)
class PurchaseFact:
    """The order of a checkout, as the shop last acknowledged it.

    checkout: the checkout's key. status: the order's; None where a later call may have changed it.
    """

    checkout: str
    order_id: int | None
    status: str | None


def read_purchases(folder: Path) -> tuple[PurchaseFact, ...]:
    """Every order of a checkout that the shop acknowledged to a buyer, of all runs. Raises: as `lines_of`."""
    found: dict[str, PurchaseFact] = {}
    for path in ledgers_in(folder):
        calls = Calls[Line]()
        for line in lines_of(path, _of_a_checkout):
            if line is None:
                continue
            if calls.take(line) is Ended.ACKNOWLEDGED and line.order is not None:
                checkout = checkout_key_of(line.key) or ""
                found[line.key] = PurchaseFact(checkout, line.order.id, line.order.status)
        for key in calls.open.keys() & found.keys():
            found[key] = replace(found[key], status=None)
    return tuple(found.values())


def _of_a_checkout(data: dict[str, Any]) -> Line | None:
    return None if checkout_key_of(data["key"]) is None else Line.from_json(data)


def _mismatch(call: Open[Line] | None, before: State, told: Line) -> str:
    return "nothing was asked for" if call is None else OpenCall(call.newest, before).mismatch(told)


def _first_step(call: Open[Line], version: int) -> tuple[State, ...]:
    """The state of the call's first line, where the call then led to a newer `version`: a checkout makes an order and
    pays it, and nobody acknowledges the unpaid order.
    """
    first = call.first
    return (State(first.version, first.order, first.at_us),) if first.version < version else ()
