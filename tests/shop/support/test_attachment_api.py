"""A file whose pieces do not come: refused in time, from the disk as from the archive."""

import threading
import uuid
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest
from fastapi import Request

from lakeproof_shop.services.support.archive import Archive
from lakeproof_shop.services.support.attachment_api import AttachmentApi, get_attachment
from lakeproof_shop.services.support.file_store import FileStore
from lakeproof_shop.services.support.models import Place
from lakeproof_shop.services.support.piece_reader import PieceReader
from lakeproof_shop.serving.refusal import Refusal


class Hanging:
    """A disk and an archive that give nothing until `goes_on`."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()

    def chunks(self, *_: object) -> Iterator[bytes]:
        self.goes_on.wait(30)
        yield b"late"


@pytest.mark.parametrize("place", [Place.LOCAL, Place.ARCHIVE])
async def test_a_file_whose_first_piece_is_late_is_refused(place: Place) -> None:
    source, disk, archive = Hanging(), PieceReader("disk", 0.1), PieceReader("archive", 0.1)
    one = SimpleNamespace(id=1, file=str(uuid.uuid4()), place=place, size=4, sha256="", name="a", content_type="")

    async def case(_: int) -> object:
        return SimpleNamespace(attachments=[one])

    attachments = AttachmentApi(cast(FileStore, source), cast(Archive, source), 10, disk, archive)
    state = SimpleNamespace(support=SimpleNamespace(case=case), attachments=attachments)
    request = cast(Request, SimpleNamespace(app=SimpleNamespace(state=state)))
    try:
        with pytest.raises(Refusal) as refused:
            await get_attachment(request, 7, 1)
    finally:
        source.goes_on.set()
        disk.close()
        archive.close()
    assert (refused.value.status, refused.value.code, refused.value.outcome) == (503, "file_unavailable", "not_done")
