"""The real PostgreSQL: what it acknowledged survives kill -9, it asks for passwords, and provision mends nothing."""

import contextlib
import itertools
import os
import re
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.errors import DuplicateObject, InsufficientPrivilege, InvalidPassword, TooManyConnections
from tests.doubles.plugins import OURS
from tests.engines.conftest import Up
from tests.engines.health import await_health

from lakeproof.arguments import parse_arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady, PortTaken, TerminalError
from lakeproof.lake.capture import publication
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.sources.source import find_source
from lakeproof.mitigations import processes
from lakeproof.mitigations.mitigation import all_mitigations
from lakeproof.probes.databases import log_lacks
from lakeproof.probes.postgres import answers
from lakeproof.probes.probe import all_probes
from lakeproof.provisioning.postgres import provision
from lakeproof.stack import postgres_session
from lakeproof.stack.database_sessions import sessions
from lakeproof.stack.engines import postgres, postgres_accounts, postgres_config
from lakeproof.stack.engines.sessions import NoneLeft
from lakeproof.stack.stack import Stack

pytestmark = pytest.mark.engines


SHOP = postgres_accounts.DATABASE


def ask(stack: Stack, sql: str, *args: object, database: str = "postgres") -> list[tuple[object, ...]]:
    return postgres_session.select(stack, "postgres", "postgres-root", sql, *args, database=database)


def test_it_comes_up_durable_and_ready_for_capture(stack: Stack, up: Up) -> None:
    up("postgres")
    wanted = {
        "fsync": "on",
        "synchronous_commit": "on",
        "wal_level": "logical",
        "max_slot_wal_keep_size": "512MB",
        "password_encryption": "scram-sha-256",
        "data_checksums": "on",
        "TimeZone": "UTC",
        "listen_addresses": "127.0.0.1",
    }
    assert {name: ask(stack, f"SHOW {name}")[0][0] for name in wanted} == wanted


def write_until_lost(stack: Stack, acknowledged: list[int], lost: list[Exception]) -> None:
    """Rows into a table of their own, one commit each. Notes those that were acknowledged, and what ended it."""
    try:
        with postgres_session.connection(stack, "postgres", "postgres-root", 60.0) as session:
            for number in itertools.count(1):
                session.rows(f"INSERT INTO survivors VALUES ({number})")
                acknowledged.append(number)
    except postgres_session.TROUBLES as error:
        lost.append(error)


def test_what_was_acknowledged_survives_kill_9_under_writes(stack: Stack, up: Up) -> None:
    client = up("postgres")
    ask(stack, "DROP TABLE IF EXISTS survivors")
    ask(stack, "CREATE TABLE survivors (number integer PRIMARY KEY)")
    acknowledged: list[int] = []
    lost: list[Exception] = []
    restarts = client.row("postgres").restarts
    writer = threading.Thread(target=write_until_lost, args=(stack, acknowledged, lost))
    writer.start()
    Deadline(30).wait_for("fifty rows", lambda: True if len(acknowledged) >= 50 else None, every=0.01)
    client.kill("postgres")
    writer.join(30)
    assert len(lost) == 1
    await_health(client, "postgres", restarts=restarts)
    found = {row[0] for row in ask(stack, "SELECT number FROM survivors")}
    assert set(acknowledged) - found == set()
    # One more may have been committed whose answer was lost, and none beyond it.
    assert len(found - set(acknowledged)) <= 1
    ask(stack, "DROP TABLE survivors")


def test_it_comes_back_when_only_its_first_process_is_killed(stack: Stack, up: Up) -> None:
    client = up("postgres")
    row = client.row("postgres")
    assert row.pid is not None
    os.kill(row.pid, signal.SIGKILL)
    await_health(client, "postgres", restarts=row.restarts)
    assert ask(stack, "SELECT 1") == [(1,)]


