"""Attachments: size and sha256 by their rows, and by the files in the folder or the archive, each read whole.

A check would take longer the more was ever uploaded. So it reads only the newest files and others by the seed, up to
a limit of bytes and of seconds, and reports how many there are.
"""

import hashlib
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any
from uuid import UUID

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.stack.database_rows import rows_of
from lakeproof.stack.object_store import s3_client
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.claims.facts import AttachmentFact, Store
from lakeproof_shop.services.support.archive import Archive, NotInArchive
from lakeproof_shop.services.support.file_store import FileStore, attachment_dir
from lakeproof_shop.services.support.models import Place

NEWEST, OTHERS = 50, 450  # files
BYTES_AT_MOST = 512 * 1024 * 1024
SECONDS_AT_MOST = 20.0
ARCHIVE_SECONDS = 10.0  # for one answer of the archive
TOLD_EVERY_SECONDS = 2.0
# The place named in errors. It is not a store's name: other parts of that store would not be read after such an error
# (reading.py), and a file that cannot be read says nothing about them.
WHERE = "attachments"
_ROWS = """
WITH newest AS (SELECT * FROM case_attachments ORDER BY id DESC LIMIT $1),
     others AS (SELECT * FROM case_attachments WHERE id NOT IN (SELECT id FROM newest)
                ORDER BY md5(id::text || ':' || $3::text) LIMIT $2),
     named AS (SELECT * FROM case_attachments WHERE id = ANY($4::bigint[]))
SELECT id, case_id, file, place, size, sha256, (SELECT count(*) FROM case_attachments) AS of_all
FROM (SELECT * FROM named UNION SELECT * FROM newest UNION SELECT * FROM others) AS chosen
ORDER BY id = ANY($4::bigint[]) DESC, id DESC
"""


def read_attachments(
    stack: Stack,
    there: Collection[Store],
    seed: int,
    progress: Callable[[str], None],
    named: Collection[int] = (),
) -> dict[str, Any]:
    """Fields of the facts; the `named` ones are read first.

    Raises: CouldNotLook where a file exists and cannot be read, or no file was read in time; InvalidInput where the
    folder of the files is not known.
    """
    rows = rows_of(stack, "support", _ROWS, NEWEST, OTHERS, str(seed), sorted(named))
    bytes_of = _Bytes(stack, there)
    deadline, told_at = Deadline(SECONDS_AT_MOST), time.monotonic()
    facts: list[AttachmentFact] = []
    total = 0
    for id_, case_id, file, place, size, sha256, _ in rows:
        found = None if total >= BYTES_AT_MOST and facts else _digest(bytes_of(place, case_id, file), deadline)
        if found is None:
            break
        # The size of the file, not the row's: a damaged size in a row must not end the reading.
        total += max(0, found[0])
        facts.append(AttachmentFact(id_, case_id, place, size, sha256, *found))
        if time.monotonic() - told_at > TOLD_EVERY_SECONDS:
            told_at = time.monotonic()
            progress(f"shop: {len(facts)} of {len(rows)} attachments are read")
    if rows and not facts:
        raise CouldNotLook(f"no file was read within {SECONDS_AT_MOST:g} s", where=WHERE)
    return {"attachments": tuple(facts), "all_attachments": rows[0][6] if rows else 0, "seed": seed}


class _Bytes:
    """Gives a file's bytes piece by piece, from the place that its row names."""

    def __init__(self, stack: Stack, there: Collection[Store]) -> None:
        self._stack, self._there = stack, there
        self._archive: Archive | None = None

    def __call__(self, place: str, case_id: int, file: UUID) -> Iterator[bytes]:
        """Raises while it is iterated: FileNotFoundError where there is no such file, CouldNotLook."""
        try:
            if place == Place.LOCAL:
                yield from FileStore(attachment_dir(self._stack)).chunks(UUID(str(file)))
            else:
                yield from self._archived().chunks(case_id, UUID(str(file)))
        except FileNotFoundError:
            raise
        except NotInArchive as error:
            if error.is_absent:
                raise FileNotFoundError(str(error)) from error
            raise CouldNotLook(f"the archive gives no attachment: {error}", where=Store.LABELS.value) from error
        except OSError as error:
            raise CouldNotLook(f"file {file} cannot be read: {error.strerror}", where=WHERE) from error

    def _archived(self) -> Archive:
        if Store.LABELS not in self._there:
            raise CouldNotLook("some are in the archive, and the object store is no part of this stack", where=WHERE)
        self._archive = self._archive or Archive(s3_client(self._stack, timeout_seconds=ARCHIVE_SECONDS))
        return self._archive


def _digest(pieces: Iterator[bytes], deadline: Deadline) -> tuple[int, str] | None:
    """Size and sha256; -1 and "" where there is no file; None where the deadline ended the reading."""
    digest, size = hashlib.sha256(), 0
    try:
        for piece in pieces:
            if deadline.expired:
                return None
            digest.update(piece)
            size += len(piece)
    except FileNotFoundError:
        return -1, ""
    return size, digest.hexdigest()
