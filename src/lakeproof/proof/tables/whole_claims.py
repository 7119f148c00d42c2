"""What must hold of each captured database at every published hash, since it holds at the end of each transaction."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from lakeproof.lake.query.trino import at_snapshot
from lakeproof.lake.sources.source import OLTP, SHOP, Source
from lakeproof.proof.tables.judged_table import JudgedTable
from lakeproof_shop.proof import history_claims, order_claims


class Broken(Protocol):
    """What breaks a claim: an order, a payment. database: the source's name."""

    database: ClassVar[str]

    @property
    def noun(self) -> str:
        """The kind of thing, such as "order", as the judged tables name it."""

    @property
    def key(self) -> int | None:
        """Its id; None: NULL."""

    @property
    def claim(self) -> str:
        """The claim, in words."""

    @property
    def subject(self) -> str:
        """Noun and id, for people."""

    @property
    def detail(self) -> str:
        """How it breaks the claim."""


@dataclass(frozen=True)
class WholeClaims:
    """The claims on one database.

    tables: the tables that the claims read.
    states_sql: makes the statement over several states, in SQL that the source and Trino both take. A state maps each
    table to its expression for FROM. "" where no state has the tables.
    source_sql: makes the same statement over the database as it is now, from table → schema.
    broken_of: the claims that rows of such a statement break. The rows are given without their first column, the
    state's place among the states.
    freezes: whether publishing stops while the newest hash breaks the claims and the database does not.
    """

    source: Source
    tables: Mapping[str, JudgedTable]
    states_sql: Callable[[Sequence[Mapping[str, str]]], str]
    source_sql: Callable[[Mapping[str, str]], str]
    broken_of: Callable[[Iterable[Sequence[Any]]], Sequence[Broken]]
    freezes: bool

    @property
    def judged(self) -> tuple[str, ...]:
        """The names of the tables that the claims read."""
        return tuple(self.tables)

    def lake_sql(self, states: Sequence[Mapping[str, int]]) -> str:
        """`states_sql` for Trino, with each state given as table → snapshot."""
        name = self.source.name
        return self.states_sql(
            [{table: at_snapshot(name, table, snapshot) for table, snapshot in each.items()} for each in states]
        )

    def broken_by_place(self, rows: Iterable[Sequence[Any]], places: int) -> list[tuple[Broken, ...]]:
        """What is broken in each state, by the rows of a statement over `places` states."""
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
    # Broken claims are reported here, but do not freeze `main`: that would hold back MariaDB's orders as well.
    WholeClaims(
        SHOP,
        history_claims.TABLES,
        history_claims.history_sql,
        _histories_in_source,
        history_claims.broken_of,
        freezes=False,
    ),
)
