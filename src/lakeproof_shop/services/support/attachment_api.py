"""Attachments over HTTP: streamed in and out, never held in memory as a whole, never stored under a caller's name."""

import asyncio
import contextlib
import logging
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from lakeproof_shop.services.support.api import CHANGE_SAYS, NOT_FOUND, AttachmentBody, CaseId, api_of
from lakeproof_shop.services.support.archive import Archive, NotInArchive
from lakeproof_shop.services.support.content import ALLOWED
from lakeproof_shop.services.support.file_store import FileStore
from lakeproof_shop.services.support.models import Attachment, Op, Place
from lakeproof_shop.services.support.piece_reader import PieceLate, PieceReader
from lakeproof_shop.services.support.requests import MAX_ID
from lakeproof_shop.services.support.upload import AROUND_BYTES, FIELD, receive
from lakeproof_shop.serving.answering import EVERY_ROUTE_SAYS, RequiredKey, headers_of
from lakeproof_shop.serving.gate import RouteLimit
from lakeproof_shop.serving.operation import operation
from lakeproof_shop.serving.refusal import Refusal, Says, json_response, refusals

logger = logging.getLogger(__name__)

attachment_router = APIRouter(tags=["support"], responses=EVERY_ROUTE_SAYS)

AttachmentId = Annotated[int, Path(ge=1, le=MAX_ID)]
UPLOAD_SECONDS = 60.0

_UPLOAD_SAYS: Says = {
    **CHANGE_SAYS,
    200: {"model": AttachmentBody, "description": "This key added it before."},
    **refusals(
        {415: f"No form with a file, or it is none of {', '.join(ALLOWED)}.", 507: "No room for attachments."}
    ),
}
_UPLOAD_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}


class AttachmentsBody(BaseModel):
    """The attachments of a case, oldest first."""

    attachments: list[AttachmentBody]


@dataclass(frozen=True)
class AttachmentApi:
    """What these routes need beside the SupportApi."""

    files: FileStore
    archive: Archive
    max_bytes: int
    from_disk: PieceReader
    from_archive: PieceReader


def route_limit(max_bytes: int) -> RouteLimit:
    """The gate's limit on an upload: the bytes of the file and of the form around it, and UPLOAD_SECONDS."""
    path = re.compile(r"/support/cases/\d{1,19}/attachments")
    return RouteLimit("POST", path, max_bytes + AROUND_BYTES, UPLOAD_SECONDS)


def _of(request: Request) -> AttachmentApi:
    api: AttachmentApi = request.app.state.attachments
    return api


@attachment_router.post(
    "/support/cases/{case_id}/attachments",
    status_code=201,
    response_model=AttachmentBody,
    responses=_UPLOAD_SAYS,
    openapi_extra=_UPLOAD_BODY,
)
async def add_attachment(request: Request, case_id: CaseId, idempotency_key: RequiredKey) -> Response:
    """Add a file to an open case: one part `file`. What it is, its bytes say; its name is only shown."""
    api, attachments = api_of(request), _of(request)
    await api.case(case_id)  # refused before any byte of the body is read
    name, received = await receive(
        request.stream(),
        request.headers.get("content-type"),
        attachments.files,
        max_bytes=attachments.max_bytes,
        seconds=UPLOAD_SECONDS,
    )
    try:
        if received.content_type is None:
            raise Refusal(415, "wrong_type", f"its bytes are none of {', '.join(ALLOWED)}")
        asked = operation(Op.ATTACH, idempotency_key, case_id, f"{name}|{received.size}|{received.sha256}")
        changed = await api.answer(lambda deadline: api.store.attach(case_id, name, received, asked, deadline))
    except Refusal as refusal:
        if refusal.outcome == "not_done":  # after an unclear outcome the row may exist: the caretaker finds out
            await asyncio.to_thread(attachments.files.delete, received.file)
        raise
    made = next(one for one in changed.case.attachments if one.id == changed.made)
    if uuid.UUID(made.file) != received.file:
        await asyncio.to_thread(attachments.files.delete, received.file)
    return json_response(made.to_json(), 200 if changed.replayed else 201, headers_of(replayed=changed.replayed))


@attachment_router.get("/support/cases/{case_id}/attachments", response_model=AttachmentsBody, responses=NOT_FOUND)
async def list_attachments(request: Request, case_id: CaseId) -> Response:
    """The attachments of a case, on the disk or in the archive."""
    case = await api_of(request).case(case_id)
    return json_response({"attachments": [one.to_json() for one in case.attachments]})


@attachment_router.get(
    "/support/cases/{case_id}/attachments/{attachment_id}",
    response_class=Response,
    responses={
        **refusals(
            {
                404: "No such case, or no such attachment of it.",
                410: "The file is lost: neither on the disk nor in the archive.",
            }
        ),
        200: {
            "description": "The file.",
            "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ALLOWED},
        },
    },
)
async def get_attachment(request: Request, case_id: CaseId, attachment_id: AttachmentId) -> Response:
    """The file's bytes, from the disk or from the archive."""
    case = await api_of(request).case(case_id)
    found = next((one for one in case.attachments if one.id == attachment_id), None)
    if found is None:
        raise Refusal(404, "not_found", f"case {case_id} has no attachment {attachment_id}")
    attachments = _of(request)
    file = uuid.UUID(found.file)
    try:
        if found.place == Place.LOCAL:
            with contextlib.suppress(FileNotFoundError):  # an offload has moved the file since the row was read
                return await _stream(attachments.from_disk, attachments.files.chunks(file), found)
        return await _stream(attachments.from_archive, attachments.archive.chunks(case_id, file), found)
    except PieceLate as error:
        raise Refusal(503, "file_unavailable", f"the file cannot be read now: {error}") from error
    except NotInArchive as error:
        if error.is_absent:
            logger.error("an attachment is lost", extra={"case": case_id, "attachment": attachment_id})
            raise Refusal(410, "file_lost", "the file is neither on the disk nor in the archive") from error
        raise Refusal(503, "file_unavailable", f"the file cannot be read now: {error}") from error


async def _stream(reader: PieceReader, pieces: Iterator[bytes], found: Attachment) -> Response:
    """Stream the pieces. Raises: what the first piece raises. A piece that fails later cuts the answer short."""
    first = await reader.next(pieces)
    headers = {**_headers(found), "content-length": str(found.size)}
    return StreamingResponse(_rest(first, reader, pieces), media_type=found.content_type, headers=headers)


async def _rest(first: bytes, reader: PieceReader, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    while piece := await reader.next(pieces):
        yield piece


def _headers(found: Attachment) -> dict[str, str]:
    """Headers with which a browser saves the file and does not run it."""
    return {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(found.name, safe='')}",
        "x-content-type-options": "nosniff",
        "etag": f'"{found.sha256}"',
    }