def test_a_stopped_server_is_not_ready_within_the_time_and_seen_as_unhealthy(stack: Stack, up: Up) -> None:
    client = up("postgres")
    client.kill("postgres", "STOP")
    try:
        asked = Deadline(60)
        with pytest.raises(NotReady):
            postgres.ready(stack, 1.0)
        assert asked.elapsed < 5
        Deadline(30).wait_for("it to be unhealthy", lambda: client.row("postgres").health == "unhealthy" or None)
    finally:
        client.kill("postgres", "CONT")
    Deadline(30).wait_for("it to be healthy again", lambda: client.row("postgres").health == "healthy" or None)


def test_a_second_start_keeps_data_and_ends_fast(stack: Stack, up: Up) -> None:
    client = up("postgres")
    ask(stack, "CREATE TABLE IF NOT EXISTS kept (id integer)")

    with postgres_session.connection(stack, "postgres", "postgres-root", 60.0) as open_one:
        open_one.rows("BEGIN; INSERT INTO kept VALUES (1)")
        stopping = Deadline(60)
        client.stop("postgres")
        assert stopping.elapsed < 10  # a client in the middle of a transaction is not waited for
    client.start("postgres")
    Deadline(60).wait_for("postgres", lambda: client.row("postgres").health == "healthy" or None)
    assert ask(stack, "SELECT count(*) FROM kept") == [(0,)]
    ask(stack, "DROP TABLE kept")


def test_a_restart_mends_neither_a_lost_grant_nor_a_rotated_password(stack: Stack, up: Up) -> None:
    client = up("postgres")
    restarts = client.row("postgres").restarts
    ask(stack, "REVOKE pg_monitor FROM exporter")
    ask(stack, "ALTER ROLE reader PASSWORD 'rotated'")
    try:
        client.kill("postgres")
        await_health(client, "postgres", restarts=restarts)
        held = ask(stack, "SELECT pg_has_role('exporter', 'pg_monitor', 'member')")
        assert held == [(False,)]
        with pytest.raises(InvalidPassword):
            postgres_session.select(stack, "reader", "postgres-reader", "SELECT 1")
    finally:
        ask(stack, "GRANT pg_monitor TO exporter")
        ask(stack, f"ALTER ROLE reader PASSWORD '{stack.secret('postgres-reader')}'")


def test_each_account_may_do_its_work_and_no_more(stack: Stack, up: Up) -> None:
    up("postgres")
    for schema in postgres_accounts.SCHEMAS:
        owner = postgres_accounts.owner_of(schema)
        assert postgres_session.select(stack, owner.user, owner.secret, "SELECT count(*) FROM outbox", database=SHOP)
        for user in ("reader", "cdc"):
            account = (stack, user, f"postgres-{user}")
            postgres_session.select(*account, f"SELECT count(*) FROM {schema}.outbox", database=SHOP)
            with pytest.raises(InsufficientPrivilege):
                postgres_session.select(*account, f"DELETE FROM {schema}.outbox", database=SHOP)
        others = (*(other for other in postgres_accounts.SCHEMAS if other != schema), "capture")
        for sql in (*(f"SELECT 1 FROM {other}.outbox" for other in others), "CREATE TABLE public.mine (id integer)"):
            with pytest.raises(InsufficientPrivilege):
                postgres_session.select(stack, owner.user, owner.secret, sql, database=SHOP)
    ticker = (stack, "ticker", "postgres-ticker")
    postgres_session.select(*ticker, "SELECT count(*) FROM capture.cdc_heartbeat", database=SHOP)
    with pytest.raises(InsufficientPrivilege):
        postgres_session.select(*ticker, "SELECT count(*) FROM payment.payments", database=SHOP)
    assert ask(stack, "SELECT rolreplication, rolsuper FROM pg_roles WHERE rolname = 'cdc'") == [(True, False)]


def test_a_table_that_is_captured_gives_whole_old_rows_and_is_published(stack: Stack, up: Up) -> None:
    up("postgres")
    published = ask(stack, "SELECT schemaname || '.' || tablename FROM pg_publication_tables", database=SHOP)
    assert {name for (name,) in published} == set(find_connector("shop").published)
    for schema in postgres_accounts.SCHEMAS:
        rows = ask(
            stack,
            "SELECT relname, relreplident = 'f' FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = $1::text::regnamespace",
            schema,
            database=SHOP,
        )
        assert {name: whole for name, whole in rows if name == "outbox"} == {"outbox": False}
        captured = [name for name, _ in rows if name != "outbox" and not str(name).endswith("_operations")]
        assert [name for name, whole in rows if name in captured and not whole] == []


