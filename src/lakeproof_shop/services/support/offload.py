"""Moves old attachments from the folder into the object store. A file is deleted only after its copy was read back.

The steps of one attachment: check the local bytes against the row → write them to the archive → read them back and
compare → mark the row as archived → delete the local file. A run may be cut off anywhere: the next run goes on, and
verifies an archived row's copy once more before it deletes the leftover file.

The code is asynchronous because it uses the service's own statements (AttachmentStore) instead of a second set.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import batched
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from lakeproof.errors import TransientError
from lakeproof.stack.object_store import s3_client
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.support.archive import Archive, NotInArchive
from lakeproof_shop.services.support.attachment_store import AttachmentStore, StoredFile
from lakeproof_shop.services.support.file_store import FileStore, attachment_dir
from lakeproof_shop.services.support.models import Place
from lakeproof_shop.serving.database.errors import DatabaseTrouble
from lakeproof_shop.serving.database.metrics import DatabaseMetrics
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import connector_of

BATCH = 100
STORE_SECONDS = 30.0


@dataclass
class Offloaded:
    """What a run found and did. moved_by_another: candidates of this run that another run moved meanwhile."""

    dry_run: bool
    age_days: float
    candidates: int = 0
    candidate_bytes: int = 0
    moved: int = 0
    moved_bytes: int = 0
    moved_by_another: int = 0
    leftovers_deleted: int = 0
    failed: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """What the script prints."""
        return {
            "dryRun": self.dry_run,
            "ageDays": self.age_days,
            "candidates": self.candidates,
            "candidateBytes": self.candidate_bytes,
            "moved": self.moved,
            "movedBytes": self.moved_bytes,
            "movedByAnother": self.moved_by_another,
            "leftoversDeleted": self.leftovers_deleted,
            "failed": self.failed,
            "seconds": round(self.seconds, 3),
        }


class Offload:
    """Moves attachments. `progress` is called with a line for each attachment that moved or failed."""

    def __init__(
        self, rows: AttachmentStore, files: FileStore, archive: Archive, progress: Callable[[str], None]
    ) -> None:
        self._rows, self._files, self._archive, self._progress = rows, files, archive, progress

    async def run(self, age_days: float, *, dry_run: bool) -> Offloaded:
        """Move the attachments of that age or older. One that fails is told in `failed`, and stays where it is.

        Raises: DatabaseTrouble.
        """
        started = time.monotonic()
        done = Offloaded(dry_run, age_days)
        after = 0
        while batch := await self._rows.due(age_days * 86_400, after, BATCH):
            for stored in batch:
                done.candidates += 1
                done.candidate_bytes += stored.size
                if not dry_run:
                    await self._move(stored, done)
            after = batch[-1].id
        if not dry_run:
            await self._delete_leftovers(done)
        done.seconds = time.monotonic() - started
        return done

    async def _move(self, stored: StoredFile, done: Offloaded) -> None:
        path = self._files.path(stored.file)
        try:
            if await asyncio.to_thread(_sha256, path) != stored.sha256:
                raise NotInArchive("the local file is not what was uploaded")
            await asyncio.to_thread(self._archive.put, stored.case_id, stored.file, path, stored.sha256)
            await self._verify(stored)
        except (NotInArchive, OSError) as error:
            if not (isinstance(error, FileNotFoundError) and await self._is_archived(stored)):
                done.failed.append({"attachment": stored.id, "case": stored.case_id, "why": str(error)})
                self._progress(f"attachment {stored.id} stays: {error}")
                return
            by_this_run = False
        else:
            by_this_run = await self._rows.archived(stored)
            self._files.delete(stored.file)
        if by_this_run:
            done.moved += 1
            done.moved_bytes += stored.size
            self._progress(f"attachment {stored.id} moved ({stored.size} bytes)")
        else:
            done.moved_by_another += 1
            self._progress(f"attachment {stored.id} was moved by another run meanwhile")

    async def _is_archived(self, stored: StoredFile) -> bool:
        """True where the attachment's row says by now that it is archived. Raises: DatabaseTrouble."""
        known = await self._rows.known([stored.file])
        return stored.file in known and known[stored.file][1] == Place.ARCHIVE

    async def _verify(self, stored: StoredFile) -> None:
        """Read the archive's copy and compare its checksum with the row's. Raises: NotInArchive."""
        if await asyncio.to_thread(self._archive.sha256, stored.case_id, stored.file) != stored.sha256:
            raise NotInArchive("what the archive gives back is not what was written")

    async def _delete_leftovers(self, done: Offloaded) -> None:
        """Delete local files whose row says archive: an earlier run was cut off before it deleted them."""
        local = await asyncio.to_thread(self._files.older_than, 0.0)
        for some in batched(local, BATCH):
            known = await self._rows.known(some)
            for stored in [each for each, place in known.values() if place == Place.ARCHIVE]:
                try:
                    await self._verify(stored)
                except NotInArchive as error:
                    done.failed.append({"attachment": stored.id, "case": stored.case_id, "why": str(error)})
                    continue
                self._files.delete(stored.file)
                done.leftovers_deleted += 1


async def offload(stack: Stack, age_days: float, *, dry_run: bool, progress: Callable[[str], None]) -> Offloaded:
    """One run on a stack's database, folder and object store. Raises: TransientError where the database is away."""
    pool = ConnectionPool(connector_of(stack, "support"), 1)
    rows = AttachmentStore(pool, DatabaseMetrics(CollectorRegistry()))
    archive = Archive(s3_client(stack, timeout_seconds=STORE_SECONDS))
    try:
        return await Offload(rows, FileStore(attachment_dir(stack)), archive, progress).run(age_days, dry_run=dry_run)
    except DatabaseTrouble as error:
        raise TransientError(
            f"the database: {error}", where="postgres", next_action="lakeproof ps; what was moved stays moved"
        ) from error
    finally:
        await pool.close(1.0)


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
