"""Events of stock that Kafka does not have yet: of each SKU the next ones, without a gap, and not too many.

All of them lie in their SKUs' partitions. What there is no room for here, or comes after one that this process does
not know, is left there and read when its turn comes: so a Kafka that is away costs no memory.
"""

from collections.abc import Sequence

from lakeproof.services.database.cassandra import Row

KEPT = 10_000  # of all SKUs together
KEPT_OF_ONE = 1_000


class UnsentEvents:
    """The store adds what it wrote, the relay what it read; the relay takes. Rows: (number, id, payload).

    `all_sent`: by SKU, up to which number Kafka has them.

    A SKU is behind where there is more to read of it now: what had no room here, and what `learn` told of. A gap that
    `add` met is most likely another instance's event, which that one sends: only `learn` says that it is left.
    """

    def __init__(self) -> None:
        self._runs: dict[str, list[Row]] = {}  # by SKU, none empty; each begins after what is sent
        self.all_sent: dict[str, int] = {}
        self._written: dict[str, int] = {}
        self._behind: dict[str, None] = {}  # in the order in which they are to be read
        self._kept = 0

    @property
    def room(self) -> int:
        """So many more may be kept."""
        return max(0, KEPT - self._kept)

    @property
    def skus(self) -> list[str]:
        """Those of which something is here; who was served last comes last."""
        return list(self._runs)

    def add(self, sku: str, rows: Sequence[Row]) -> None:
        """These are written, each after the one before it. What has no room here, or comes after a gap, is left."""
        for row in rows:
            end = self.end(sku)
            self._written[sku] = max(row[0], self._written.get(sku, 0))
            if row[0] != end + 1:
                continue
            if self.room and len(self._runs.get(sku, ())) < KEPT_OF_ONE:
                self._runs.setdefault(sku, []).append(row)
                self._kept += 1
            else:
                self._behind[sku] = None

    def add_read(self, sku: str, rows: Sequence[Row]) -> None:
        """These follow `end` in the partition. A SKU of which nothing new was found is not behind until `learn`."""
        before = self.end(sku)
        self.add(sku, rows)
        self._behind.pop(sku, None)
        if before < self.end(sku) < self._written[sku]:
            self._behind[sku] = None

    def learn(self, sku: str, written: int, sent: int) -> None:
        """Its partition says that so many were written, and up to which number Kafka has them."""
        self.note_sent(sku, sent)
        self._written[sku] = max(written, self._written.get(sku, 0))
        if self.end(sku) < self._written[sku]:
            self._behind.setdefault(sku)

    def note_sent(self, sku: str, number: int) -> None:
        """Kafka has them up to this number."""
        more = number - self.sent(sku)
        if more <= 0:
            return
        self.all_sent[sku] = number
        run = self._runs.pop(sku, [])
        self._kept -= min(more, len(run))
        if rest := run[more:]:
            self._runs[sku] = rest

    def sent(self, sku: str) -> int:
        """Up to this number Kafka has them."""
        return self.all_sent.get(sku, 0)

    def left(self, sku: str) -> int:
        """So many are known to be written and not sent."""
        return max(0, self._written.get(sku, 0) - self.sent(sku))

    def end(self, sku: str) -> int:
        """The number of the last one that is here or sent."""
        run = self._runs.get(sku)
        return int(run[-1][0]) if run else self.sent(sku)

    def next(self, sku: str, limit: int) -> list[Row]:
        """The next ones, in order."""
        return self._runs.get(sku, [])[:limit]

    @property
    def firsts(self) -> list[Row]:
        """Of each SKU the oldest that is here."""
        return [run[0] for run in self._runs.values()]

    def behind(self, at_once: int) -> list[str]:
        """The SKUs of which more is to be read and so many have room, first those that wait longest."""
        return [sku for sku in self._behind if len(self._runs.get(sku, ())) + at_once <= KEPT_OF_ONE]
