"""The rows of attachments, as their files are moved and tidied: which are local, and for how long."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from lakeproof.deadline import Deadline
from lakeproof.services.database.attempts import Attempts
from lakeproof.services.database.metrics import DatabaseMetrics
from lakeproof.services.database.pool import ConnectionPool
from lakeproof.services.database.postgres import Connection, Row, execute

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
    """What the database knows of one file."""

    id: int
    case_id: int
    size: int
    sha256: str
    file: uuid.UUID


class AttachmentStore:
    """By way of a pool of connections."""

    def __init__(self, pool: ConnectionPool[Connection], metrics: DatabaseMetrics) -> None:
        self._attempts = Attempts(pool, metrics, execute)

    async def due(self, age_seconds: float, after_id: int, limit: int) -> list[StoredFile]:
        """Local files that old or older, by id. Raises: DatabaseTrouble."""

        async def read(connection: Connection) -> list[StoredFile]:
            return [_stored(row) for row in await connection.fetch(_DUE, age_seconds, after_id, limit)]

        return await self._attempts.run(read, Deadline(SECONDS))

    async def archived(self, stored: StoredFile) -> bool:
        """From now on its bytes are in the archive; False: they were already. Raises: DatabaseTrouble."""

        async def change(connection: Connection) -> bool:
            await connection.execute("BEGIN")
            return bool(await connection.fetch(_ARCHIVED, stored.id, stored.sha256))

        return await self._attempts.transact(change, Deadline(SECONDS))

    async def known(self, files: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[StoredFile, str]]:
        """Of these files those that have a row, with their place. Raises: DatabaseTrouble."""

        async def read(connection: Connection) -> dict[uuid.UUID, tuple[StoredFile, str]]:
            rows = await connection.fetch(_ROWS, list(files))
            return {row["file"]: (_stored(row), row["place"]) for row in rows}

        return await self._attempts.run(read, Deadline(SECONDS))


def _stored(row: Row) -> StoredFile:
    return StoredFile(row["id"], row["case_id"], row["size"], row["sha256"], uuid.UUID(str(row["file"])))
