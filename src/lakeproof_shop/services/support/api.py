"""The support service's HTTP API. Every change needs Idempotency-Key and is safe to repeat."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from lakeproof.deadline import Deadline
from lakeproof_shop.services.support.models import Case, Message, Op
from lakeproof_shop.services.support.requests import MAX_ID, MessageRequest, OpenRequest
from lakeproof_shop.services.support.store import CaseStore, Changed
from lakeproof_shop.services.support.timeline import Entry, Source
from lakeproof_shop.services.support.timelines import Timelines
from lakeproof_shop.serving.answering import EVERY_ROUTE_SAYS, NO_KEY_SAYS, RequiredKey, answer_within, headers_of
from lakeproof_shop.serving.operation import operation
from lakeproof_shop.serving.refusal import Refusal, json_response, refusals

router = APIRouter(tags=["support"], responses=EVERY_ROUTE_SAYS)

CaseId = Annotated[int, Path(ge=1, le=MAX_ID)]

_STATUS_OF = {"not_found": 404, "key_reused": 422, "not_allowed": 409, "too_many": 409}
NOT_FOUND = refusals({404: "No such case."})
CHANGE_SAYS = NOT_FOUND | NO_KEY_SAYS | refusals({409: "The case is closed, or has reached its limit."})


class TimelineBody(BaseModel):
    """What happened, oldest first. `complete`: every source told what it knew at `collected_at` or later."""

    order_id: int | None
    complete: bool
    sources: dict[str, Source]
    came_from: Literal["remote", "cache", "none"]
    collected_at: str | None
    entries: list[Entry]


class AttachmentBody(BaseModel):
    """One attachment. `content_type` is what its bytes are; `place`: on the service's disk, or in the archive."""

    id: int
    case_id: int
    name: str
    content_type: str
    size: int
    sha256: str
    place: Literal["local", "archive"]
    created_at: str


class CaseBody(BaseModel):
    """A case with its messages and attachments, oldest first; `timeline` where it was asked for."""

    id: int
    customer_id: int
    order_id: int | None
    subject: str
    status: Literal["open", "closed"]
    version: int
    created_at: str
    updated_at: str
    messages: list[Message]
    attachments: list[AttachmentBody]
    timeline: TimelineBody | None


@dataclass(frozen=True)
class SupportApi:
    """What the routes need."""

    store: CaseStore
    timelines: Timelines
    request_seconds: float

    async def answer[T](self, call: Callable[[Deadline], Awaitable[T]]) -> T:
        """Run one request's work within `request_seconds`. Raises: Refusal for everything that is not a success."""
        return await answer_within(self.request_seconds, call, _STATUS_OF)

    async def case(self, case_id: int) -> Case:
        """The case with that id. Raises: Refusal 404 where there is none."""
        found = await self.answer(lambda deadline: self.store.find(case_id, deadline))
        if found is None:
            raise Refusal(404, "not_found", f"no case {case_id}")
        return found


def api_of(request: Request) -> SupportApi:
    """The SupportApi that app.py put into `app.state.support`."""
    api: SupportApi = request.app.state.support
    return api


def _case_response(changed: Changed, status: int) -> Response:
    return json_response(changed.case.to_json(), status, headers_of(changed.case.version, replayed=changed.replayed))


@router.post(
    "/support/cases",
    status_code=201,
    response_model=CaseBody,
    responses={
        **NO_KEY_SAYS,
        200: {"model": CaseBody, "description": "This key opened the case before; here it is as it is now."},
    },
)
async def open_case(request: Request, body: OpenRequest, idempotency_key: RequiredKey) -> Response:
    """Open a case."""
    api, asked = api_of(request), operation(Op.OPEN, idempotency_key, None, body.canonical())
    changed = await api.answer(lambda deadline: api.store.open(body, asked, deadline))
    return _case_response(changed, 200 if changed.replayed else 201)


@router.get("/support/cases/{case_id}", response_model=CaseBody, responses=NOT_FOUND)
async def get_case(
    request: Request,
    case_id: CaseId,
    include_timeline: Annotated[bool, Query(alias="includeTimeline")] = False,
) -> Response:
    """A case. Its timeline names the sources that are missing, and is answered in time even if a source hangs."""
    api = api_of(request)
    case = await api.case(case_id)
    body = case.to_json()
    if include_timeline:
        body["timeline"] = await api.timelines.of(case)
    return json_response(body, 200, headers_of(case.version))


@router.post("/support/cases/{case_id}/timeline/refresh", response_model=TimelineBody, responses=NOT_FOUND)
async def refresh_timeline(request: Request, case_id: CaseId) -> Response:
    """Ask every source anew; nothing that was collected before is served afterwards."""
    api = api_of(request)
    return json_response(await api.timelines.refresh(await api.case(case_id)))


@router.post(
    "/support/cases/{case_id}/messages",
    status_code=201,
    response_model=CaseBody,
    responses={**CHANGE_SAYS, 200: {"model": CaseBody, "description": "This key added the message before."}},
)
async def add_message(
    request: Request, case_id: CaseId, body: MessageRequest, idempotency_key: RequiredKey
) -> Response:
    """Add a message to an open case."""
    api = api_of(request)
    asked = operation(Op.MESSAGE, idempotency_key, case_id, body.canonical())
    changed = await api.answer(lambda deadline: api.store.add_message(case_id, body, asked, deadline))
    return _case_response(changed, 200 if changed.replayed else 201)


@router.post("/support/cases/{case_id}/close", response_model=CaseBody, responses=CHANGE_SAYS)
async def close_case(request: Request, case_id: CaseId, idempotency_key: RequiredKey) -> Response:
    """Close an open case."""
    api, asked = api_of(request), operation(Op.CLOSE, idempotency_key, case_id)
    return _case_response(await api.answer(lambda deadline: api.store.close(case_id, asked, deadline)), 200)
