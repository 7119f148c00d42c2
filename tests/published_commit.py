"""A published commit for tests: MariaDB's state, beside it those of others."""

from collections.abc import Mapping
from datetime import datetime

from lakeproof.lake.publish.commit import DatabaseState, PublishedCommit
from lakeproof.lake.sources.source import OLTP


def published_commit(
    hash_: str,
    at: datetime,
    checkpoint: int = 1,
    gtid: str | None = None,
    beat_us: int | None = None,
    snapshots: Mapping[str, int] | None = None,
    readable_until: datetime | None = None,
    others: Mapping[str, DatabaseState] | None = None,
    moved: str = OLTP.name,
) -> PublishedCommit:
    """Readable until `at` where nothing else is said."""
    ours = DatabaseState(checkpoint, gtid, beat_us, snapshots or {}, at)
    return PublishedCommit(hash_, at, {OLTP.name: ours, **(others or {})}, readable_until or at, moved)
