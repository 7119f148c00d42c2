"""The corruption hunt: what is planted can be taken out again, and each round is counted for what it was."""

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pymysql
import pytest
from confluent_kafka import KafkaError, TopicPartition

from benchmarks import corruption
from benchmarks.corruption import all_kinds, kinds_lake, kinds_ledger, kinds_mariadb, kinds_postgres
from benchmarks.corruption import hunt as hunting
from benchmarks.corruption import stores as stores_of_a_stack
from benchmarks.corruption.hunt import Found, Journal, counts, deck, hunt, judged
from benchmarks.corruption.kind import AlreadySo, Kind, Looking, NothingToPlantOn, Planted, Step
from benchmarks.corruption.rows import EVENTS, ORDERS, lake_table
from benchmarks.corruption.stores import Stores
from lakeproof.errors import CouldNotLook, NotReady
from lakeproof.lake.job.sql_files import load_sql_files
from lakeproof.proof.findings import Finding, Wrong
from lakeproof.proof.outcome import Outcome
from lakeproof.proof.report import CheckReport, ClaimReport, TableReport
from lakeproof.proof.tables.buckets import digests_of
from lakeproof.proof.tables.canonical import TABLES as COMPARED
from lakeproof.proof.tables.canonical import microseconds
from lakeproof.proof.tables.ranges import OF_NULL
from lakeproof.stack import postgres_session
from lakeproof.stack.components import all_components
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.ledger import Expectation, Expectations, State, read_ledgers
from lakeproof_shop.proof.comparing import Shown, compare
from lakeproof_shop.proof.contents import contents_of

SCHEMA = """
ATTACH ':memory:' AS oltp;
CREATE TABLE oltp.orders (id INTEGER PRIMARY KEY, client_key TEXT UNIQUE, customer_id INTEGER, status TEXT,
 total TEXT, item_count INTEGER, version INTEGER, created_at TEXT, updated_at TEXT);
CREATE TABLE oltp.order_items (id INTEGER PRIMARY KEY, order_id INTEGER, line INTEGER, sku TEXT, quantity INTEGER,
 unit_price TEXT);
CREATE TABLE oltp.order_events (id INTEGER PRIMARY KEY, order_id INTEGER, version INTEGER, type TEXT, at TEXT,
 UNIQUE (order_id, version));
"""
# The lake's copy: without what only the database refuses.
LAKE = """
ATTACH ':memory:' AS lake;
CREATE TABLE lake.orders (id INTEGER PRIMARY KEY, client_key, customer_id, status, total, item_count, version,
 created_at, updated_at);
CREATE TABLE lake.order_items (id INTEGER PRIMARY KEY, order_id, line, sku, quantity, unit_price);
CREATE TABLE lake.order_events (id, order_id, version, type, at);
INSERT INTO lake.orders SELECT * FROM oltp.orders;
INSERT INTO lake.order_items SELECT * FROM oltp.order_items;
INSERT INTO lake.order_events SELECT * FROM oltp.order_events;
"""
CAST = re.compile(r"CAST\(('(?:[^']|'')*'|-?\d+|NULL) AS [A-Z]+(?:\([\d, ]+\))?\)")
OVERWRITE = re.compile(r"INSERT OVERWRITE (\S+) SELECT \* FROM \S+ WHERE (`\w+`) NOT IN (.*)")
AT = "2026-11-24 10:00:00.000001"
TABLES = ("orders", "order_items", "order_events")


