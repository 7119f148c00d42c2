"""What callers see of attachments."""

from typing import Literal

from pydantic import BaseModel


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


class AttachmentsBody(BaseModel):
    """The attachments of a case, oldest first."""

    attachments: list[AttachmentBody]
