"""The answer of a service that refuses a request: why, and what the caller may rely on.

Every answer that is not a success has the same shape:

    {"error": {"code", "message", "fields": [{"field", "message"}]}, "outcome", "trace_id"}

outcome "not_done": certainly nothing was changed. "done": an earlier call of the same key did the change, and the
thing is gone since. "unclear": the change may or may not have been done; the same call with the same key finds out
and does not act twice.
"""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

import orjson
from fastapi import Response
from pydantic import BaseModel

from lakeproof_shop.serving.traces import trace_id

Outcome = Literal["not_done", "done", "unclear"]


class Refusal(Exception):
    """Raised anywhere while a request is handled; becomes the answer."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        outcome: Outcome = "not_done",
        fields: tuple[tuple[str, str], ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status, self.code, self.outcome, self.fields = status, code, outcome, fields
        self.headers = dict(headers or {})
        super().__init__(message)

    def to_json(self) -> dict[str, Any]:
        """The body of the answer."""
        return {
            "error": {
                "code": self.code,
                "message": str(self),
                "fields": [{"field": field, "message": message} for field, message in self.fields],
            },
            "outcome": self.outcome,
            "trace_id": trace_id.get(),
        }

    def to_response(self) -> Response:
        """The whole answer."""
        return json_response(self.to_json(), self.status, self.headers)


class FieldProblem(BaseModel):
    """One wrong field, by its path in the body ("items.0.quantity"), header or query."""

    field: str
    message: str


class ErrorDetail(BaseModel):
    """What went wrong."""

    code: str
    message: str
    fields: list[FieldProblem]


class RefusalBody(BaseModel):
    """The shape of every refusal, for OpenAPI."""

    error: ErrorDetail
    outcome: Outcome
    trace_id: str


type Says = dict[int | str, dict[str, Any]]  # a route's `responses` for OpenAPI, by status


def refusals(said: Mapping[int, str]) -> Says:
    """The refusals of a route for OpenAPI. `said`: status → when the route answers so."""
    return {status: {"model": RefusalBody, "description": when} for status, when in said.items()}


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`body` as JSON; orjson, because the framework's own encoder costs more than the database."""
    return Response(orjson.dumps(body, default=_plain), status, dict(headers or {}), "application/json")


def _plain(value: object) -> str:
    """Write a driver's own UUID class as text: orjson encodes the standard class only."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(type(value).__name__)
