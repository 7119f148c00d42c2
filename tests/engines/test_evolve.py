"""`lakeproof lake evolve` on the whole path: a column that somebody added comes into the lake, and nothing is lost.

Killed with -9 while the job is stopped, the next run finishes what was begun.
"""

import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import LakeproofError
from lakeproof.lake.capture.columns import look
from lakeproof.lake.job.flink_rest import ALIVE, rest_of
from lakeproof.lake.query.asking import ask
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP, SHOP
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.engines.postgres_config import ROOT_SECRET, ROOT_USER
from lakeproof.stack.postgres_session import select
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.proof, pytest.mark.timeout(1200)]

PATH = ("minio", "kafka", "mysql", "connect", "nessie", "flink-jobmanager", "flink-taskmanager", "publisher", "trino")
# What the job says once it has stopped with a savepoint and is not submitted again.
STOPPED = "stopped lake-oltp with savepoint"
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def client(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    return up(*PATH, "lag-exporter")


def evolve(*words: str, kill_at: str = "") -> tuple[int, dict[str, Any], str]:
    """The command as typed: its exit code, its JSON and what it said. kill_at: kill -9 as soon as it says this."""
    command = [sys.executable, "-c", "from lakeproof.cli.app import main; main()", "lake", "evolve", *words, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if kill_at and kill_at in line:
                process.send_signal(signal.SIGKILL)
                break
        told = process.stdout.read()
        process.wait(30)
    return process.returncode, json.loads(told) if told.strip() else {}, "".join(said)


def order(stack: Stack, note: str | None = None) -> int:
    """A row of oltp.orders; gives its id."""
    columns, values = ("", "") if note is None else (", gift_note", f", '{note}'")
    with mariadb.as_root(stack, 10.0) as cursor:
        cursor.execute(
            f"INSERT INTO oltp.orders (client_key, customer_id, status, total, item_count, version, created_at,"
            f" updated_at{columns}) VALUES ('evolve-{next(NUMBERS)}-{time.time_ns()}', 7, 'created', 1.10, 1, 1,"
            f" UTC_TIMESTAMP(6), UTC_TIMESTAMP(6){values})"
        )
        return int(cursor.lastrowid)


def await_rows(stack: Stack, sql: str, wanted: list[list[Any]], seconds: float = 90.0) -> None:
    """Until the lake answers so, on main."""
    seen: list[str] = [""]

    def asked() -> bool | None:
        try:
            seen[0] = str(rows := [list(row) for row in ask(stack, sql, seconds=30.0)[1].rows])
        except LakeproofError as error:
            seen[0] = error.message
            return None
        return True if rows == wanted else None

    Deadline(seconds).wait_for(f"{wanted}", asked, every=1.0, seen=lambda: seen[0])


def drifted(stack: Stack) -> float | None:
    """What SchemaDriftDetected is computed from, of oltp.orders."""
    page = httpx.get(f"{stack.url('lag-exporter')}/metrics", trust_env=False).text
    lines = [
        each for each in page.splitlines() if each.startswith("lakeproof_drifted_columns{") and ".orders" in each
    ]
    return float(lines[0].rpartition(" ")[2]) if lines else None


def await_drifted(stack: Stack, count: float) -> None:
    Deadline(20).wait_for(f"{count} columns", lambda: True if drifted(stack) == count else None, every=0.5)


NOTES = "SELECT id, gift_note FROM oltp.orders ORDER BY id"


def test_a_column_that_somebody_added_comes_into_the_lake_although_the_command_is_killed(
    client: SupervisorClient, stack: Stack
) -> None:
    first = order(stack)
    await_rows(stack, "SELECT id FROM oltp.orders ORDER BY id", [[first]], 240.0)
    with mariadb.as_root(stack, 20.0) as cursor:
        cursor.execute("ALTER TABLE oltp.orders ADD COLUMN gift_note VARCHAR(64) NULL")
    between = order(stack, "between")
    await_rows(stack, "SELECT id FROM oltp.orders ORDER BY id", [[first], [between]])
    await_drifted(stack, 1.0)

    code, told, said = evolve("orders", "gift_note", "--dry-run")
    assert (code, [step["step"] for step in told["steps"]]) == (0, ["alter", "declare", "redeploy", "reread"]), said
    code, _, said = evolve("orders", "gift_note", "--yes", kill_at=STOPPED)
    assert code == -signal.SIGKILL, said
    assert not [job for job in rest_of(stack).jobs() if job.name == OLTP.job and job.state in ALIVE]
    while_stopped = order(stack, "while the job was stopped")

    code, told, said = evolve("orders", "gift_note", "--yes")
    assert (code, [step["step"] for step in told["steps"]]) == (0, ["redeploy", "reread"]), said
    after = order(stack, "after")
    wanted: list[list[Any]] = [
        [first, None],
        [between, "between"],
        [while_stopped, "while the job was stopped"],
        [after, "after"],
    ]
    await_rows(stack, NOTES, wanted)
    await_drifted(stack, 0.0)
    code, told, said = evolve("orders", "gift_note", "--yes")
    assert (code, told["steps"], told["done"]) == (0, [], False), said

    # Another start of the stack takes the column from what is kept, not from the SQL files.
    client.down()
    client.up((*PATH, "lag-exporter"))
    later = order(stack, "later")
    await_rows(stack, NOTES, [*wanted, [later, "later"]], 240.0)
    await_drifted(stack, 0.0)


def test_what_is_wrong_is_refused_and_the_job_goes_on(client: SupervisorClient, stack: Stack) -> None:
    before = [(job.id, job.state) for job in rest_of(stack).jobs()]
    for words, said in (
        (("nowhere", "x"), "it is not captured"),
        (("orders", "nothing"), "MariaDB has no such column"),
        (("order_items", "weight", "--type", "DOUBLE"), "do not all give it back alike"),
    ):
        code, _, told = evolve(*words, "--yes")
        assert (code, said in told) == (2, True), told
    assert [(job.id, job.state) for job in rest_of(stack).jobs()] == before


def test_taken_back_it_is_drift_again_and_the_lakes_values_stay(client: SupervisorClient, stack: Stack) -> None:
    code, told, said = evolve("orders", "gift_note", "--undo", "--yes")
    assert (code, told["done"]) == (0, True), said
    await_drifted(stack, 1.0)
    last = order(stack, "nobody reads it")
    await_rows(stack, f"SELECT gift_note FROM oltp.orders WHERE id = {last}", [[None]])
    code, told, said = evolve("orders", "gift_note", "--yes")
    assert [step["step"] for step in told["steps"]] == ["declare", "redeploy", "reread"], said
    await_rows(stack, f"SELECT gift_note FROM oltp.orders WHERE id = {last}", [["nobody reads it"]])


def test_a_column_of_postgresql_that_is_declared_first_lacks_no_value(client: SupervisorClient, stack: Stack) -> None:
    """Rows that were there get a DEFAULT without an event; the second run has them read."""
    client.up(("shop-capture",))

    def root(sql: str) -> list[tuple[Any, ...]]:
        return select(stack, ROOT_USER, ROOT_SECRET, sql, database="shop")

    def customer(number: int) -> None:
        root(
            "INSERT INTO notification.preferences (customer_id, opted_out, version, updated_at)"
            f" VALUES ({number}, '{{}}', 1, now())"
        )

    customer(1)
    rows = "SELECT customer_id FROM shop.preferences ORDER BY 1"
    await_rows(stack, rows, [[1]], 240.0)
    code, told, said = evolve("preferences", "quiet_hours", "--type", "VARCHAR(16)", "--yes")
    assert (code, told["in_database"]) == (0, False), said
    assert look(stack, SHOP).unreadable == ()
    root("ALTER TABLE notification.preferences ADD COLUMN quiet_hours varchar(16) NOT NULL DEFAULT 'none'")
    customer(2)
    quiet = "SELECT customer_id, quiet_hours FROM shop.preferences ORDER BY 1"
    await_rows(stack, quiet, [[1, None], [2, "none"]])
    code, told, said = evolve("preferences", "quiet_hours", "--yes")
    assert (code, [step["step"] for step in told["steps"]]) == (0, ["reread"]), said
    await_rows(stack, quiet, [[1, "none"], [2, "none"]])