def test_a_table_taken_out_of_the_publication_by_hand_stays_out(stack: Stack, up: Up) -> None:
    up("postgres")
    ask(stack, "ALTER PUBLICATION lake DROP TABLE support.cases", database=SHOP)
    try:
        provision(stack)
        left = ask(stack, "SELECT count(*) FROM pg_publication_tables", database=SHOP)
        assert left == [(len(find_connector("shop").published) - 1,)]
    finally:
        ask(stack, "ALTER PUBLICATION lake ADD TABLE support.cases", database=SHOP)


CHANGES = {
    "ALTER PUBLICATION lake DROP TABLE support.cases": "support.cases: not published",
    "ALTER PUBLICATION lake SET (publish = 'insert, delete')": "publishes not every operation",
    "ALTER TABLE payment.payments REPLICA IDENTITY DEFAULT": "payment.payments: old rows not whole",
    "ALTER PUBLICATION lake DROP TABLE notification.preferences;"
    " ALTER PUBLICATION lake ADD TABLE notification.preferences WHERE (customer_id > 7)": (
        "notification.preferences: published in part"
    ),
    "ALTER PUBLICATION lake DROP TABLE support.case_events;"
    " ALTER PUBLICATION lake ADD TABLE support.case_events (id)": "support.case_events: published in part",
}


@pytest.mark.proof  # until it was green three times in a row
def test_what_the_publication_leaves_out_is_told_and_put_back(stack: Stack, up: Up) -> None:
    """All that it has besides stays in it. One that lists no tables, since it has them all, lacks none."""
    up("postgres")
    shop = find_connector("shop")
    restore = parse_arguments(all_mitigations(OURS)["restore_log"], {"database": "shop"}, "restore_log")
    assert publication.lacks(stack, shop) == []
    statements = [one for change in CHANGES for one in change.split("; ")]
    for statement in (*statements, "ALTER PUBLICATION lake ADD TABLE payment.payment_operations"):
        ask(stack, statement, database=SHOP)
    try:
        assert log_lacks(stack, 5.0, find_source("shop")) == ", ".join(
            sorted(CHANGES.values(), key=lambda told: (told.startswith("publishes") is False, told))
        )
        restore.run(stack)
        assert publication.lacks(stack, shop) == []
        assert publication.published(stack, shop) == {*shop.published, "payment.payment_operations"}
        restore.run(stack)
        ask(stack, "CREATE PUBLICATION everything FOR ALL TABLES", database=SHOP)
        all_of_it = shop.model_copy(update={"config": {**shop.config, publication.NAME: "everything"}})
        assert [lack.kind for lack in publication.lacks(stack, all_of_it)] == []
        none = shop.model_copy(update={"config": {**shop.config, publication.NAME: "nothing"}})
        assert [lack.words for lack in publication.lacks(stack, none)] == ["no publication"]
    finally:
        ask(stack, "DROP PUBLICATION IF EXISTS everything", database=SHOP)
        for statement in publication.whole(shop):
            ask(stack, statement, database=SHOP)
    assert publication.lacks(stack, shop) == [] and publication.published(stack, shop) == set(shop.published)


@pytest.mark.proof  # until it was green three times in a row
def test_the_statement_that_runs_for_the_longest_is_told(stack: Stack, up: Up) -> None:
    up("postgres")
    sleeper = threading.Thread(target=ask, args=(stack, "SELECT 'a name', pg_sleep(6)"))
    sleeper.start()
    try:
        told = Deadline(5).wait_for(
            "the statement",
            lambda: seen if (seen := all_probes(OURS)["postgres-longest"].look(stack).value) != "nobody" else None,
        )
        assert re.fullmatch(r"postgres, session \\d+, for [1-6] s: SELECT", str(told)), told
    finally:
        sleeper.join()
    assert all_probes(OURS)["postgres-longest"].look(stack).value == "nobody"


