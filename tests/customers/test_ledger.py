"""The ledger: durable before believed, readable after a crash."""

import asyncio
import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.ledger.calls import CLOCK_ALLOWANCE_SECONDS, Event, lines_of, now_us
from lakeproof.ledger.writer import Ledger, LedgerBroken
from lakeproof_shop.customers.ledger import Line, PurchaseFact, read_ledgers, read_purchases
from lakeproof_shop.services.order.models import Item, Op, Order


def an_order(key: str = "k1", version: int = 1, status: str = "created", *, known: bool = True) -> Order:
    at = "2026-11-24T14:43:53.042722Z" if known else None
    item = Item(11 if known else None, 1, "sku-1", 2, "6.15")
    return Order(7 if known else None, key, 42, status, "12.30", 1, version, at, at, (item,))


def a_line(event: Event, *, key: str = "k1", version: int = 1, at_us: int = 1, order: Order | None = None) -> Line:
    return Line(at_us, "run-a", key, Op.CREATE, 1, event, version, order)


def write(folder: Path, run: str, lines: list[Line], torn: bytes = b"") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{run}.jsonl"
    path.write_bytes(b"".join(line.to_bytes() for line in lines) + torn)
    return path


async def test_a_line_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "r")
    line = a_line(Event.OK, order=an_order())
    await ledger.append(line)
    assert (tmp_path / "r.jsonl").read_bytes() == line.to_bytes()
    await ledger.close()


async def test_lines_that_wait_together_share_one_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    async with Ledger(tmp_path, "r") as ledger:
        await asyncio.gather(*(ledger.append(a_line(Event.INVOKE, key=f"k{n}")) for n in range(200)))
    assert len(synced) == 1


async def test_a_cancelled_writer_does_not_take_its_line_away(tmp_path: Path) -> None:
    async with Ledger(tmp_path, "r") as ledger:
        task = asyncio.create_task(ledger.append(a_line(Event.INVOKE)))
        await asyncio.sleep(0)
        task.cancel()
        await ledger.append(a_line(Event.OK, order=an_order()))
    assert (tmp_path / "r.jsonl").read_bytes().count(b"\n") == 2


async def test_a_full_disk_stops_everything_and_leaves_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path, "r")
    await ledger.append(a_line(Event.INVOKE))
    real_write = os.write

    def write_half_then_fail(file: int, data: memoryview) -> int:
        if len(data) < 50:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_write(file, data[: len(data) - 20])

    monkeypatch.setattr(os, "write", write_half_then_fail)
    with pytest.raises(LedgerBroken, match="No space left on device"):
        await ledger.append(a_line(Event.OK, order=an_order()))
    monkeypatch.undo()
    with pytest.raises(LedgerBroken):
        await ledger.append(a_line(Event.OK, order=an_order()))
    await ledger.close()
    assert (tmp_path / "r.jsonl").read_bytes() == a_line(Event.INVOKE).to_bytes()


def test_a_second_ledger_of_one_run_is_refused(tmp_path: Path) -> None:
    Ledger(tmp_path, "r")
    with pytest.raises(InvalidInput, match="a run of that name"):
        Ledger(tmp_path, "r")


def test_no_folder_means_nothing_was_asked(tmp_path: Path) -> None:
    found = read_ledgers(tmp_path / "nowhere")
    assert (found.by_key, found.acknowledged, found.unclear) == ({}, 0, 0)


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    whole = [a_line(Event.INVOKE, order=an_order(known=False)), a_line(Event.OK, order=an_order())]
    write(tmp_path, "r", whole, torn=a_line(Event.INVOKE, key="k2").to_bytes()[:-9])
    assert set(read_ledgers(tmp_path).by_key) == {"k1"}