class Shop:
    """The shop's database and its lake, in SQLite, with six orders; a ledger in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connection = sqlite3.connect(":memory:")
        self.connection.row_factory = sqlite3.Row
        self.connection.create_function("MOD", 2, lambda value, by: value % by)
        self.connection.executescript(SCHEMA)
        for number in range(1, 7):
            status = "paid" if number % 2 else "created"
            order = (number, f"key-{number}", number * 10, status, "12.50", 2, 2, AT, AT)
            self.connection.execute("INSERT INTO oltp.orders VALUES (?,?,?,?,?,?,?,?,?)", order)
            for line in (1, 2):
                item = (number * 10 + line, number, line, f"sku-{line}", 1, "6.24" if line == 1 else "6.26")
                self.connection.execute("INSERT INTO oltp.order_items VALUES (?,?,?,?,?,?)", item)
                event = (number * 10 + line, number, line, ("created", "paid")[line - 1], AT)
                self.connection.execute("INSERT INTO oltp.order_events VALUES (?,?,?,?,?)", event)
        self.connection.executescript(LAKE)

    def mariadb(self, sql: str) -> list[dict[str, Any]]:
        rows = [dict(row) for row in self.connection.execute(sql)]
        for row in rows:
            for name in row.keys() & {"created_at", "updated_at", "at"}:
                row[name] = datetime.fromisoformat(row[name])
            for name in row.keys() & {"total", "unit_price"}:
                row[name] = Decimal(row[name])
        return rows

    def has(self, component: str) -> bool:
        return False

    def files(self, of: str) -> list[str]:
        return sorted(str(path) for path in self.folder.glob("*.jsonl"))

    def read(self, store: str, place: str) -> bytes:
        return Path(place).read_bytes()

    def do(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if step.store in ("mariadb", "mariadb-only"):
                assert self.connection.execute(step.text.replace("\\\\", "\\")).rowcount == 1, step.text
            elif step.store == "lake":
                self._in_lake(step.text)
            elif step.text:
                Path(step.place).write_bytes(bytes.fromhex(step.text))
            else:
                Path(step.place).unlink()

    def _in_lake(self, sql: str) -> None:
        """Flink's SQL as SQLite's: a table with a key is upserted, one without is written anew by what stays."""
        plain = CAST.sub(r"\1", sql).replace("lake_store.oltp.", "lake.")
        if found := OVERWRITE.fullmatch(plain):
            plain = f"DELETE FROM {found[1]} WHERE {found[2]} IN {found[3]} OR {found[2]} IS NULL"
        self.connection.execute(plain.replace("INSERT INTO", "INSERT OR REPLACE INTO"))

    def rows(self, of: str = "oltp") -> dict[str, list[tuple[Any, ...]]]:
        """All of it; numbers written as 12.5 and 12.50 are the same."""
        return {
            table: sorted(
                (
                    tuple(
                        Decimal(str(value)) if column in ("total", "unit_price") and value is not None else value
                        for column, value in row.items()
                    )
                    for row in (dict(each) for each in self.connection.execute(f"SELECT * FROM {of}.{table}"))
                ),
                key=str,
            )
            for table in TABLES
        }

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"no kind of the path reads {name}")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A shop with a ledger of one run: six orders, created and changed."""
    order = {"client_key": "", "customer_id": 1, "status": "created", "total": "12.50", "item_count": 1, "version": 1}
    order |= {"created_at": f"{AT[:10]}T{AT[11:]}Z", "updated_at": f"{AT[:10]}T{AT[11:]}Z", "items": []}
    lines = []
    for number in range(1, 7):
        known = order | {"id": number, "client_key": f"key-{number}"}
        told = {"at_us": number, "run": "r", "key": f"key-{number}", "op": "create", "attempt": 1, "version": 1}
        lines.append(told | {"event": "invoke", "order": known | {"id": None}, "reason": ""})
        lines.append(told | {"event": "ok", "order": known, "reason": ""})
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Shop(tmp_path)


@pytest.mark.parametrize("kind", [*kinds_mariadb.kinds()], ids=lambda kind: kind.name)
def test_what_is_planted_in_mariadb_is_another_state_and_is_taken_out_whole(kind: Kind, shop: Shop) -> None:
    for seed in range(3):
        before = shop.rows()
        planted = kind.plant(shop, Random(seed))
        shop.do(planted.do)
        assert shop.rows() != before
        shop.do(planted.undo)
        assert shop.rows() == before
        assert planted.keys


WIDTH = 16
BUCKETS_ALONG = {"orders": 0, "order_items": 1, "order_events": 1}


