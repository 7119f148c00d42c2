"""A column that nobody announced, by the script: added once, dropped once, never one of the table's own."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymysql
import pytest

from lakeproof.checks.check import CheckContext
from lakeproof.checks.verdict import Outcome
from lakeproof.deadline import Deadline
from lakeproof.errors import TerminalError
from lakeproof.lake.capture.columns import Difference, look
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.query.answer import Answer
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP, SHOP, SOURCES
from lakeproof.mitigations.columns import definition, keys_with
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.engines.mysql import connect
from lakeproof.stack.engines.postgres_config import ROOT_SECRET, ROOT_USER
from lakeproof.stack.postgres_session import select
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.marked_values import marked
from lakeproof_shop.scenarios.schema_drift import another_name, faults, repairs
from lakeproof_shop.scenarios.schema_drift.another_name import Likeness, likeness
from lakeproof_shop.scenarios.schema_drift.checks import ValuesKept
from lakeproof_shop.scenarios.schema_drift.faults import DriftedSchema, drift
from lakeproof_shop.scenarios.schema_drift.repairs import DropUnexpectedColumn

pytestmark = [pytest.mark.engines, pytest.mark.proof]

SCRIPT = Path(__file__).parents[2] / "scripts" / "chaos" / "simulate_schema_drift.py"


def run(*arguments: str, **environment: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {}, done.stderr


def test_it_is_added_and_dropped_and_safe_to_repeat(stack: Stack, up: Callable[..., SupervisorClient]) -> None:
    up("mysql")
    before = run("--revert")[1]["columns"]
    for _ in range(2):
        code, told, _ = run("--table", "orders", "--column", "gift_note")
        assert (code, told["present"], told["columns"]) == (0, True, [*before, "gift_note"])
    for _ in range(2):
        code, told, _ = run("--table", "orders", "--column", "gift_note", "--revert")
        assert (code, told["present"], told["columns"]) == (0, False, before)


def test_it_works_on_somebody_elses_database_by_an_administrator_of_theirs(
    stack: Stack, up: Callable[..., SupervisorClient], tmp_path: Path
) -> None:
    """Nothing is given but the database's address and one account, which is not called root."""
    up("mysql")
    with connect(stack, "root", "mysql-root", 10.0) as connection, connection.cursor() as cursor:
        cursor.execute("GRANT ALL ON oltp.* TO 'their_admin'@'%' IDENTIFIED BY 'their-password'")
    theirs = {
        "LAKEPROOF_MODE": "external",
        "LAKEPROOF_STATE_DIR": str(tmp_path),
        "LAKEPROOF_ENDPOINTS": json.dumps({"mysql": {"tcp": stack.address("mysql", "tcp")}}),
        "LAKEPROOF_SECRETS": json.dumps({"mysql-root": "their-password"}),
        "LAKEPROOF_ACCOUNTS": json.dumps({"mysql-root": "their_admin"}),
    }
    words = ("--table", "oltp.orders", "--column", "unexpected_field")
    code, told, said = run(*words, **theirs)
    assert (code, told.get("ok"), told.get("present")) == (0, True, True), said
    code, told, said = run(*words, "--revert", **theirs)
    assert (code, told.get("present")) == (0, False), said


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--column", "status", "--revert"), 2, "status is a column of its own"),
        (("--table", "nothing"), 2, "no such table"),
        (("--column", "a;b"), 2, "no plain name"),
    ],
)
def test_what_it_may_not_do_is_refused(
    stack: Stack, up: Callable[..., SupervisorClient], arguments: tuple[str, ...], code: int, words: str
) -> None:
    up("mysql")
    ended, _, said = run(*arguments)
    assert (ended, words in said) == (code, True), said


@pytest.mark.parametrize(("engine", "table"), [("mysql", "oltp.orders"), ("postgres", "payment.payments")])
def test_both_servers_tell_their_columns_and_give_an_unannounced_one_up(
    stack: Stack, up: Callable[..., SupervisorClient], engine: str, table: str
) -> None:
    """The shop's own tables differ in nothing from the job's SQL; a column without a value is named and dropped."""
    up(engine)
    source = next(each for each in SOURCES if each.engine == engine)
    found = look(stack, source)
    assert (found.unexpected, found.unreadable) == ((), ())
    if engine == "mysql":
        drift(stack, "orders", "gift_note")
    else:
        add = f"ALTER TABLE {table} ADD COLUMN gift_note text"
        select(stack, ROOT_USER, ROOT_SECRET, add, database=source.name)
    assert [str(each) for each in look(stack, source).unexpected] == [f"{table}.gift_note"]
    arguments = DropUnexpectedColumn(database=source.name)
    assert f"ALTER TABLE {table} DROP COLUMN gift_note" in arguments.typed(stack)
    assert arguments.run(stack) == f"dropped: {table}.gift_note"
    assert look(stack, source).unexpected == ()