def test_a_ledger_that_grows_while_it_is_read_is_read_up_to_the_line_that_was_being_written(tmp_path: Path) -> None:
    """The half of a line that a reader met at the end of the file was once called rubbish, when its rest followed."""
    lines = [a_line(Event.INVOKE, key=f"k{number}") for number in range(5)]
    late = lines[3].to_bytes()
    path = write(tmp_path, "r", lines[:3], torn=late[:40])
    reading = lines_of(path, Line.from_json)
    read = [next(reading) for _ in range(3)]  # by now it has the half of the fourth line
    with path.open("ab") as file:
        file.write(late[40:] + lines[4].to_bytes())
    assert [*read, *reading] == lines[:3]
    assert list(lines_of(path, Line.from_json)) == lines


def test_rubbish_in_the_middle_is_named_by_file_and_line(tmp_path: Path) -> None:
    lines = [a_line(Event.INVOKE), a_line(Event.OK, order=an_order())]
    path = write(tmp_path, "r", lines)
    path.write_bytes(lines[0].to_bytes() + b'{"at_us": 3}\n' + lines[1].to_bytes())
    with pytest.raises(InvalidInput, match=r"r\.jsonl:2"):
        read_ledgers(tmp_path)


def test_an_invoke_without_an_answer_allows_both_states(tmp_path: Path) -> None:
    write(tmp_path, "r", [a_line(Event.INVOKE, order=an_order(known=False))])
    one = read_ledgers(tmp_path).by_key["k1"]
    assert one.possible[0].allows(None)
    assert one.possible[1].allows(an_order())
    assert (one.last_version_acked, one.newest_version) == (0, 1)


def test_a_refused_retry_leaves_the_first_try_unclear(tmp_path: Path) -> None:
    wanted = an_order(known=False)
    write(
        tmp_path,
        "r",
        [
            a_line(Event.INVOKE, order=wanted),
            a_line(Event.UNCLEAR, order=wanted),
            a_line(Event.INVOKE, order=wanted),
            a_line(Event.REFUSED),
        ],
    )
    found = read_ledgers(tmp_path)
    assert (found.unclear, len(found.by_key["k1"].possible)) == (1, 2)


def test_a_settled_call_leaves_one_state(tmp_path: Path) -> None:
    wanted = an_order(known=False)
    write(
        tmp_path,
        "r",
        [
            a_line(Event.INVOKE, order=wanted),
            a_line(Event.UNCLEAR, order=wanted),
            a_line(Event.SETTLED, version=0),
        ],
    )
    found = read_ledgers(tmp_path)
    one = found.by_key["k1"]
    assert (found.unclear, [state.allows(None) for state in one.possible]) == (0, [True])
    assert one.last_version_acked == 0


def test_a_deleted_order_keeps_its_versions(tmp_path: Path) -> None:
    write(
        tmp_path,
        "r",
        [
            a_line(Event.OK, order=an_order(), at_us=10),
            a_line(Event.OK, version=2, at_us=20, order=an_order(version=2, status="paid")),
            a_line(Event.OK, version=3, at_us=30),
        ],
    )
    one = read_ledgers(tmp_path).by_key["k1"]
    assert one.acknowledged[-1].order is None
    assert one.newest_acked_before(20).version == 1
    assert one.newest_acked_before(31).order is None
    assert [state.order and state.order.status for state in one.states_at(2)] == ["paid"]


def test_an_order_differs_by_one_microsecond() -> None:
    other = replace(an_order(), updated_at="2026-11-24T14:43:53.042723Z")
    assert not an_order().describes(other)
    assert an_order(known=False).describes(other)


def test_a_call_that_was_sent_a_moment_ago_is_under_way_not_unclear(tmp_path: Path) -> None:
    sent = [a_line(Event.INVOKE, key=f"k{age}", at_us=now_us() - age * 1_000_000) for age in (1, 60)]
    write(tmp_path, "run-a", sent)
    found = read_ledgers(tmp_path)
    assert (found.unclear, found.by_key["k1"].open_call is not None) == (1, True)


PAID = an_order(version=2, status="paid")


def test_a_refused_call_allows_no_version_of_its_own(tmp_path: Path) -> None:
    """The newest version that was asked for was once kept although the call was refused."""
    lines = [
        a_line(Event.INVOKE, order=an_order(known=False)),
        a_line(Event.OK, order=an_order()),
        a_line(Event.INVOKE, version=2, order=PAID),
        a_line(Event.REFUSED, order=an_order()),
    ]
    write(tmp_path, "r", lines)
    one = read_ledgers(tmp_path).by_key["k1"]
    assert (one.newest_version, one.states_at(2)) == (1, ())


