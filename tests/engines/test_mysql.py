"""The real MariaDB: what it acknowledged survives kill -9, and provision mends nothing."""

import contextlib
import os
import re
import signal
import threading
from pathlib import Path

import pymysql
import pytest
from tests.doubles.plugins import OURS
from tests.engines.conftest import Up
from tests.engines.health import await_health

from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady, TerminalError
from lakeproof.faults import records
from lakeproof.faults.fault import all_faults
from lakeproof.mitigations.mitigation import all_mitigations
from lakeproof.probes.probe import all_probes
from lakeproof.probes.reading import Value
from lakeproof.processes import detached
from lakeproof.processes.signalling import send
from lakeproof.provisioning.mysql import provision
from lakeproof.stack.engines import mysql
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.connection_saturation import repairs, wrong_fixes
from lakeproof_shop.scenarios.connection_saturation.checks import ConnectionsSpare

pytestmark = pytest.mark.engines


def ask(stack: Stack, sql: str, user: str = "root", secret: str = "mysql-root") -> tuple[tuple[object, ...], ...]:
    with mysql.connect(stack, user, secret, 10.0) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return tuple(cursor.fetchall())


def test_an_acknowledged_row_survives_kill_9(stack: Stack, up: Up) -> None:
    client = up("mysql")
    restarts = client.row("mysql").restarts
    at = "UTC_TIMESTAMP(6)"
    ask(stack, f"INSERT INTO oltp.order_operations VALUES ('survivor', 1, 1, REPEAT('x', 32), {at})")
    client.kill("mysql")
    await_health(client, "mysql", restarts=restarts)
    assert ask(stack, "SELECT order_id FROM oltp.order_operations WHERE operation_key = 'survivor'") == ((1,),)
    ask(stack, "DELETE FROM oltp.order_operations WHERE operation_key = 'survivor'")


def test_a_restart_mends_neither_a_lost_grant_nor_a_rotated_password(stack: Stack, up: Up) -> None:
    client = up("mysql")
    restarts = client.row("mysql").restarts
    ask(stack, "REVOKE BINLOG MONITOR ON *.* FROM 'exporter'@'%'")
    ask(stack, "ALTER USER 'reader'@'%' IDENTIFIED BY 'rotated'")
    try:
        client.kill("mysql")
        await_health(client, "mysql", restarts=restarts)
        assert "BINLOG MONITOR" not in str(ask(stack, "SHOW GRANTS FOR 'exporter'@'%'"))
        with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
            ask(stack, "SELECT 1", "reader", "mysql-reader")
    finally:
        ask(stack, "GRANT BINLOG MONITOR ON *.* TO 'exporter'@'%'")
        ask(stack, f"ALTER USER 'reader'@'%' IDENTIFIED BY '{stack.secret('mysql-reader')}'")


@pytest.mark.proof  # not yet green three times in a row
def test_a_leak_takes_every_session_is_seen_all_the_same_and_stays_out_once_its_account_is_limited(
    stack: Stack, up: Up
) -> None:
    up("mysql")
    fault, server = all_faults(OURS)["leaked_sessions"], "mysql-answers"
    spare, before = ConnectionsSpare(account="report"), Baseline(Verdict("", Outcome.PASSED, ""))

    def look(probe: str) -> Value:
        return all_probes(OURS)[probe].look(stack).value

    def exporter_comes_in() -> bool | None:
        with contextlib.suppress(pymysql.err.OperationalError):
            return bool(ask(stack, "SELECT 1", "exporter", "mysql-exporter"))
        return None

    def judged() -> Outcome:
        return spare.verify(CheckContext(stack, Deadline(30)), before).outcome

    assert "are idle ones of report, 200 are taken" in records.inject(stack, fault, {}, by="test").seen
    try:
        assert (look(server), look("mysql-connections")) == ("error 1040", 100.0)
        assert "report: " in str(look("mysql-accounts"))
        mysql.ready(stack, 5.0)
        Deadline(10).wait_for("the exporter's turn in the one place that is kept", exporter_comes_in)
        assert judged() is Outcome.FAILED
        assert wrong_fixes.RaiseMaxConnections().run(stack) == "max_connections was 200, is 400"
        Deadline(20).wait_for("the leak", lambda: look(server) == "error 1040" or None)
        assert "idle sessions of report" in repairs.EndIdleSessions().run(stack)
        wrong_fixes.RaiseMaxConnections().undo(stack)
        # Its client goes on trying.
        Deadline(2).pause(2)
        assert judged() is Outcome.PASSED
    finally:
        records.remove(stack, fault, {})
    assert look("mysql-connections") == 0.0


