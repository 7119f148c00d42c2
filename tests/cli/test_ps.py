"""What `ps` says of the data beside the processes."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from lakeproof.cli.process_table import freshness
from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish import main_now
from lakeproof.lake.publish.commit import DatabaseState

BOTH = {"nessie", "shop-capture"}


def published(ages: Mapping[str, float | None]) -> dict[str, DatabaseState]:
    """States with heartbeats of so long ago, published now; None: one without a heartbeat."""
    now = datetime.now(UTC)
    return {
        name: DatabaseState(
            1, None, None if age is None else int((now - timedelta(seconds=age)).timestamp() * 1e6), {}, now
        )
        for name, age in ages.items()
    }


@pytest.mark.parametrize(
    ("ages", "components", "told"),
    [
        ({"oltp": 90.2, "shop": 4.2}, BOTH, "age of the data on main: oltp 90.2 s, shop 4.2 s"),
        ({"oltp": 1.2}, BOTH, "age of the data on main: oltp 1.2 s, shop unknown"),
        ({"oltp": 1.2, "shop": None}, BOTH, "age of the data on main: oltp 1.2 s, shop unknown"),
        # PostgreSQL was captured once, and is no more: its state stays in every later commit.
        ({"oltp": 1.2, "shop": 900.0}, {"nessie"}, "age of the data on main: oltp 1.2 s"),
        ({}, BOTH, "main shows no data yet"),
        (CouldNotLook("no answer"), BOTH, "how old main's data is, is not known: no answer"),
    ],
)
def test_it_tells_the_age_of_the_newest_heartbeat_by_database_and_not_of_the_last_publish(
    ages: Mapping[str, float | None] | CouldNotLook,
    components: set[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def on_main(address: str) -> dict[str, DatabaseState]:
        if isinstance(ages, CouldNotLook):
            raise ages
        return published(ages)

    monkeypatch.setattr(main_now, "states_on_main", on_main)
    assert freshness("127.0.0.1:1", components) == told