def test_data_of_the_older_layout_are_left_alone_and_said(stack: Stack, up: Up) -> None:
    up("postgres")
    made = stack.data_dir("postgres") / "provisioned.json"
    before = made.read_text()
    ask(stack, "ALTER DATABASE shop RENAME TO payment")
    made.unlink()
    try:
        with pytest.raises(TerminalError, match="older layout: payment are databases"):
            provision(stack)
        assert ask(stack, "SELECT count(*) FROM pg_database WHERE datname = 'shop'") == [(0,)]
    finally:
        ask(stack, "ALTER DATABASE payment RENAME TO shop")
        made.write_text(before)


def test_nobody_comes_in_without_a_password(stack: Stack, up: Up) -> None:
    up("postgres")
    host, port = stack.host_port("postgres")

    for where in (host, str(postgres_config.socket_folder(stack))):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host=where, port=port, user="postgres", password="", connect_timeout=5)


@pytest.mark.proof  # until it was green three times in a row
def test_what_a_login_is_refused_for_is_told_by_its_sqlstate(stack: Stack, up: Up) -> None:
    """libpq gives only the server's text; if PostgreSQL words it another way, this test says so."""
    up("postgres")

    def state(user: str = "reader", secret: str = "postgres-reader", **more: Any) -> str | None:
        with pytest.raises(psycopg.Error) as refused:
            postgres_session.select(stack, user, secret, "SELECT 1", **more)
        return refused.value.sqlstate

    assert (state(secret="postgres-cdc"), state(user="nobody"), state(database="none")) == ("28P01", "28P01", "3D000")
    for change, wanted, undo in (
        ("ALTER ROLE reader NOLOGIN", "28000", "ALTER ROLE reader LOGIN"),
        ("ALTER ROLE reader CONNECTION LIMIT 0", "53300", "ALTER ROLE reader CONNECTION LIMIT -1"),
        ("ALTER DATABASE shop CONNECTION LIMIT 0", "53300", "ALTER DATABASE shop CONNECTION LIMIT -1"),
        ("REVOKE CONNECT ON DATABASE shop FROM reader", "42501", "GRANT CONNECT ON DATABASE shop TO reader"),
    ):
        ask(stack, change)
        try:
            assert state(database="shop") == wanted, change
        finally:
            ask(stack, undo)


@pytest.mark.proof  # until it was green three times in a row
def test_a_full_server_is_told_from_a_dead_one(stack: Stack, up: Up) -> None:
    up("postgres")
    with contextlib.ExitStack() as held:
        account = (stack, "postgres", "postgres-root", 60.0)
        with pytest.raises(TooManyConnections):
            for _ in range(postgres_config.MAX_CONNECTIONS + 1):
                held.enter_context(postgres_session.connection(*account))
        assert answers(stack, 5.0) == "error 53300"
        with pytest.raises(NoneLeft):
            sessions(stack, "postgres", 0.5)
        # Whoever looks shares the administrator's places with other looks, and waits until one is free.
        timer = threading.Timer(1.0, held.pop_all().close)
        timer.start()
        assert sessions(stack, "postgres", 20.0).most == postgres_config.MAX_CONNECTIONS
        timer.join()
    Deadline(30).wait_for("room", lambda: True if answers(stack, 5.0) == "answers" else None)


@pytest.mark.proof  # until it was green three times in a row
def test_a_shutdown_that_waits_for_a_client_is_told_and_a_restart_ends_it(stack: Stack, up: Up) -> None:
    client = up("postgres")
    row = client.row("postgres")
    assert row.pid is not None
    with postgres_session.connection(stack, "postgres", "postgres-root", 60.0):
        os.kill(row.pid, signal.SIGTERM)
        Deadline(10).wait_for("nobody to be let in", lambda: True if answers(stack, 5.0) == "shuts down" else None)
        processes.RestartComponent(component="postgres").run(stack)
    assert answers(stack, 5.0) == "answers"