def test_a_call_that_was_settled_as_never_done_allows_no_version_either(tmp_path: Path) -> None:
    lines = [
        a_line(Event.INVOKE, order=an_order(known=False)),
        a_line(Event.OK, order=an_order()),
        a_line(Event.INVOKE, version=2, order=PAID),
        a_line(Event.UNCLEAR, version=2, order=PAID),
        a_line(Event.SETTLED, order=an_order()),
    ]
    write(tmp_path, "r", lines)
    found = read_ledgers(tmp_path)
    assert (found.by_key["k1"].newest_version, found.mismatches) == (1, ())


@pytest.mark.parametrize("event", [Event.OK, Event.SETTLED])
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"total": "12.40"}, "total 12.30 → 12.40"),
        ({"customer_id": 43}, "customer_id 42 → 43"),
        ({"items": (Item(11, 1, "sku-2", 2, "6.15"),)}, "line 1 sku sku-1 → sku-2"),
        ({"items": (Item(11, 1, "sku-1", 2, "6.16"),)}, "line 1 unit_price 6.15 → 6.16"),
        ({"items": ()}, "line 1 sku sku-1 → none"),
        ({"status": "paid"}, "status created → paid"),
    ],
)
def test_an_acknowledgement_of_something_else_than_was_asked_for_is_told(
    tmp_path: Path, event: Event, changed: dict[str, Any], words: str
) -> None:
    """A shop that stored another price, item or customer once passed: nothing compared the two lines."""
    lines = [a_line(Event.INVOKE, order=an_order(known=False)), a_line(event, order=replace(an_order(), **changed))]
    write(tmp_path, "r", lines)
    (told,) = read_ledgers(tmp_path).mismatches
    assert told.startswith("k1: create at version 1: ") and words in told


def test_an_acknowledgement_at_another_version_or_of_a_call_that_nobody_made_is_told(tmp_path: Path) -> None:
    lines = [
        a_line(Event.INVOKE, version=2, order=None),
        a_line(Event.OK, version=3),
        a_line(Event.OK, key="k2", order=an_order("k2")),
    ]
    write(tmp_path, "r", lines)
    assert read_ledgers(tmp_path).mismatches == (
        "k1: create at version 3: no order at version 2 → no order at version 3",
        "k2: create at version 1: nothing was asked for",
    )


def checkout_lines(event: Event, order: Order | None) -> list[Line]:
    """A purchase, asked for and ended."""
    key = "checkout:b1"
    made = replace(an_order(key, known=False), client_key=key)
    paid = replace(made, version=2, status="paid")
    asked = [Line(1, "run-a", key, Op.CREATE, 1, Event.INVOKE, 1, made)]
    asked.append(Line(1, "run-a", key, Op.PAY, 1, Event.INVOKE, 2, paid))
    return [*asked, Line(2, "run-a", key, Op.PAY, 1, event, order.version if order else 0, order)]


@pytest.mark.parametrize(
    ("status", "total", "mismatches"), [("paid", "12.30", 0), ("cancelled", "12.30", 0), ("cancelled", "12.40", 1)]
)
def test_a_purchase_that_was_turned_back_may_be_cancelled_and_nothing_else(
    tmp_path: Path, status: str, total: str, mismatches: int
) -> None:
    ended = replace(an_order("checkout:b1", 2, status), total=total)
    write(tmp_path, "r", checkout_lines(Event.OK, ended))
    found = read_ledgers(tmp_path)
    one = found.by_key["checkout:b1"]
    assert (len(found.mismatches), one.newest_version) == (mismatches, 2)
    # It was created before it was paid, which nobody acknowledged by itself: a lake may show it so.
    assert [state.order and state.order.status for state in one.states_at(1)] == ["created"]