def test_what_the_fault_wrote_into_its_column_is_kept_when_it_is_dropped_and_missed_when_it_is_not(
    stack: Stack, up: Callable[..., SupervisorClient]
) -> None:
    up("mysql")
    fault, wanted = DriftedSchema(column="gift_note"), ValuesKept(column="gift_note")
    ours = "FROM oltp.orders WHERE client_key LIKE 'drift-%' ORDER BY id"
    with mariadb.as_root(stack, 10.0) as cursor:
        cursor.execute(
            "INSERT INTO oltp.orders (client_key, customer_id, status, total, item_count, version, created_at,"
            " updated_at) SELECT CONCAT('drift-', seq), 1, 'created', 1, 1, 1, NOW(6), NOW(6) FROM oltp.seq_1_to_7"
        )
        cursor.execute(f"SELECT id, version, updated_at {ours}")
        orders = cursor.fetchall()
    try:
        before = wanted.baseline(CheckContext(stack, Deadline(5)))
        fault.inject(stack)
        fault.inject(stack)
        with mariadb.as_root(stack, 10.0) as cursor:
            cursor.execute(f"SELECT id, version, updated_at {ours}")
            assert cursor.fetchall() == orders
            cursor.execute("SELECT id, gift_note FROM oltp.orders WHERE gift_note IS NOT NULL ORDER BY id")
            values = dict(cursor.fetchall())
        assert values == {row[0]: f"gift_note-{row[0]}" for row in orders[2:]}
        assert wanted.verify(CheckContext(stack, Deadline(5)), before).outcome is Outcome.FAILED
        repairs.DropUnexpectedColumn().run(stack)
        verdict = wanted.verify(CheckContext(stack, Deadline(5)), before)
        assert (verdict.outcome, verdict.summary) == (Outcome.PASSED, "5 values are kept")
    finally:
        fault.remove(stack)
        with mariadb.as_root(stack, 10.0) as cursor:
            cursor.execute("DELETE FROM oltp.orders WHERE client_key LIKE 'drift-%'")
    assert marked(stack, "oltp.orders", "gift_note") is None


def lake(monkeypatch: pytest.MonkeyPatch, rows: list[list[Any]]) -> None:
    """What the lake has, as (key, value), now and at every later hash."""
    monkeypatch.setattr(another_name, "ask", lambda *_, **__: (None, Answer("trino", (), tuple(rows), 0.1)))
    monkeypatch.setattr(another_name, "publish_now", lambda *_: None)