@pytest.mark.proof  # not yet green three times in a row
def test_a_starved_server_gets_its_share_of_the_processor_and_goes_on_once_the_limit_is_lifted(
    stack: Stack, up: Up
) -> None:
    client = up("mysql")
    fault, given = all_faults(OURS)["starved_process"], {"component": "mysql", "percent": 10.0}

    def busy() -> None:
        with contextlib.suppress(pymysql.MySQLError):
            ask(stack, "SET STATEMENT max_statement_time = 8 FOR SELECT BENCHMARK(1000000000, SHA1('x'))")

    def used(seconds: float) -> float:
        before = client.row("mysql").cpu_seconds
        Deadline(seconds).pause(seconds)
        return (client.row("mysql").cpu_seconds - before) / seconds

    working = threading.Thread(target=busy, daemon=True)
    working.start()
    try:
        record = records.inject(stack, fault, given, by="test")
        assert "of a core in 2 s" in record.seen
        assert 0.04 < used(4.0) < 0.25
        # Whoever kept the limit was killed with the server stopped.
        send(signal.SIGKILL, detached.find(stack, "cpu_limit mysql"))
        client.kill("mysql", "STOP")
    finally:
        records.remove(stack, fault, given)
    assert detached.find(stack, "cpu_limit mysql") == []
    mysql.ready(stack, 5.0)
    working.join(timeout=20)


def test_each_account_may_do_its_work_and_no_more(stack: Stack, up: Up) -> None:
    up("mysql")
    assert ask(stack, "SELECT id FROM oltp.cdc_heartbeat", "ticker", "mysql-ticker") == ((1,),)
    with pytest.raises(pymysql.err.OperationalError, match="denied"):
        ask(stack, "SELECT * FROM oltp.orders", "ticker", "mysql-ticker")
    with pytest.raises(pymysql.err.OperationalError, match="denied"):
        ask(stack, "DELETE FROM oltp.orders", "cdc", "mysql-cdc")
    with pytest.raises(pymysql.err.OperationalError, match="denied"):
        ask(stack, "UPDATE oltp.cdc_heartbeat SET beat_us = 0", "order_service", "mysql-order-service")


def test_a_replaced_secrets_file_is_said_in_plain_words(stack: Stack, up: Up) -> None:
    up("mysql")
    other = Stack(stack.settings.model_copy(update={"secrets": {"mysql-root": "another"}}))
    mysql.ready(other, 5.0)
    with pytest.raises(TerminalError, match=r"secrets\.json is not the one"):
        provision(other)


def test_a_stopped_server_is_not_ready_within_the_time(stack: Stack, up: Up) -> None:
    client = up("mysql")
    client.kill("mysql", "STOP")
    try:
        asked = Deadline(60)
        with pytest.raises(NotReady):
            mysql.ready(stack, 1.0)
        assert asked.elapsed < 10
    finally:
        client.kill("mysql", "CONT")
    mysql.ready(stack, 10.0)


def test_a_half_done_install_is_done_again(stack: Stack, open_folder: Path) -> None:
    fresh = Stack(stack.settings.model_copy(update={"state_dir": open_folder}))
    half = open_folder / "data/mysql/db.new"
    half.mkdir(parents=True)
    (half / "ibdata1").write_bytes(b"half")
    mysql.prepare(fresh)
    assert not half.exists()
    assert (open_folder / "data/mysql/db/mysql").is_dir()
    inode = (open_folder / "data/mysql/db").stat().st_ino
    mysql.prepare(fresh)
    assert (open_folder / "data/mysql/db").stat().st_ino == inode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another user")
