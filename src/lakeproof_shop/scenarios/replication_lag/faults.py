"""Faults of the scenario replication-lag."""

from pathlib import Path

import httpx
from pydantic import Field

from lakeproof.arguments import OfConnector
from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput
from lakeproof.faults.fault import Fault, Sign
from lakeproof.faults.ordered_connector import OrderedConnector
from lakeproof.lake.capture.backlog import bytes_left, largest_delivered
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP, find_source
from lakeproof.probes.connect import task_state
from lakeproof.probes.kafka import topic_silence
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.stack import loopback
from lakeproof.stack.engines.connect import NAME, WORKERS
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

TABLE = "oltp.order_items"

SECONDS = 60.0

# The oldest lines are changed. No shopper comes back to so old a line, so nobody waits for the transactions' locks.
LINES = 400

# An update of a line takes at least this much of the binlog.
ROW_BYTES = 40

# The capture delivers this many rows on two cores: it was through 500,000 after some 105 s (docs/drills.md).
ROWS_A_SECOND = 4_800

# Where the capture is through already, as it soon is with a small transaction, these last seconds of the topic count.
DELIVERED_SECONDS = 60.0


class LargeTransaction(Fault):
    """Write transactions of very many rows.

    Batch work on old order lines: transactions of 100,000 rows, one after another, that leave every row as it was.

    Each transaction raises the price of the oldest lines and takes that back, again and again, before it commits.
    Capture delivers all of these rows before it comes to what others wrote meanwhile.

    `rows`: changed rows of one transaction. The lake's job holds 128 MB of one, some 140,000 such rows.
    """

    rows: int = Field(100_000, ge=1000, le=120_000)
    transactions: int = Field(1, ge=1, le=20)

    def inject(self, stack: Stack) -> None:
        """Write the transactions. Raises: InvalidInput where there are no lines."""
        with mariadb.as_root(stack, SECONDS) as cursor:
            cursor.execute(
                f"SELECT MAX(id), COUNT(*) FROM (SELECT id FROM {TABLE} ORDER BY id LIMIT {LINES}) AS oldest"
            )
            last, lines = cursor.fetchone()
            if not lines:
                raise InvalidInput("it has no row to change", where=TABLE, next_action="lakeproof traffic")
            # READ COMMITTED locks the changed rows alone, so that new lines are written meanwhile.
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            for _ in range(self.transactions):
                cursor.execute("BEGIN")
                for _ in range(max(1, self.rows // (2 * lines))):
                    for sign_ in ("+", "-"):
                        cursor.execute(
                            f"UPDATE {TABLE} SET unit_price = unit_price {sign_} 1 WHERE id <= %s", (last,)
                        )
                cursor.execute("COMMIT")

    def remove(self, stack: Stack) -> None:
        """Do nothing: every row is as it was, and the binlog is read in time."""

    def sign(self, stack: Stack) -> Sign:
        """The capture has not come through the transactions yet, or one as large came through within a minute."""
        left = bytes_left(stack, OLTP.connector)
        if left > self.rows * ROW_BYTES:
            return Sign(True, f"{left:,} bytes of binlog are before the capture")
        rows = largest_delivered(stack, OLTP.connector, DELIVERED_SECONDS)
        # `inject` writes the greatest multiple of twice the number of lines that fits into `rows`.
        seen = f"{left:,} bytes of binlog are before the capture; the largest transaction that came has {rows:,} rows"
        return Sign(rows > self.rows // 2, seen)

    def lasts(self) -> float:
        """As the base."""
        return self.rows * self.transactions / ROWS_A_SECOND


class PausedConnector(OrderedConnector):
    """Pause the connector."""

    order = "pause"
    state = "PAUSED"


SECOND = WORKERS[1]

ASK_SECONDS = 3.0

TAKEN_OVER_SECONDS, STRANDED_SECONDS, SILENT_SECONDS = 60.0, 45.0, 15.0


class StrandedTask(OfConnector, Fault):
    """Leave a connector's task to no worker of Kafka Connect, which calls it RUNNING.

    A connector's task that no worker of Kafka Connect runs, though Connect says that one does.

    A worker freezes, another worker takes its task over and is killed, and the first one goes on. The first worker
    still holds the task for its own, which failed there when the other one shut it out, so nobody starts the task.
    Connect's word stays that of the killed worker. Seen with Kafka Connect 4.3.1
    (docs/decisions/0052-a-task-that-nobody-runs.md).
    """

    def inject(self, stack: Stack) -> None:
        """Have a second worker take the task over from the first, and be gone when the first one comes back.

        Raises: InvalidInput in mode "external", and where there are further workers, which would be ended;
        DeadlineExpired where the task is not the first worker's, where the second one does not take it over, or
        where it did not strand.
        """
        client = our_processes(stack, f"freeze and kill workers of {NAME}")
        if further := [row.name for row in client.ps() if row.name in WORKERS[1:]]:
            raise InvalidInput(
                f"{', '.join(further)} would be ended", where=NAME, next_action=f"lakeproof scale {NAME} 1"
            )
        write_file(_mark(stack), "")
        client.scale(NAME, 2)
        try:
            _await_task(stack, self, NAME, NAME)
            client.kill(NAME, "STOP")
            try:
                _await_task(stack, self, SECOND, SECOND)
            finally:
                client.let_go_on(NAME)
            # At once, before the first worker has joined the others again.
            client.kill(SECOND)
        finally:
            client.scale(NAME, 1)
        Deadline(STRANDED_SECONDS).wait_for(
            "the task to be nobody's",
            lambda: True if self.sign(stack).holds else None,
            every=0.5,
            seen=lambda: self.sign(stack).seen,
            unseen_is_not_yet=True,
        )

    def remove(self, stack: Stack) -> None:
        """End the second worker, and restart the first one, where this fault began. Safe where nothing runs.

        Raises: as SupervisorClient.scale and restart.
        """
        client = SupervisorClient(stack)
        if _mark(stack).exists() and client.running():
            client.let_go_on(NAME)
            client.scale(NAME, 1)
            client.restart(NAME)
        _mark(stack).unlink(missing_ok=True)

    def sign(self, stack: Stack) -> Sign:
        """The task is said to run, and nothing has come for longer than another worker takes to take it over.

        Raises: CouldNotLook.
        """
        source = find_source(self.connector, by="connector")
        state = task_state(stack, ASK_SECONDS, source)
        silence = topic_silence(stack, ASK_SECONDS, source)
        holds = state == "RUNNING" and isinstance(silence, float) and silence > SILENT_SECONDS
        return Sign(holds, f"the task of {self.connector} is {state}, and {source.topic} silent for {silence} s")


def _await_task(stack: Stack, arguments: OfConnector, by: str, wanted: str) -> None:
    """Wait until the worker `wanted` runs the task, as the worker `by` says."""
    host = f"{stack.settings.host}:{stack.port(wanted)}"

    def look() -> bool | None:
        try:
            url = f"{stack.url(by)}/connectors/{arguments.connector}/status"
            task = loopback.get(url, timeout=ASK_SECONDS).json()["tasks"][0]
        except (httpx.HTTPError, LookupError, ValueError):
            return None
        return True if (task["state"], task["worker_id"]) == ("RUNNING", host) else None

    Deadline(TAKEN_OVER_SECONDS).wait_for(f"the task of {arguments.connector} to run on {wanted}", look, every=0.3)


def _mark(stack: Stack) -> Path:
    """Exists from before the second worker starts until the fault is out: any other second worker is a person's."""
    return stack.data_dir(NAME) / "stranded-task"
