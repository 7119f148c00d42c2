"""What `ps` says of the data beside the processes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from tests.published_commit import published_commit

from lakeproof.cli.process_table import freshness
from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import DatabaseState, PublishedCommit
from lakeproof.lake.publish.history import NothingPublished
from lakeproof.lake.sources import source
from lakeproof.lake.sources.source import SOURCES
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def published(**beats_seconds: float) -> PublishedCommit:
    """A commit of this moment with heartbeats of so long ago."""
    now = datetime.now(UTC)
    us = {name: int((now - timedelta(seconds=age)).timestamp() * 1e6) for name, age in beats_seconds.items()}
    others = {name: DatabaseState(1, None, beat, {}, now) for name, beat in us.items() if name != "oltp"}
    return published_commit("ab", now, 1, None, us.get("oltp"), {}, now, others)


def fails(error: Exception) -> Callable[[Stack], PublishedCommit]:
    def raises(stack: Stack) -> PublishedCommit:
        raise error

    return raises


@pytest.mark.parametrize(
    ("newest", "told"),
    [
        (lambda stack: published(oltp=90.2, shop=4.2), "age of the data on main: oltp 90.2 s, shop 4.2 s"),
        (lambda stack: published(oltp=1.2), "age of the data on main: oltp 1.2 s, shop unknown"),
        (fails(NothingPublished("nothing was published yet")), "main shows no data yet"),
        (fails(CouldNotLook("no answer")), "how old main's data is, is not known: no answer"),
    ],
)
def test_it_tells_the_age_of_the_newest_heartbeat_by_database_and_not_of_the_last_publish(
    newest: Callable[[Stack], PublishedCommit], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "present", lambda stack: SOURCES)
    monkeypatch.setattr(history, "newest", newest)
    assert freshness(Stack(Settings(name="none"))) == told