@pytest.mark.parametrize("event", [Event.OK, Event.UNCLEAR])
def test_what_was_bought_was_created_first_also_where_a_later_call_changed_it(tmp_path: Path, event: Event) -> None:
    """`check` took it for a phantom where the lake's cut was older than both calls, as on a busy machine."""
    paid = an_order("checkout:b1", 2, "paid")
    cancelled = replace(paid, version=3, status="cancelled")
    lines = checkout_lines(Event.OK, paid)
    lines.append(
        Line(3, "run-a", paid.client_key, Op.CANCEL, 1, Event.INVOKE, 3, replace(cancelled, updated_at=None))
    )
    lines.append(Line(4, "run-a", paid.client_key, Op.CANCEL, 1, event, 3, cancelled))
    write(tmp_path, "r", lines)
    one = read_ledgers(tmp_path).by_key["checkout:b1"]
    by_version = {n: [state.order and state.order.status for state in one.states_at(n)] for n in (0, 1, 2, 3)}
    assert by_version == {0: [], 1: ["created"], 2: ["paid"], 3: ["cancelled"]}


def test_a_purchase_under_way_may_be_created_paid_or_cancelled(tmp_path: Path) -> None:
    write(tmp_path, "r", checkout_lines(Event.UNCLEAR, None)[:2])
    one = read_ledgers(tmp_path).by_key["checkout:b1"]
    by_version = {n: [state.order and state.order.status for state in one.states_at(n)] for n in (0, 1, 2, 3)}
    assert by_version == {0: [], 1: ["created"], 2: ["paid", "cancelled"], 3: []}


def test_lines_later_than_now_are_counted_beyond_the_clocks_allowance(tmp_path: Path) -> None:
    """Such a line is later than every moment that the data must cover, and once excused its order's loss."""
    within, beyond = (now_us() + int(CLOCK_ALLOWANCE_SECONDS * 1e6 * times) for times in (0.5, 60))
    lines = [a_line(Event.INVOKE, at_us=beyond), a_line(Event.OK, order=an_order(), at_us=beyond)]
    write(tmp_path, "r", [a_line(Event.INVOKE, key="k2", at_us=within), *lines])
    assert read_ledgers(tmp_path).later_than_now == 2


def test_what_was_bought_at_the_checkout_is_told_as_last_acknowledged_and_nothing_of_a_wish_under_way(
    tmp_path: Path,
) -> None:
    def of(key: str, event: Event, version: int, status: str, op: Op = Op.PAY) -> Line:
        key = f"checkout:{key}"
        return Line(version, "r", key, op, 1, event, version, an_order(key, version, status))

    kept = [of("kept", Event.INVOKE, 2, "paid"), of("kept", Event.OK, 2, "paid")]
    undone = [
        *(of("undone", Event.INVOKE, 2, "paid"), of("undone", Event.OK, 2, "paid")),
        *(
            of("undone", Event.INVOKE, 3, "cancelled", Op.CANCEL),
            of("undone", Event.SETTLED, 3, "cancelled", Op.CANCEL),
        ),
    ]
    wished = [
        *(of("wished", Event.INVOKE, 2, "paid"), of("wished", Event.OK, 2, "paid")),
        of("wished", Event.INVOKE, 3, "returned", Op.RETURN),
    ]
    refused = [of("refused", Event.INVOKE, 2, "paid"), of("refused", Event.REFUSED, 0, "paid")]
    never_made = [
        of("never", Event.INVOKE, 2, "paid"),
        of("never", Event.UNCLEAR, 2, "paid"),
        replace(of("never", Event.SETTLED, 0, "paid"), order=None),
    ]
    by_another_way = [a_line(Event.INVOKE), a_line(Event.OK, order=an_order())]
    write(tmp_path, "r", [*kept, *undone, *wished, *refused, *never_made, *by_another_way])
    write(tmp_path, "s", [of("other", Event.INVOKE, 2, "paid")], torn=b'{"at_us": 1')
    assert read_purchases(tmp_path) == (
        PurchaseFact("kept", 7, "paid"),
        PurchaseFact("undone", 7, "cancelled"),
        PurchaseFact("wished", 7, None),
    )