@pytest.mark.proof  # until it was green three times in a row
def test_a_statement_ends_in_time_where_the_server_is_slow_or_frozen(stack: Stack, up: Up) -> None:
    client = up("postgres")
    taken = Deadline(60)
    with pytest.raises(postgres_session.TROUBLES):
        postgres_session.select(stack, "reader", "postgres-reader", "SELECT pg_sleep(30)", seconds=1.0)
    assert taken.elapsed < 3
    with postgres_session.connection(stack, "reader", "postgres-reader", 60.0) as session:
        client.kill("postgres", "STOP")
        try:
            session.deadline = taken = Deadline(1.0)
            with pytest.raises(TimeoutError, match="no answer within 1 s"):
                session.rows("SELECT 1")
            assert taken.elapsed < 2
        finally:
            client.kill("postgres", "CONT")


def test_a_replaced_secrets_file_is_said_in_plain_words(stack: Stack, up: Up) -> None:
    up("postgres")
    other = Stack(stack.settings.model_copy(update={"secrets": {"postgres-root": "another"}}))
    postgres.ready(other, 5.0)
    with pytest.raises(TerminalError, match=r"secrets\.json is not the one"):
        provision(other)


def test_no_password_is_in_its_log_or_its_command_line(stack: Stack, up: Up) -> None:
    client = up("postgres")
    with pytest.raises(DuplicateObject):
        ask(stack, f"CREATE ROLE reader PASSWORD '{stack.secret('postgres-reader')}'")
    pid = client.row("postgres").pid
    said = stack.log_path("postgres").read_text() + Path(f"/proc/{pid}/cmdline").read_text()
    assert [name for name in ("postgres-root", "postgres-reader") if stack.secret(name) in said] == []


def test_the_exporter_tells_the_connections_of_each_database(stack: Stack, up: Up) -> None:
    up("postgres", "postgres-exporter")

    def look() -> str | None:
        text = httpx.get(f"{stack.url('postgres-exporter')}/metrics", timeout=5.0, trust_env=False).text
        return text if "pg_up 1" in text and 'pg_stat_database_numbackends{datid="' in text else None

    text = Deadline(30).wait_for("the exporter to see the server", look)
    assert 'datname="shop"' in text
    assert "pg_settings_max_connections" in text


@pytest.mark.proof  # until it was green three times in a row
def test_the_exporter_tells_a_slot_without_a_place_by_nan(stack: Stack, up: Up) -> None:
    """As a slot is whose WAL is gone; an alert reads it so. One that was just made has no place either."""
    up("postgres", "postgres-exporter")
    ask(stack, "SELECT pg_create_physical_replication_slot('without_place')")

    def look() -> str | None:
        text = httpx.get(f"{stack.url('postgres-exporter')}/metrics", timeout=5.0, trust_env=False).text
        lines = [line for line in text.splitlines() if "lsn_diff{" in line and 'slot_name="without_place"' in line]
        return lines[0] if lines else None

    assert Deadline(30).wait_for("the exporter to tell the slot", look).endswith(" NaN")


def test_a_taken_port_is_said_with_its_holder(stack: Stack, up: Up) -> None:
    client = up("postgres")
    client.down()
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((stack.settings.host, stack.port("postgres", "tcp")))
        holder.listen()
        with pytest.raises(PortTaken, match=f"port {stack.port('postgres', 'tcp')} is taken"):
            up("postgres")
    up("postgres")


def test_a_half_done_initdb_is_done_again(stack: Stack, open_folder: Path) -> None:
    fresh = Stack(stack.settings.model_copy(update={"state_dir": open_folder}))
    half = open_folder / "data/postgres/db.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("1")
    postgres.prepare(fresh)
    assert not half.exists()
    database = open_folder / "data/postgres/db"
    assert (database / "global/pg_control").is_file()
    assert not (open_folder / "data/postgres/initdb.password").exists()
    inode = database.stat().st_ino
    postgres.prepare(fresh)
    assert database.stat().st_ino == inode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another user")
def test_a_folder_that_the_server_may_not_pass_is_named(stack: Stack, open_folder: Path) -> None:
    closed = open_folder / "closed"
    (closed / "state").mkdir(parents=True)
    closed.chmod(0o700)
    with pytest.raises(TerminalError, match="closed: the user postgres may not pass"):
        postgres.prepare(Stack(stack.settings.model_copy(update={"state_dir": closed / "state"})))
