"""Looks after the attachments' folder: counts its files for the metrics, and puts away files that have no row."""

import asyncio
import logging
import time
from itertools import batched

from lakeproof_shop.services.support.attachment_store import AttachmentStore
from lakeproof_shop.services.support.file_store import FileStore
from lakeproof_shop.services.support.metrics import SupportMetrics
from lakeproof_shop.serving.database.errors import DatabaseTrouble, SaidNo

logger = logging.getLogger(__name__)

COUNT_SECONDS = 2.0
SHARE_OF_TIME = 20  # a pause lasts at least this many times as long as the round before it
TIDY_SECONDS = 60.0
ABANDONED_SECONDS = 3600.0
BATCH = 500


class Caretaker:
    """Counts and tidies the folder: `run` until cancelled."""

    def __init__(self, files: FileStore, rows: AttachmentStore, metrics: SupportMetrics) -> None:
        self._files, self._rows, self._metrics = files, rows, metrics

    async def run(self) -> None:
        """Count again and again, and tidy every TIDY_SECONDS. A disk or database that fails is tried again."""
        tidied_at = float("-inf")
        while True:
            started = time.monotonic()
            try:
                stored = await asyncio.to_thread(self._files.stored)
                self._metrics.backlog_files.set(stored.files)
                self._metrics.backlog_bytes.set(stored.bytes)
                if started - tidied_at > TIDY_SECONDS:
                    await self.tidy(ABANDONED_SECONDS)
                    tidied_at = started
            except (OSError, DatabaseTrouble, SaidNo) as error:
                logger.warning("the attachments were not looked after", extra={"reason": str(error)})
            await asyncio.sleep(max(COUNT_SECONDS, SHARE_OF_TIME * (time.monotonic() - started)))

    async def tidy(self, age_seconds: float) -> int:
        """Delete uploads that were cut off, and set aside whole files without a row (a crash came between the two).
        They are not deleted, because with a wrong database no file would have a row. Gives how many were set aside.

        Raises: DatabaseTrouble, OSError.
        """
        await asyncio.to_thread(self._files.drop_abandoned, age_seconds)
        old = await asyncio.to_thread(self._files.older_than, age_seconds)
        aside = 0
        for batch in batched(old, BATCH):
            known = await self._rows.known(batch)
            for file in [each for each in batch if each not in known]:
                await asyncio.to_thread(self._files.set_aside, file)
                aside += 1
        if aside:
            logger.warning("files without a row were set aside", extra={"files": aside})
        return aside
