"""Faults of the scenario flink-restarts."""

from typing import Any

from lakeproof.arguments import OfConnector
from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture import missed, topic_gap
from lakeproof.lake.capture.commands import await_state, send
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.registration import live_config, register
from lakeproof.lake.job.unreadable import finish_pass, pass_unreadable
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP, Source, find_source
from lakeproof.probes import flink
from lakeproof.probes.flink import NO_EXCEPTION, refused_value
from lakeproof.stack.stack import Stack

# Added to the value of one row, which is small. An INT holds 2,147,483,647.
ADDED = 2_147_483_000


class ExtremeValue(Fault):
    """Write a value that the lake's type just holds.

    One row of the order database gets a value that the lake's type just holds. Everything that reads it goes on.

    What happens one step further is another fault (widened_column.py).
    """

    def inject(self, stack: Stack) -> None:
        """Change one row; if one is changed already, no other is."""
        if _greatest(stack) < ADDED:
            with mariadb.as_root(stack, SECONDS) as cursor:
                row = row_to_change(cursor)
                cursor.execute(f"UPDATE {TABLE} SET {COLUMN} = {COLUMN} + %s WHERE id = %s", (ADDED, row))

    def remove(self, stack: Stack) -> None:
        """Give the row its old value back."""
        with mariadb.as_root(stack, SECONDS) as cursor:
            cursor.execute(f"UPDATE {TABLE} SET {COLUMN} = {COLUMN} - %s WHERE {COLUMN} >= %s", (ADDED, ADDED))

    def sign(self, stack: Stack) -> Sign:
        """The database has a row with such a value."""
        greatest = _greatest(stack)
        return Sign(greatest >= ADDED, f"the greatest {TABLE}.{COLUMN} is {greatest}")


def _greatest(stack: Stack) -> int:
    with mariadb.as_root(stack, SECONDS) as cursor:
        cursor.execute(f"SELECT COALESCE(MAX({COLUMN}), 0) FROM {TABLE}")
        return int(cursor.fetchone()[0])


FILTER_SECONDS = 10.0

RUN_SECONDS = 60.0

FILTER, ROWS = "drop", "dropped"

FILTERED_TABLE = "order_items"


class FilteredCapture(OfConnector, Fault):
    """Drop one table's rows by a filter in the connector's configuration.

    Somebody puts a filter into the connector's configuration, and the rows of one table no longer come into the
    topic.

    Debezium counts a transaction's rows before the filter, so its END marker counts rows that never came. The lake's
    job stops at the first such END: the capture is torn. The rows that the filter dropped are in the database alone.
    """

    through_capture = True

    def inject(self, stack: Stack) -> None:
        """Put the filter first among the connector's transforms; return once connector and task run with it.

        Raises: InvalidInput where Kafka Connect has no such connector; as `send` and `await_state`.
        """
        name = self.connector
        config = live_config(stack, name)
        if config is None:
            raise InvalidInput("Kafka Connect has no such connector", where=name, next_action="lakeproof diagnose")
        if f"transforms.{FILTER}.type" not in config:
            send(stack, "PUT", f"/connectors/{name}/config", body=config | _filter(config))
        await_state(stack, name, "RUNNING", seconds=RUN_SECONDS)

    def remove(self, stack: Stack) -> None:
        """Register the connector from its file, and bring the rows that the filter dropped into the lake.

        A second call finds no filter. The job, or the mark of a bridge that was cut off, then says what is left to
        bring.
        """
        was_in = f"transforms.{FILTER}.type" in (live_config(stack, self.connector) or {})
        marked = missed.is_noted(stack, self._source(), missed.BY_CONNECTOR)
        if (
            was_in
            or marked
            or flink.topic_gap(stack, FILTER_SECONDS, self._source()) not in (None, flink.NO_EXCEPTION)
        ):
            topic_gap.bridge(stack, self.connector)
        register(stack, self.connector)
        send(stack, "PUT", f"/connectors/{self.connector}/resume", absent_is_fine=True)

    def sign(self, stack: Stack) -> Sign:
        """The job itself tells which rows did not come."""
        seen = flink.topic_gap(stack, FILTER_SECONDS, self._source())
        return Sign(str(seen).startswith("transaction "), f"the job's newest failure: {seen}")

    def _source(self) -> Source:
        return find_source(find_connector(self.connector).database)