def canonical(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """As an engine gives them: money at scale 2, times in microseconds."""

    def value(one: Any) -> Any:
        if isinstance(one, Decimal):
            return f"{one:.2f}"
        return microseconds(one) if isinstance(one, str) and re.match(r"\d{4}-\d\d-\d\d ", one) else one

    return {table: [tuple(value(one) for one in row) for row in some] for table, some in rows.items()}


def known_to_the_ledger(shop: Shop) -> Expectations:
    """Every order as it is now, at its newest version, and before that as it was made."""
    found: dict[str, Expectation] = {}
    contents = contents_of(canonical(shop.rows()))
    for order in contents.orders:
        whole = replace(order, items=tuple(contents.items[order.id or 0]))
        states = [State(version, replace(whole, version=version), version) for version in range(1, order.version + 1)]
        found[order.client_key] = Expectation(order.client_key, states)
    return Expectations(found, 12, 0, 0, ("r",))


def bucket_of(id_: int | None) -> int:
    """Of an order's id."""
    return OF_NULL if id_ is None else id_ // WIDTH


def look_at(expectations: Expectations, engines: Mapping[str, dict[str, list[tuple[Any, ...]]]]) -> CheckReport:
    """What a check of these engines' rows gives; the claims across tables are left to the engines."""

    def opened(engine: str, buckets: set[int]) -> dict[str, list[tuple[Any, ...]]]:
        return {
            table: [row for row in rows if bucket_of(row[BUCKETS_ALONG[table]]) in buckets]
            for table, rows in engines[engine].items()
        }

    shown = {
        engine: Shown(99, {table.name: digests_of(table, rows[table.name], WIDTH) for table in COMPARED}, ())
        for engine, rows in engines.items()
    }
    tables, across, unknown = compare(expectations, shown, WIDTH, opened)
    return CheckReport(datetime.now(UTC), None, 12, 6, 0, 0, tuple(tables), tuple(across), unknown=tuple(unknown))


@pytest.mark.parametrize("kind", [*kinds_mariadb.kinds()], ids=lambda kind: kind.name)
def test_what_is_planted_in_mariadb_is_found_with_its_key(kind: Kind, shop: Shop) -> None:
    healthy, expectations = canonical(shop.rows()), known_to_the_ledger(shop)
    assert look_at(expectations, {"mysql": healthy, "trino": healthy}).outcome is Outcome.PASSED
    for seed in range(3):
        planted = kind.plant(shop, Random(seed))
        shop.do(planted.do)
        now = canonical(shop.rows())
        shop.do(planted.undo)
        # The lake takes new events only, and nothing that went past the binlog.
        ids = {row[0] for row in healthy["order_events"]}
        came = [row for row in now["order_events"] if row[0] not in ids]
        lake = healthy if "store only" in kind.name else now | {"order_events": [*healthy["order_events"], *came]}
        assert judged(look_at(expectations, {"mysql": now, "trino": lake}), planted.keys)[0] is Found.WITH_KEY


IN_ROWS = [kind for kind in kinds_lake.kinds() if "data file" not in kind.name]


@pytest.mark.parametrize("kind", IN_ROWS, ids=lambda kind: kind.name)
def test_what_is_planted_in_the_lake_alone_is_found_with_its_key_and_taken_out_whole(kind: Kind, shop: Shop) -> None:
    healthy, lake, expectations = canonical(shop.rows()), shop.rows("lake"), known_to_the_ledger(shop)
    assert canonical(lake) == healthy
    for seed in range(3):
        planted = kind.plant(shop, Random(seed))
        shop.do(planted.do)
        report = look_at(expectations, {"mysql": healthy, "trino": canonical(shop.rows("lake"))})
        assert judged(report, planted.keys)[0] is Found.WITH_KEY
        assert not any(table.findings for table in report.tables if table.engine == "mysql")
        shop.do(planted.undo)
        assert (shop.rows("lake"), canonical(shop.rows())) == (lake, healthy)


@pytest.mark.parametrize("kind", [*kinds_ledger.kinds()], ids=lambda kind: kind.name)
def test_what_is_planted_in_the_ledger_is_taken_out_to_the_byte(kind: Kind, shop: Shop) -> None:
    path = shop.folder / "r.jsonl"
    before = path.read_bytes()
    planted = kind.plant(shop, Random(1))
    shop.do(planted.do)
    assert not path.exists() or path.read_bytes() != before
    shop.do(planted.undo)
    assert path.read_bytes() == before
    assert len(read_ledgers(shop.folder).by_key) == 6


def test_every_kind_has_a_name_of_its_own_and_needs_components_that_exist() -> None:
    kinds = corruption.all_kinds()
    assert len({kind.name for kind in kinds}) == len(kinds) >= 60
    assert {need for kind in kinds for need in kind.needs} <= set(all_components())


def test_tables_of_the_lake_are_as_their_jobs_make_them() -> None:
    assert (EVENTS.has_key, ORDERS.has_key) == (False, True)
    assert ORDERS.columns["total"] == "DECIMAL(12, 2)"
    assert list(lake_table("shop", "case_messages").columns) == ["id", "case_id", "author", "body", "at"]
    row = dict.fromkeys(ORDERS.columns, None) | {"id": -1, "client_key": "it's"}
    assert "VALUES (CAST(-1 AS BIGINT), CAST('it''s' AS STRING), CAST(NULL AS BIGINT)" in ORDERS.insert([row]).text


def report(*findings: Finding, across: Sequence[ClaimReport] = (), unknown: Sequence[str] = ()) -> CheckReport:
    """Of a check that found that."""
    table = TableReport("orders", "trino", 1, tuple(findings))
    return CheckReport(datetime.now(UTC), None, 1, 1, 0, 0, (table,), tuple(across), unknown=tuple(unknown))


def phantom(key: str) -> Finding:
    """One finding."""
    return Finding("orders", Wrong.PHANTOM, key, "")


def test_a_round_is_found_by_its_key_only_where_that_is_named_as_a_whole() -> None:
    assert judged(report(phantom("k1 line 2")), ["k1"])[0] is Found.WITH_KEY
    assert judged(report(phantom("k10")), ["k1"])[0] is Found.WITHOUT_KEY
    assert judged(report(across=[ClaimReport("claim", ("payment 7: wrong",))]), ["payment 7"])[0] is Found.WITH_KEY
    assert judged(report(unknown=["trino: no answer"]), ["k1"])[0] is Found.UNKNOWN
    assert judged(report(), ["k1"])[0] is Found.MISSED


def test_the_same_seed_draws_the_same_kinds_and_each_once_before_any_comes_again() -> None:
    kinds = [Kind(str(number), lambda look, rng: Planted("", (), (), ())) for number in range(10)]
    drawn = [kind.name for kind in deck(kinds, 7, 25)]
    assert drawn == [kind.name for kind in deck(kinds, 7, 25)]
    assert (len(set(drawn[:10])), len(set(drawn[10:20])), len(drawn)) == (10, 10, 25)


class Lamp:
    """A stack of one lamp that is either healthy or not."""

    def __init__(self) -> None:
        self.state, self.done = "well", list[str]()
        self.why: str | None = None

    def frozen(self) -> str | None:
        return self.why

    def release(self) -> None:
        self.why = None
        self.done.append("released")

    def do(self, steps: Sequence[Step], *, may_be_done: bool = False) -> None:
        for step in steps:
            self.state = step.text
            self.done.append(step.text)

    def check(self) -> CheckReport:
        return report(phantom("lamp")) if self.state == "broken" else report()

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def lamp_kind(name: str, planted: str, back: str = "well") -> Kind:
    """One that leaves the lamp in those states."""

    def plant(look: Looking, rng: Random) -> Planted:
        return Planted(name, ("lamp",), (Step("lamp", planted),), (Step("lamp", back),))

    return Kind(name, plant)


def played(tmp_path: Path, lamp: Lamp, kind: Kind, rounds: int) -> Journal:
    """A hunt of that one kind."""
    journal = Journal(tmp_path / "j.jsonl")
    hunt(lamp, lamp.check, [kind], journal, 1, rounds, lambda text: None)
    return journal


def test_what_the_check_passes_is_missed_and_what_stays_is_a_false_alarm_and_the_end(tmp_path: Path) -> None:
    missed = played(tmp_path / "a", Lamp(), lamp_kind("unseen", "odd"), 2)
    assert {name: count for name, count in counts(missed.rounds).items() if count} == {"missed": 2}
    stays = played(tmp_path / "b", Lamp(), lamp_kind("stays", "broken", back="broken"), 5)
    assert {name: count for name, count in counts(stays.rounds).items() if count} == {"found": 1, "false alarms": 1}


def test_a_killed_hunt_is_taken_up_where_it_ended_and_what_it_left_is_taken_out(tmp_path: Path) -> None:
    lamp = Lamp()
    kind = lamp_kind("broken", "broken")
    played(tmp_path, lamp, kind, 1)
    Journal(tmp_path / "j.jsonl").planting(kind.plant(lamp, Random(1)))  # killed just after it planted
    lamp.state = "broken"
    with (tmp_path / "j.jsonl").open("a") as file:
        file.write('{"round": {"num')  # and in the middle of a line
    lamp.done.clear()
    journal = played(tmp_path, lamp, kind, 3)
    assert lamp.done == ["well", "broken", "well", "broken", "well"]
    assert [one.number for one in journal.rounds] == [1, 2, 3]
    assert [one.number for one in Journal(tmp_path / "j.jsonl").rounds] == [1, 2, 3]


def test_a_hunt_that_was_killed_before_it_planted_or_after_it_took_out_is_taken_up(tmp_path: Path) -> None:
    class StrictLamp(Lamp):
        def do(self, steps: Sequence[Step], *, may_be_done: bool = False) -> None:
            if steps[0].text == self.state and not may_be_done:
                raise AlreadySo
            super().do(steps)

    lamp, kind = StrictLamp(), lamp_kind("broken", "broken")
    Journal(tmp_path / "j.jsonl").planting(kind.plant(lamp, Random(1)))
    assert [one.clean_again for one in played(tmp_path, lamp, kind, 2).rounds] == [True, True]


class Rows:
    """A cursor of MariaDB whose rows are already as every statement would make them."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def execute(self, sql: str) -> int:
        self.said.append(sql)
        if sql.startswith("INSERT"):
            raise pymysql.IntegrityError(1062, "Duplicate entry")
        return 0


@pytest.mark.parametrize("sql", ["UPDATE t SET a = 1 WHERE id = 1", "INSERT INTO t VALUES (1)"])
def test_what_a_killed_hunt_had_taken_out_of_one_store_is_left_and_the_next_store_follows(
    sql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, ring = Rows(), list[str]()
    monkeypatch.setattr(Stores, "_mariadb", lambda self: nullcontext(rows))
    monkeypatch.setattr(Stores, "_in_cassandra", lambda self, statements: ring.extend(statements))
    stores, steps = object.__new__(Stores), [Step("mariadb", sql), Step("cassandra", "INSERT")]
    with pytest.raises(AlreadySo):
        stores.do(steps)
    assert ring == []
    stores.do(steps, may_be_done=True)
    assert ring == ["INSERT"] and "COMMIT" not in rows.said


class Emptied:
    """A session of PostgreSQL, and its cursor: no statement meets a row."""

    description, rowcount = None, 0
    adapters = SimpleNamespace(register_loader=lambda *_: None)

    def cursor(self, **_: object) -> AbstractContextManager["Emptied"]:
        return nullcontext(self)

    def transaction(self) -> AbstractContextManager[None]:
        return nullcontext()

    def execute(self, statement: str | bytes) -> None: ...


def test_a_row_of_postgresql_that_is_gone_by_now_is_not_called_corrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_session, "connection", lambda *_: nullcontext(Emptied()))
    stores = object.__new__(Stores)
    stores._stack = Stack(Settings(name="none"))
    with pytest.raises(AlreadySo, match="changed 0 rows, not one: UPDATE"):
        stores.do([Step("postgres", "UPDATE t SET a = 1 WHERE id = 1")])


class Partition:
    """A consumer of a partition that has `high` records and gives these events."""

    def __init__(self, high: int, *events: SimpleNamespace) -> None:
        self.high, self.events = high, list(events)

    def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> tuple[int, int]:
        return 0, self.high

    def assign(self, places: list[TopicPartition]) -> None: ...

    def consume(self, most: int, timeout: float) -> list[SimpleNamespace]:
        return [self.events.pop(0)] if self.events else []


def event(offset: int, error: KafkaError | None = None) -> SimpleNamespace:
    """A record with that offset, or an event of Kafka's that tells of an error."""
    values = {"key": b"k", "value": b"v", "offset": offset, "error": error}
    return SimpleNamespace(**{name: lambda value=value: value for name, value in values.items()})


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([event(0)], "the records from 1 to 2 did not come"),
        ([event(0), event(0, KafkaError(KafkaError._ALL_BROKERS_DOWN))], "not read: "),
    ],
    ids=["kafka is gone", "an error among the records"],
)
def test_records_that_do_not_come_end_the_look_and_an_error_is_no_record(
    events: list[SimpleNamespace], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = Partition(2, *events)
    monkeypatch.setattr(Stores, "_consumer", lambda self: nullcontext(partition))
    monkeypatch.setattr(stores_of_a_stack, "SECONDS", 0.05)
    with pytest.raises(CouldNotLook, match=f"payment/0: {told}"):
        object.__new__(Stores).records("payment/0")


@pytest.mark.parametrize(
    "answers", [[None, KafkaError(KafkaError._MSG_TIMED_OUT)], [None]], ids=["one is refused", "one is not answered"]
)
def test_events_that_kafka_does_not_take_back_are_not_called_taken_out(
    answers: list[KafkaError | None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Producer:
        def __init__(self, config: dict[str, str]) -> None:
            self.told: list[Any] = []

        def produce(self, *record: object, on_delivery: Any = None) -> None:
            self.told.append(on_delivery or (lambda *_: None))

        def flush(self, seconds: float) -> int:
            for tell, error in zip(self.told, answers, strict=False):
                tell(error, None)
            return len(self.told) - len(answers)

    monkeypatch.setattr(stores_of_a_stack, "Producer", Producer)
    monkeypatch.setattr(Stores, "_kafka", "")
    monkeypatch.setattr(Stores, "frozen", lambda self: None)
    journal, events = Journal(tmp_path / "j.jsonl"), json.dumps([["aa", "bb"], ["cc", "dd"]])
    kind = Kind("gone", lambda look, rng: Planted("", (), (), (Step("topic", events, "payment/0"),)))
    with pytest.raises(NotReady, match="payment/0: 1 of 2 events were not taken"):
        hunt(object.__new__(Stores), report, [kind], journal, 1, 1, lambda text: None)
    assert Journal(tmp_path / "j.jsonl").left == (Step("topic", events, "payment/0"),)


def test_what_an_interrupted_hunt_took_out_is_not_taken_out_a_second_time(tmp_path: Path) -> None:
    lamp = Lamp()

    def check() -> CheckReport:
        raise KeyboardInterrupt

    journal = Journal(tmp_path / "j.jsonl")
    assert not journal.begun
    with pytest.raises(KeyboardInterrupt):
        hunt(lamp, check, [lamp_kind("broken", "broken")], journal, 1, 1, lambda text: None)
    assert lamp.done == ["broken", "well"]
    again = Journal(tmp_path / "j.jsonl")
    assert (again.left, again.rounds, again.begun) == ((), [], True)


def test_a_kind_that_finds_nothing_to_plant_on_is_said_and_changes_nothing(tmp_path: Path) -> None:
    def plant(look: Looking, rng: Random) -> Planted:
        raise NothingToPlantOn("no lamp")

    lamp = Lamp()
    journal = Journal(tmp_path / "j.jsonl")
    empty = hunting.hunt(lamp, lamp.check, [Kind("dark", plant)], journal, 1, 1, lambda text: None)
    assert (empty, lamp.done) == (["dark: no lamp"], [])


class AuditedLamp(Lamp):
    """The publisher's audit freezes `main` at the given checks. A check of a frozen `main` cannot judge."""

    def __init__(self, *freezes_at: int) -> None:
        super().__init__()
        self.freezes_at, self.checks = freezes_at, 0

    def check(self) -> CheckReport:
        self.checks += 1
        if self.checks in self.freezes_at:
            self.why = "order 7: no items"
        if self.why is not None:
            return report(unknown=["no published hash covers now"])
        return super().check()


@pytest.mark.parametrize("freezes_at", [1, 2], ids=["while the damage is in", "by an audit that ended after it"])
def test_a_main_that_the_audit_froze_is_released_and_looked_at_again(tmp_path: Path, freezes_at: int) -> None:
    lamp = AuditedLamp(freezes_at)
    journal = played(tmp_path, lamp, lamp_kind("broken", "broken"), 2)
    assert {name: count for name, count in counts(journal.rounds).items() if count} == {
        "found": 2,
        "frozen by the audit": 1,
    }
    assert journal.rounds[0].frozen == "order 7: no items"
    assert lamp.done.count("released") == 1
    assert Journal(tmp_path / "j.jsonl").rounds == journal.rounds


def test_a_main_that_was_frozen_after_the_damage_was_found_is_released_once_it_is_out(tmp_path: Path) -> None:
    lamp = AuditedLamp()

    def check() -> CheckReport:
        seen = lamp.check()
        if lamp.state == "broken":
            lamp.why = "order 7: no items"
        return seen

    journal = Journal(tmp_path / "j.jsonl")
    hunt(lamp, check, [lamp_kind("broken", "broken")], journal, 1, 2, lambda text: None)
    assert lamp.done == ["broken", "well", "released"] * 2
    assert [one.clean_again for one in journal.rounds] == [True, True]


def test_what_a_killed_hunt_left_frozen_is_released_once_its_damage_is_out(tmp_path: Path) -> None:
    lamp = Lamp()
    lamp.state, lamp.why = "broken", "order 7: no items"
    Journal(tmp_path / "j.jsonl").planting(lamp_kind("broken", "broken").plant(lamp, Random(1)))
    played(tmp_path, lamp, lamp_kind("broken", "broken"), 1)
    assert lamp.done[:2] == ["well", "released"]


def test_a_row_of_postgres_is_planted_into_the_lake_in_the_lakes_own_types() -> None:
    columns = lake_table("shop", "payments").columns
    row: dict[str, Any] = dict.fromkeys(columns, None)
    row |= {"id": UUID(int=7), "amount": Decimal("1.00"), "updated_at": datetime(2026, 1, 1, tzinfo=UTC)}

    class OnePayment:
        def postgres(self, sql: str) -> list[dict[str, Any]]:
            return [row]

    plants = {kind.name.partition(": ")[2]: kind.plant for kind in kinds_postgres.kinds() if "lake" in kind.name}
    look = cast(Looking, OnePayment())
    cent, gone = plants["payments.amount by a cent"](look, Random(1)), plants["payment gone"](look, Random(1))
    assert "CAST('1.01' AS" in cent.do[0].text and "CAST('1.00' AS" in cent.undo[0].text
    assert gone.do[0].text.startswith("DELETE") and gone.undo == cent.undo
    assert "+00:00" not in cent.undo[0].text and f"'{UUID(int=7)}'" in cent.undo[0].text
    # Where a row has no value, it gets one.
    code = plants["payments.decline_code by a trailing blank"](look, Random(1))
    assert "CAST('x' AS STRING)" in code.do[0].text and code.undo == cent.undo


def test_every_column_of_the_lake_but_its_keys_is_changed_by_some_kind() -> None:
    names = {kind.name for kind in all_kinds()}
    for database, prefix in (("oltp", "lake: "), ("shop", "lake of postgres: ")):
        for file in load_sql_files(database):
            # The heartbeat is no data of the shop's; what is kept in the projection has kinds of its own.
            if file.table in ("cdc_heartbeat", "orders_by_customer"):
                continue
            table = lake_table(database, file.table)
            keys = {"customer_id" if file.table == "preferences" else "id"} if table.has_key else set[str]()
            begin = f"{prefix}{file.table}."
            changed = {name.removeprefix(begin).split()[0] for name in names if name.startswith(begin)}
            # "event with another id, type and time"
            changed |= {"id"} if file.table == "order_events" else set()
            assert set(table.columns) - keys == changed - keys


@pytest.mark.parametrize("empty", [True, False], ids=["NULL", "a value"])
def test_each_column_of_postgresqls_tables_in_the_lake_becomes_another_value(empty: bool) -> None:
    made: dict[str, object] = {
        "BIGINT": 5,
        "INT": 5,
        "STRING": "a",
        "DECIMAL": Decimal("1.00"),
        "TIMESTAMP": datetime(2026, 1, 1, tzinfo=UTC),
        "BOOLEAN": True,
    }
    for name, plant in kinds_postgres._of_columns().items():
        table_name, _, column = name.split()[0].partition(".")
        table = lake_table("shop", table_name)
        row = {each: made[kind.partition("(")[0]] for each, kind in table.columns.items()}
        if empty and column in ("id", "customer_id"):
            continue
        row[column] = None if empty else row[column]

        class OneRow:
            def postgres(self, sql: str, row: Any = row) -> list[dict[str, Any]]:
                return [row]

        planted = plant(cast(Looking, OneRow()), Random(1))
        inserts = [next(step.text for step in steps if "VALUES" in step.text) for steps in (planted.do, planted.undo)]
        assert inserts[0] != inserts[1], name
        assert len(planted.do) == (1 if table.has_key else 2)


class HalfPlanted(Lamp):
    """Planting breaks off before anything is done; taking out then finds the lamp as it was."""

    def do(self, steps: Sequence[Step], *, may_be_done: bool = False) -> None:
        if steps[0].text == "broken":
            raise KeyboardInterrupt
        if not may_be_done:
            raise AlreadySo("the lamp is well")


def test_ctrl_c_amid_the_planting_ends_the_hunt_as_such(tmp_path: Path) -> None:
    lamp = HalfPlanted()
    journal = Journal(tmp_path / "j.jsonl")
    with pytest.raises(KeyboardInterrupt):
        hunt(lamp, lamp.check, [lamp_kind("broken", "broken")], journal, 1, 1, lambda text: None)
    assert Journal(tmp_path / "j.jsonl").left == ()
