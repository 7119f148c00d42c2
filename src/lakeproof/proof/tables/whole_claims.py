"""What must hold of each captured database at every published hash, since it holds at the end of each transaction."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from lakeproof.lake.query.trino import at_snapshot
from lakeproof.lake.sources.source import OLTP, SHOP, Source
from lakeproof.proof.tables import history_claims, order_claims
from lakeproof.proof.tables.judged_table import JudgedTable


class Broken(Protocol):
    """What breaks a claim: an order, a payment. database: the source's name."""

    database: ClassVar[str]

    @property
    def noun(self) -> str:
        """What it is, as the judged tables name it."""

    @property
    def key(self) -> int | None:
        """Its id; None: NULL."""

    @property
    def claim(self) -> str:
        """The claim, in words."""

    @property
    def subject(self) -> str:
        """What it is, and its number."""

    @property
    def detail(self) -> str:
        """In which way it breaks the claim."""


@dataclass(frozen=True)
class WholeClaims:
    """The claims on one database.

    tables: the tables that the claims read.
    states_sql: makes the statement over several states, in SQL that the source and Trino both take. A state is table
    → what stands for the table in FROM. "" where no state has the tables.
    source_sql: makes the same statement over the database as it is now, from table → schema.
    broken_of: which claims the rows of such a statement break; the rows come without their first column, which is the
    place of the state among the states.
    freezes: whether nothing more is published while the newest hash breaks the claims and the database does not.
    """

    source: Source
    tables: Mapping[str, JudgedTable]
    states_sql: Callable[[Sequence[Mapping[str, str]]], str]
    source_sql: Callable[[Mapping[str, str]], str]
    broken_of: Callable[[Iterable[Sequence[Any]]], Sequence[Broken]]
    freezes: bool

    @property
    def judged(self) -> tuple[str, ...]:
        """The tables that they read."""
        return tuple(self.tables)

    def lake_sql(self, states: Sequence[Mapping[str, int]]) -> str:
        """`states_sql` for Trino, each state being table → snapshot."""
        name = self.source.name
        return self.states_sql(
            [{table: at_snapshot(name, table, snapshot) for table, snapshot in each.items()} for each in states]
        )

    def broken_by_place(self, rows: Iterable[Sequence[Any]], places: int) -> list[tuple[Broken, ...]]:
        """What is broken in each state, of the rows that a statement over so many states gave."""
        by_place: dict[int, list[Sequence[Any]]] = defaultdict(list)
        for place, *row in rows:
            by_place[int(place)].append(row)
        return [tuple(self.broken_of(by_place[place])) for place in range(places)]


def _histories_in_source(schemas: Mapping[str, str]) -> str:
    return history_claims.history_sql([{table: f"{schema}.{table}" for table, schema in schemas.items()}])


CLAIMS = (
    WholeClaims(
        OLTP,
        order_claims.TABLES,
        order_claims.across_states_sql,
        lambda schemas: order_claims.across_states_sql(
            [{table: f"{OLTP.name}.{table}" for table in order_claims.JUDGED}]
        ),
        order_claims.broken_of,
        freezes=True,
    ),
    # Told alone: after a lost slot PostgreSQL's tables are read anew, one after the other (lake/capture/new_slot.py).
    # A `main` that stood still meanwhile would never show the end of that, and MariaDB's orders would wait for it.
    WholeClaims(
        SHOP,
        history_claims.TABLES,
        history_claims.history_sql,
        _histories_in_source,
        history_claims.broken_of,
        freezes=False,
    ),
)
