"""The rows of attachments, for the offload and the caretaker: which files are local, and since when."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from lakeproof.deadline import Deadline
from lakeproof_shop.serving.database.metrics import DatabaseMetrics
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import Connection, Row, attempts_on

SECONDS = 10.0

_DUE = """
SELECT id, case_id, size, sha256, file FROM case_attachments
WHERE place = 'local' AND created_at <= now() - make_interval(secs => $1::float8) AND id > $2
ORDER BY id LIMIT $3
"""
_ARCHIVED = """
UPDATE case_attachments SET place = 'archive', archived_at = now()
WHERE id = $1 AND place = 'local' AND sha256 = $2 RETURNING id
"""
_ROWS = "SELECT id, case_id, size, sha256, file, place FROM case_attachments WHERE file = ANY($1::uuid[])"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One attachment's row, as far as moving its file needs it."""

    id: int
    case_id: int
    size: int
    sha256: str
    file: uuid.UUID


class AttachmentStore:
    """The rows of attachments, by way of a pool of connections."""

    def __init__(self, pool: ConnectionPool[Connection], metrics: DatabaseMetrics) -> None:
        self._attempts = attempts_on(pool, metrics)

    async def due(self, age_seconds: float, after_id: int, limit: int) -> list[StoredFile]:
        """The first `limit` local files of that age or older with an id above `after_id`. Raises: DatabaseTrouble."""
        rows = await self._attempts.run(
            lambda connection: connection.fetch(_DUE, age_seconds, after_id, limit), Deadline(SECONDS)
        )
        return [_stored(row) for row in rows]

    async def archived(self, stored: StoredFile) -> bool:
        """Write that the file's bytes are in the archive; False: the row said so already. Raises: DatabaseTrouble."""
        written = await self._attempts.transact(
            lambda connection: connection.fetch(_ARCHIVED, stored.id, stored.sha256), Deadline(SECONDS)
        )
        return bool(written)

    async def known(self, files: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[StoredFile, str]]:
        """File → its row and place, for those of these files that have a row. Raises: DatabaseTrouble."""
        rows = await self._attempts.run(lambda connection: connection.fetch(_ROWS, list(files)), Deadline(SECONDS))
        return {row["file"]: (_stored(row), row["place"]) for row in rows}


def _stored(row: Row) -> StoredFile:
    return StoredFile(row["id"], row["case_id"], row["size"], row["sha256"], uuid.UUID(str(row["file"])))
