"""How far a branch's history is walked for one commit."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from lakeproof.lake.nessie import CLOCK_STEP, NEAR, NessieClient, NoSuchReference
from lakeproof.lake.nessie_commit import Commit

AT = datetime(2026, 11, 26, tzinfo=UTC)


class Walked(NessieClient):
    """Main's history has a commit each second: the newest is 9999, the oldest 0. 5500a is one that it has lost."""

    def __init__(self) -> None:
        self.seen = 0

    def history(self, reference: str, limit: int, *, at_hash: str | None = None) -> Iterator[Commit]:
        if at_hash == "never":
            raise NoSuchReference("not found", where=at_hash)
        newest = int(at_hash[:4]) if at_hash else 9999
        for number in islice(range(newest, -1, -1), limit):
            self.seen += 1
            name = at_hash if at_hash and number == newest else str(number)
            yield Commit(name, None, AT + timedelta(seconds=number), "", {})


@pytest.mark.parametrize(
    ("commit", "held", "walked"),
    [
        ("9998", True, 2),
        ("5500", True, NEAR + 1 + 4500),
        ("5500a", False, NEAR + 1 + 4500 + CLOCK_STEP.total_seconds() + 1),
        ("0", True, NEAR + 1 + 10_000),
        ("never", False, NEAR),
    ],
)
def test_a_commit_is_not_looked_for_among_older_ones(commit: str, held: bool, walked: int) -> None:
    nessie = Walked()
    assert nessie.holds("main", commit) is held
    assert nessie.seen == walked
