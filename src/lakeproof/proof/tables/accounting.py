"""Is every difference explained by a finding, or allowed by a rule? A difference that is neither counts as unknown.

The judge (ledger_rules.py) looks only for the wrongs that it knows. This module looks from the other side. For every
opened bucket it asks whether the rows that were read give the engine's digests, and whether each order that is not as
last acknowledged, or not as in the database, is named by a finding or allowed to differ.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from lakeproof.proof.findings import Finding
from lakeproof.proof.tables.buckets import Digest, Digests, digests_of
from lakeproof.proof.tables.canonical import ORDERS, TABLES, Table, as_text
from lakeproof.proof.tables.ranges import in_words
from lakeproof_shop.customers.ledger import Expectation, Expectations
from lakeproof_shop.proof.contents import Contents
from lakeproof_shop.services.order.models import Order

type Rows = Mapping[str, Sequence[Sequence[Any]]]

_PART = re.compile(r" (line |v)\S+$")
SHOWN = 5


def unlike_digests(
    engine: str, given: Digests, rows: Rows, opened: Collection[int], width: int, tables: Sequence[Table] = TABLES
) -> Iterator[str]:
    """In words: buckets whose rows, as read, do not give the engine's own digest, though both are of one instant."""
    for table in tables:
        read = digests_of(table, rows[table.name], width)
        for bucket in sorted(opened):
            before, now = (each.get(bucket, Digest()) for each in (given[table.name], read))
            if before != now:
                of = in_words(bucket, width, of_text=table.has_text_key)
                yield (
                    f"{engine}: {table.name}, {of}: its digest is of {before.rows} rows, and the {now.rows} rows "
                    "that it then gave have another"
                )


class Account:
    """Which differences in one engine are explained.

    cut_us: what was acknowledged after this time may be there or not. findings: the engine's and the database's.
    """

    def __init__(self, expectations: Expectations, cut_us: int, findings: Iterable[Finding], *, whole: bool) -> None:
        self._expected, self._cut_us, self._whole = expectations.by_key, cut_us, whole
        self._named = {_PART.sub("", finding.key) for finding in findings}
        self._key_of_id = {
            state.order.id: one.key
            for one in expectations.by_key.values()
            for state in one.acknowledged
            if state.order is not None and state.order.id is not None
        }

    def unexplained(self, engine: str, found: Contents, opened: Collection[int], width: int) -> Iterator[str]:
        """Orders of the opened buckets that are not as last acknowledged, though nothing says why."""
        shown: dict[int, list[Order]] = defaultdict(list)
        for order in found.orders:
            shown[order.id or 0].append(order)
        ids = shown.keys() | found.items.keys() | found.events.keys() | self._key_of_id.keys()
        odd = [
            id_
            for id_ in sorted(ids)
            if id_ // width in opened
            and not self._is_as_acknowledged(id_, shown[id_], found)
            and not self._is_explained(id_, {row.client_key for row in shown[id_]})
        ]
        yield from _told(engine, odd, width, "not as the ledger has them")

    def unlike_database(
        self, engine: str, database: Rows, lake: Rows, opened: Collection[int], width: int
    ) -> Iterator[str]:
        """Orders of the opened buckets whose rows are not the database's, though nothing says why."""
        ours, theirs = _by_order(database), _by_order(lake)
        # The ledger has no id for an order that an unclear call may have made; only the row's client key names it.
        keys = _keys_by_order(database, lake)
        odd = [
            id_
            for id_ in sorted(ours.keys() | theirs.keys())
            if id_ // width in opened and ours.get(id_) != theirs.get(id_) and not self._is_explained(id_, keys[id_])
        ]
        yield from _told(engine, odd, width, "not as in the database")

    def _is_as_acknowledged(self, id_: int, rows: list[Order], found: Contents) -> bool:
        one = self._expected.get(self._key_of_id.get(id_, ""))
        if one is None or not one.acknowledged:
            return False
        last = one.acknowledged[-1]
        items = tuple(found.items.get(id_, ()))
        versions = Counter(event.version for event in found.events.get(id_, ()))
        if versions != Counter(range(1, last.version + 1)):
            return False
        if last.order is None or not rows:
            return last.order is None and not rows and not items
        return len(rows) == 1 and last.order.describes(replace(rows[0], items=items))

    def _is_explained(self, id_: int, keys: Set[str]) -> bool:
        """keys: the client keys of the order's rows, as they were read."""
        keys = {self._key_of_id.get(id_, ""), *keys} - {""}
        if f"order id {id_}" in self._named or keys & self._named:
            return True
        known = [one for key in keys if (one := self._expected.get(key)) is not None]
        if not known:
            return not self._whole  # somebody else's, who is not judged
        return all(self._may_differ(one) for one in known)

    def _may_differ(self, one: Expectation) -> bool:
        """An unclear call may have been done or not; what was acknowledged after the cut may be missing yet."""
        return one.open_call is not None or (bool(one.acknowledged) and one.acknowledged[-1].at_us >= self._cut_us)


def _by_order(rows: Rows) -> dict[int, Counter[tuple[str, ...]]]:
    """Order id → all its rows, as text. Rows without an order id are findings anyway, and are left out."""
    found: dict[int, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for table in TABLES:
        place = [column.name for column in table.columns].index(table.order_column)
        for row in rows[table.name]:
            if row[place] is not None:
                text = ("NULL" if value is None else f"={as_text(value)}" for value in row)
                found[int(row[place])][(table.name, *text)] += 1
    return dict(found)


def _keys_by_order(*engines: Rows) -> dict[int, set[str]]:
    """The client keys under which these engines show each order."""
    id_, key = ([column.name for column in ORDERS.columns].index(name) for name in ("id", "client_key"))
    found: dict[int, set[str]] = defaultdict(set)
    for rows in engines:
        for row in rows[ORDERS.name]:
            if row[id_] is not None and row[key] is not None:
                found[int(row[id_])].add(str(row[key]))
    return found


def _told(engine: str, ids: Sequence[int], width: int, what: str) -> Iterator[str]:
    by_bucket: dict[int, list[int]] = defaultdict(list)
    for id_ in ids:
        by_bucket[id_ // width].append(id_)
    for bucket, of in by_bucket.items():
        some = ", ".join(str(id_) for id_ in of[:SHOWN]) + (f" and {len(of) - SHOWN} more" if len(of) > SHOWN else "")
        yield f"{engine}: {in_words(bucket, width)}: orders {some} are {what}, and no rule says why"
