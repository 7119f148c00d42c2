"""What must hold of each captured database at every published hash, since it holds at the end of each transaction."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from lakeproof.lake.sources.source import OLTP, SHOP, Source
from lakeproof.proof.tables import history_claims, order_claims


class Broken(Protocol):
    """What breaks a claim: an order, a payment. database: the source's name."""

    database: ClassVar[str]

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

    judged: the tables that they read. lake_sql: a statement for Trino over several states, each of them table →
    snapshot; "" where none of them has the tables. source_sql: the same of the database as it is now, by the schema
    of each table. broken_of: what rows of either break; without their first column, a state's place among the states.
    freezes: whether nothing more is published while the newest hash breaks them and its source does not.
    """

    source: Source
    judged: tuple[str, ...]
    lake_sql: Callable[[Sequence[Mapping[str, int]]], str]
    source_sql: Callable[[Mapping[str, str]], str]
    broken_of: Callable[[Iterable[Sequence[Any]]], Sequence[Broken]]
    freezes: bool


def _histories_in_lake(states: Sequence[Mapping[str, int]]) -> str:
    return history_claims.history_sql(
        [
            {
                table: f"{SHOP.name}.{table} FOR VERSION AS OF BIGINT '{snapshot}'"
                for table, snapshot in snapshots.items()
            }
            for snapshots in states
        ]
    )


def _histories_in_source(schemas: Mapping[str, str]) -> str:
    return history_claims.history_sql([{table: f"{schema}.{table}" for table, schema in schemas.items()}])


CLAIMS = (
    WholeClaims(
        OLTP,
        order_claims.JUDGED,
        lambda states: order_claims.across_sql(OLTP.name, states),
        lambda schemas: order_claims.across_sql(OLTP.name, [{}]),
        order_claims.broken_of,
        freezes=True,
    ),
    # Told alone: after a lost slot PostgreSQL's tables are read anew, one after the other (lake/capture/new_slot.py).
    # A `main` that stood still meanwhile would never show the end of that, and MariaDB's orders would wait for it.
    WholeClaims(
        SHOP,
        history_claims.JUDGED,
        _histories_in_lake,
        _histories_in_source,
        history_claims.broken_of,
        freezes=False,
    ),
)