def test_a_folder_that_the_server_may_not_pass_is_named(stack: Stack, open_folder: Path) -> None:
    closed = open_folder / "closed"
    (closed / "state").mkdir(parents=True)
    closed.chmod(0o700)
    with pytest.raises(TerminalError, match="closed: the user mysql may not pass"):
        mysql.prepare(Stack(stack.settings.model_copy(update={"state_dir": closed / "state"})))


def test_a_database_of_an_earlier_version_gets_what_it_lacks(stack: Stack, up: Up) -> None:
    up("mysql")
    ask(stack, "ALTER TABLE oltp.orders DROP CONSTRAINT status_is_known")
    old = "ALTER TABLE oltp.orders ADD CONSTRAINT status_is_known CHECK (status IN ('created', 'paid', 'cancelled'))"
    ask(stack, old)
    ask(stack, "ALTER TABLE oltp.checkouts DROP COLUMN asked_at")
    provision(stack)
    assert "'returned'" in str(ask(stack, "SHOW CREATE TABLE oltp.orders"))
    assert "asked_at" in str(ask(stack, "SHOW CREATE TABLE oltp.checkouts"))
    altered = "SELECT COUNT(*) FROM information_schema.check_constraints WHERE constraint_name = 'status_is_known'"
    provision(stack)  # and again, without a word
    assert ask(stack, altered) == ((1,),)


@pytest.mark.proof  # until it was green three times in a row
def test_the_statement_that_runs_for_the_longest_is_told(stack: Stack, up: Up) -> None:
    up("mysql")
    sleeper = threading.Thread(target=ask, args=(stack, "SELECT 'a name', SLEEP(6)"))
    sleeper.start()
    try:
        told = Deadline(5).wait_for(
            "the statement",
            lambda: seen if (seen := all_probes(OURS)["mysql-longest"].look(stack).value) != "nobody" else None,
        )
        assert re.fullmatch(r"root, session \\d+, for [1-6] s: SELECT", str(told)), told
    finally:
        sleeper.join()
    assert all_probes(OURS)["mysql-longest"].look(stack).value == "nobody"


@pytest.mark.proof  # until it was green three times in a row
def test_a_binlog_without_whole_rows_is_told_and_set_right_and_the_writers_sessions_end(stack: Stack, up: Up) -> None:
    """A session goes by what the setting was when it began, whatever it is by now."""
    up("mysql")

    def seen() -> Value:
        return all_probes(OURS)["oltp-log-lacks"].look(stack).value

    assert seen() == "none"
    ask(stack, "SET GLOBAL binlog_row_image = 'MINIMAL'")
    ask(stack, "SET GLOBAL binlog_format = 'STATEMENT'")
    try:
        assert seen() == "binlog_format=STATEMENT, binlog_row_image=MINIMAL"
        with mysql.connect(stack, "order_service", "mysql-order-service", 10.0) as writer:
            mend = all_mitigations(OURS)["restore_log"]()
            told = mend.run(stack)
            assert told.startswith("set right in MariaDB: binlog_format=STATEMENT, binlog_row_image=MINIMAL; ")
            with pytest.raises(pymysql.MySQLError), writer.cursor() as cursor:
                cursor.execute("SELECT 1")
        own = "SELECT @@binlog_format, @@binlog_row_image"
        assert ask(stack, own, "order_service", "mysql-order-service") == (("ROW", "FULL"),)
        assert seen() == "none"
        assert "set right in MariaDB: nothing" in mend.run(stack)
    finally:
        ask(stack, "SET GLOBAL binlog_row_image = 'FULL'")
        ask(stack, "SET GLOBAL binlog_format = 'ROW'")