def test_a_renamed_column_is_renamed_back_only_with_the_lakes_values(
    stack: Stack, up: Callable[..., SupervisorClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    up("mysql")
    with mariadb.as_root(stack, 10.0) as cursor:
        cursor.execute("DELETE FROM oltp.order_items")
        cursor.execute(
            "INSERT INTO oltp.order_items (order_id, line, sku, quantity, unit_price)"
            " VALUES (1, 1, 'Áo', 1, 1.00), (1, 2, 'b', 1, 1.00)"
        )
        cursor.execute("SELECT id FROM oltp.order_items ORDER BY id")
        ((first,), (second,)) = cursor.fetchall()
    faults.RenamedColumn().inject(stack)
    try:
        lake(monkeypatch, [[first, "Áo"], [second, "b"], [second + 1, "deleted"]])
        assert repairs.RenameColumnBack().typed(stack).startswith("ALTER TABLE oltp.order_items RENAME")
        assert repairs.RestoreColumn().typed(stack) == "nothing to restore"
        lake(monkeypatch, [[first, "Áo"], [second, "c"]])
        with pytest.raises(TerminalError, match=f"it is not so that sku_code is sku renamed: of 2 .*keys {second}"):
            repairs.RenameColumnBack().run(stack)
        assert "ADD COLUMN IF NOT EXISTS sku" in repairs.RestoreColumn().typed(stack)
    finally:
        faults.RenamedColumn().remove(stack)
        with mariadb.as_root(stack, 10.0) as cursor:
            cursor.execute("DELETE FROM oltp.order_items")
    assert look(stack, OLTP).renamed == ()


@pytest.mark.parametrize(
    ("source", "table", "there", "kind"),
    [
        (OLTP, "oltp.orders", "total", "DECIMAL(12, 2)"),
        (OLTP, "oltp.orders", "created_at", "TIMESTAMP(6)"),
        (SHOP, "payment.payments", "amount", "DECIMAL(12, 2)"),
        (SHOP, "payment.payments", "created_at", "TIMESTAMP(6)"),
    ],
    ids=lambda value: str(getattr(value, "name", value)),
)
def test_both_servers_take_the_question_for_the_rows_that_the_lake_has(
    stack: Stack,
    up: Callable[..., SupervisorClient],
    monkeypatch: pytest.MonkeyPatch,
    source: Any,
    table: str,
    there: str,
    kind: str,
) -> None:
    up(source.engine)
    lake(monkeypatch, [[-1, "1.00" if kind.startswith("DECIMAL") else "0"]])
    gone, new = Difference(table, f"was_{there}", None, kind), Difference(table, there, "", None)
    assert likeness(stack, source, gone, new) == Likeness(1, 0, (), 0)


def test_values_that_differ_in_case_or_in_a_trailing_blank_are_different_values(
    stack: Stack, up: Callable[..., SupervisorClient]
) -> None:
    """All of them are kept when their column is dropped."""
    up("mysql")
    with connect(stack, "root", "mysql-root", 10.0) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE TABLE oltp.notes (note varchar(20) COLLATE utf8mb4_bin)")
        cursor.executemany("INSERT INTO oltp.notes VALUES (%s)", [("VIP",), ("vip",), ("vip ",), ("vip",), ("Gói",)])
        connection.commit()
    values = mariadb.values_in(stack, find_connector(OLTP.connector), "oltp.notes", "note")
    assert sorted(values) == ["Gói", "VIP", "vip", "vip "]


def test_nobody_sees_a_column_that_is_not_filled_yet(
    stack: Stack, up: Callable[..., SupervisorClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shop goes on the moment that it finds the column: an order without its goods would be sold."""
    up("mysql")
    monkeypatch.setattr(mariadb, "FILLED_ROWS", 500)
    seen: set[tuple[int, int] | str] = set()
    over = threading.Event()

    def look_on() -> None:
        with connect(stack, "root", "mysql-root", 60.0) as connection, connection.cursor() as cursor:
            while not over.is_set():
                try:
                    cursor.execute("SELECT COUNT(*), COUNT(sku) FROM oltp.filled")
                    seen.update(cursor.fetchall())
                except pymysql.err.OperationalError as error:
                    seen.add(str(error.args[1]))

    with connect(stack, "root", "mysql-root", 60.0) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE TABLE oltp.filled (id BIGINT PRIMARY KEY)")
        cursor.execute("INSERT INTO oltp.filled SELECT seq FROM oltp.seq_1_to_10000")
        connection.commit()
        looking = threading.Thread(target=look_on, daemon=True)
        looking.start()
        Deadline(20).wait_for("somebody to look", lambda: seen or None)
        values = {number: f"sku-{number}" for number in range(1, 10_001)}
        mariadb.add_filled_column(stack, "oltp.filled", "sku", "VARCHAR(32) NOT NULL", values)
        Deadline(20).wait_for("the filled column to be read", lambda: (10_000, 10_000) in seen or None)
        over.set()
        looking.join(timeout=20)
        cursor.execute("DROP TABLE oltp.filled")
    assert {each for each in seen if not isinstance(each, str)} == {(10_000, 10_000)}
    assert all("sku" in each for each in seen if isinstance(each, str))


def test_a_column_comes_back_with_its_unique_key(stack: Stack, up: Callable[..., SupervisorClient]) -> None:
    up("mysql")
    with connect(stack, "root", "mysql-root", 60.0) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE oltp.orders DROP COLUMN client_key")
        keys = keys_with("oltp.orders", "client_key")
        mariadb.add_filled_column(
            stack, "oltp.orders", "client_key", definition("oltp.orders", "client_key"), {}, keys
        )
        cursor.execute("SHOW INDEX FROM oltp.orders WHERE Column_name = 'client_key' AND Non_unique = 0")
        assert len(cursor.fetchall()) == 1
