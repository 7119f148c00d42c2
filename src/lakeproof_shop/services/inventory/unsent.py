"""Events of stock that Kafka does not have yet: for each SKU the next ones, without a gap, in bounded memory.

All events lie in their SKUs' partitions. An event that has no room in memory, or that follows an event unknown to
this process, is left in its partition and read later. So a Kafka that is away costs no memory.
"""

from collections.abc import Sequence

from lakeproof_shop.serving.database.cassandra import Row

KEPT = 10_000  # events of all SKUs together
KEPT_OF_ONE = 1_000  # events of one SKU


class UnsentEvents:
    """The store adds events that it wrote, the relay adds events that it read, and the relay sends them.

    An event is a row (number, id, payload). `all_sent`: SKU → the number up to which Kafka has its events.

    A SKU is behind where events of it are to be read from its partition: events that had no room here, and those that
    `learn` told of. A gap that `add` meets does not put a SKU behind: the missing event is most likely another
    instance's, which sends it. Only `learn` tells that an event was left unsent.
    """

    def __init__(self) -> None:
        self._runs: dict[str, list[Row]] = {}  # SKU → its next events, never empty; begins after the last sent one
        self.all_sent: dict[str, int] = {}
        self._written: dict[str, int] = {}
        self._behind: dict[str, None] = {}  # an ordered set of SKUs: the first one is to be read first
        self._kept = 0

    @property
    def room(self) -> int:
        """How many more events may be kept."""
        return max(0, KEPT - self._kept)

    @property
    def skus(self) -> list[str]:
        """SKUs that have unsent events here, the least recently served first."""
        return list(self._runs)

    def add(self, sku: str, rows: Sequence[Row]) -> None:
        """Add written events, in their order. An event that has no room here, or follows a gap, is left out."""
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
        """Add events that were read after `end`. Where none of them is new, the SKU is not behind until `learn`."""
        before = self.end(sku)
        self.add(sku, rows)
        self._behind.pop(sku, None)
        if before < self.end(sku) < self._written[sku]:
            self._behind[sku] = None

    def learn(self, sku: str, written: int, sent: int) -> None:
        """Take over what the SKU's partition says: how many events were written, and how many of them Kafka has."""
        self.note_sent(sku, sent)
        self._written[sku] = max(written, self._written.get(sku, 0))
        if self.end(sku) < self._written[sku]:
            self._behind.setdefault(sku)

    def note_sent(self, sku: str, number: int) -> None:
        """Kafka has the SKU's events up to this number: forget them."""
        more = number - self.sent(sku)
        if more <= 0:
            return
        self.all_sent[sku] = number
        run = self._runs.pop(sku, [])
        self._kept -= min(more, len(run))
        if rest := run[more:]:
            self._runs[sku] = rest

    def sent(self, sku: str) -> int:
        """The number up to which Kafka has the SKU's events."""
        return self.all_sent.get(sku, 0)

    def left(self, sku: str) -> int:
        """How many events are known to be written and not sent."""
        return max(0, self._written.get(sku, 0) - self.sent(sku))

    def end(self, sku: str) -> int:
        """The number of the last event that is here or sent."""
        run = self._runs.get(sku)
        return int(run[-1][0]) if run else self.sent(sku)

    def next(self, sku: str, limit: int) -> list[Row]:
        """The SKU's next events, in order."""
        return self._runs.get(sku, [])[:limit]

    @property
    def firsts(self) -> list[Row]:
        """The oldest event here of each SKU."""
        return [run[0] for run in self._runs.values()]

    def behind(self, at_once: int) -> list[str]:
        """The SKUs that are behind and have room for `at_once` more events, those that wait longest first."""
        return [sku for sku in self._behind if len(self._runs.get(sku, ())) + at_once <= KEPT_OF_ONE]
