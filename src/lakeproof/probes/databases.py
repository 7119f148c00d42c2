"""The probes of a source's database, the same for every engine: mariadb.py and postgres.py have the same functions.

Each source has probes of its own, named after it (`oltp-heartbeat-age`, `shop-heartbeat-age`). If a source comes with
a capture of its own, its probes are asked only where that capture is part of the stack. Whether the server answers is
asked always.
"""

from collections.abc import Iterator
from typing import Protocol

from lakeproof.lake.capture import missed
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.missed import NOT_BROUGHT
from lakeproof.lake.sources.engine import CAPTURE_USER
from lakeproof.lake.sources.source import SOURCES, Source
from lakeproof.probes import mariadb, postgres
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import ANSWERS
from lakeproof.probes.probe import Probe, of_source
from lakeproof.probes.reading import Value
from lakeproof.stack.stack import Stack

NOTHING_LACKS = "none"
ACCEPTED, REJECTED = "accepted", "rejected"
# In mode "external" Connect reads its passwords from a file that is not ours, and our password may be the old one.
OURS_REJECTED = "lakeproof.toml's is rejected"


class Database(Protocol):
    """A module that asks the databases of one engine. Each function raises CouldNotLook without an answer."""

    # What a person could type instead of `missing_privileges`, `tables` and the engine's `log_lacks`.
    PRIVILEGES: str
    TABLES: str
    LOG: str

    def answers(self, stack: Stack, timeout: float) -> Value:
        """answers, silent, refused, rejected (it knows no reader of that password), starting (it recovers, or takes
        nobody in for another such reason), or a word of the engine's own (an error, a shutdown).
        """

    def missing_privileges(self, stack: Stack, timeout: float, source: Source) -> Value:
        """How many privileges the capture's user lacks."""

    def beat_age(self, source: Source) -> str:
        """The SQL for the seconds since the ticker last wrote its row, by the database's own clock."""

    def heartbeat_age(self, stack: Stack, timeout: float, source: Source) -> Value:
        """What `beat_age` gives; None where there is no row."""

    def tables(self, stack: Stack, timeout: float, source: Source) -> Value:
        """`schema.table` of every table but the server's own, sorted, joined by spaces."""


def capture_login(stack: Stack, timeout: float, source: Source) -> Value:
    """Whether the database takes the password that the stack has for the capture: ACCEPTED, or REJECTED (in mode
    "external": OURS_REJECTED).
    """
    if source.module.accepts(stack, CAPTURE_USER, timeout):
        return ACCEPTED
    return REJECTED if stack.settings.mode == "local" else OURS_REJECTED


def lacking(stack: Stack, timeout: float, source: Source) -> list[str]:
    """What keeps changes, or parts of rows, out of the log that the capture reads, as Engine.log_lacks.

    NOT_BROUGHT instead, where the log is right and a repair was cut off before it brought the rows that were missed.
    Raises: NotReady.
    """
    found = source.module.log_lacks(stack, find_connector(source.connector), timeout)
    return found or ([NOT_BROUGHT] if missed.is_noted(stack, source, missed.BY_LOG) else [])


def log_lacks(stack: Stack, timeout: float, source: Source) -> Value:
    """What `lacking` gives, joined by commas; "none"."""
    return ", ".join(lacking(stack, timeout, source)) or NOTHING_LACKS


def _probes(engine: str, ask: Database) -> Iterator[Probe]:
    """Whether the engine answers, and of each source in it the capture's login and privileges, heartbeat, tables."""
    alive = Condition(Operator.IS, ANSWERS)
    yield Probe(f"{engine}-answers", engine, "SELECT 1", "", ask.answers, alive, always=True, liveness=True)
    for source in (each for each in SOURCES if each.engine == engine):
        login, whole = Condition(Operator.IS, ACCEPTED), Condition(Operator.IS, 0)
        typed = f"log in as {CAPTURE_USER} with the capture's password"
        yield of_source(source, "capture-login", engine, typed, capture_login, "", login, steady=True)
        lacking = ask.missing_privileges
        yield of_source(
            source, "missing-privileges", engine, ask.PRIVILEGES, lacking, "privileges", whole, steady=True
        )
        young, ticker = Condition(Operator.BELOW, 5), (source.exporter,)
        beat = ask.beat_age(source)
        # The ticker writes the heartbeat: in a stack without one, an old heartbeat is nobody's trouble.
        yield of_source(
            source, "heartbeat-age", engine, beat, ask.heartbeat_age, "s", young, about=ticker, within=source.exporter
        )
        complete = Condition(Operator.IS, NOTHING_LACKS)
        yield of_source(source, "log-lacks", engine, ask.LOG, log_lacks, "", complete, steady=True)
        yield of_source(source, "tables", engine, ask.TABLES, ask.tables, inventory=True)


PROBES = (
    *_probes("mysql", mariadb),
    *_probes("postgres", postgres),
    Probe("mysql-binlog-readers", "mysql", mariadb.BINLOG_READERS, "", mariadb.binlog_readers, steady=True),
)