def _filter(config: dict[str, str]) -> dict[str, str]:
    database = config["topic.prefix"]
    return {
        "transforms": f"{FILTER},{config['transforms']}",
        f"transforms.{FILTER}.type": "org.apache.kafka.connect.transforms.Filter",
        f"transforms.{FILTER}.predicate": ROWS,
        "predicates": f"{config['predicates']},{ROWS}",
        f"predicates.{ROWS}.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
        f"predicates.{ROWS}.pattern": rf"{database}\.{database}\.{FILTERED_TABLE}",
    }


TABLE, COLUMN = "oltp.order_items", "line"

SECONDS = 30.0

# At a drill's six calls a second an order is cancelled about every three seconds; without shoppers none is.
CANCELLED_SECONDS = 10.0

# Added to the value of one row: beyond an INT, within a BIGINT.
BEYOND = 3_000_000_000


class WidenedColumn(Fault):
    """Widen a column and write a value that the lake's type cannot hold.

    A whole-number column of the order database is widened, and one row gets a value that the lake's type cannot hold.

    The shop goes on: it reads any whole number. The job does not: it fails at that row, and again after each restart.
    (A text would stop the shop as well, which is another incident: decision 0019.)
    """

    through_capture = True

    def inject(self, stack: Stack) -> None:
        """Widen the column and change one row; if one is changed already, no other is.

        The oldest row of a cancelled order is taken, where there is one within CANCELLED_SECONDS. Shoppers pay and
        change the other orders, and the shop's answer would show them the changed row, which is not what they asked
        for.
        """
        with mariadb.as_root(stack, SECONDS) as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM {TABLE} WHERE {COLUMN} > %s", (BEYOND,))
            row = row_to_change(cursor) if cursor.fetchone() == (0,) else None
            cursor.execute(f"ALTER TABLE {TABLE} MODIFY {COLUMN} BIGINT NOT NULL")
            if row is not None:
                cursor.execute(f"UPDATE {TABLE} SET {COLUMN} = {COLUMN} + %s WHERE id = %s", (BEYOND, row))

    def remove(self, stack: Stack) -> None:
        """Give row and column back what they had, and get the job past the record that it cannot read."""
        with mariadb.as_root(stack, SECONDS) as cursor:
            cursor.execute(f"UPDATE {TABLE} SET {COLUMN} = {COLUMN} - %s WHERE {COLUMN} > %s", (BEYOND, BEYOND))
            mended = cursor.rowcount
            cursor.execute(f"ALTER TABLE {TABLE} MODIFY {COLUMN} INT NOT NULL")
        if mended or refused_value(stack, SECONDS, OLTP) not in (NO_EXCEPTION, None):
            pass_unreadable(stack, OLTP, TABLE, COLUMN)
        else:
            finish_pass(stack, OLTP)

    def sign(self, stack: Stack) -> Sign:
        """The job itself names the column that it cannot read."""
        seen = refused_value(stack, SECONDS, OLTP)
        return Sign(str(seen).startswith(f"{TABLE}.{COLUMN}:"), f"the job's newest failure: {seen}")


def row_to_change(cursor: Any) -> int:
    """The id of the row to change. Raises: InvalidInput where there is no row."""
    deadline = Deadline(CANCELLED_SECONDS)
    while True:
        cursor.execute(
            f"SELECT item.id, orders.status <=> 'cancelled' FROM {TABLE} item"
            " LEFT JOIN oltp.orders ON orders.id = item.order_id"
            " ORDER BY orders.status = 'cancelled' DESC, item.id LIMIT 1"
        )
        row = cursor.fetchone()
        if not row:
            raise InvalidInput("it has no row to change", where=TABLE, next_action="lakeproof traffic")
        if row[1] or deadline.expired:
            return int(row[0])
        deadline.pause(0.5)
