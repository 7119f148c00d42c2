"""A support case as everybody in Lakeproof sees it. Times are ISO 8601 in UTC with microseconds."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

Author = Literal["customer", "agent"]


class Status(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    CLOSED = "closed"


class Op(StrEnum):
    """What a caller can do with a case. Every operation but `open` needs a case that is open."""

    OPEN = "open"
    MESSAGE = "message"
    ATTACH = "attach"
    CLOSE = "close"

    @property
    def event(self) -> str:
        """The `type` of the row in case_events. The message for other services has it with `case.` before it."""
        return {Op.OPEN: "opened", Op.MESSAGE: "message_added", Op.ATTACH: "attachment_added", Op.CLOSE: "closed"}[
            self
        ]


class Place(StrEnum):
    """Where an attachment's bytes lie."""

    LOCAL = "local"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody wrote."""

    id: int
    author: Author
    body: str
    at: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a case. `file`: the name of its bytes, for the service alone."""

    id: int
    case_id: int
    name: str
    content_type: str
    size: int
    sha256: str
    place: str
    created_at: str
    file: str

    def to_json(self) -> dict[str, Any]:
        """The attachment as callers see it."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "file"}


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One change of a case."""

    version: int
    type: str
    at: str


@dataclass(frozen=True, slots=True)
class Case:
    """One case at one version, with its messages, oldest first."""

    id: int
    customer_id: int
    order_id: int | None
    subject: str
    status: str
    version: int
    created_at: str
    updated_at: str
    messages: tuple[Message, ...]
    attachments: tuple[Attachment, ...]
    events: tuple[CaseEvent, ...]

    def to_json(self) -> dict[str, Any]:
        """The case as callers see it, without a timeline."""
        told = {name: getattr(self, name) for name in self.__slots__ if name != "events"}
        attachments = [attachment.to_json() for attachment in self.attachments]
        return told | {"messages": list(self.messages), "attachments": attachments, "timeline": None}
