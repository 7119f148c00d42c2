"""Attachments fill support's folder: large files come to a case or two, at once and then at a steady pace.

The attachments are real ones, uploaded as a customer does. Injecting takes as long as they come.
"""

import os
import time
import uuid
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import count

import httpx
from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import TransientError
from lakeproof.faults.fault import Fault, Sign
from lakeproof.probes.support import FINE, SERVICE, attachment_folder
from lakeproof.shop.notification.client import probed_customer
from lakeproof.shop.support.file_store import FileStore, attachment_dir
from lakeproof.shop.support.requests import MAX_ATTACHMENTS
from lakeproof.stack.engines.postgres_accounts import DATABASE
from lakeproof.stack.object_store import ATTACHMENT_BUCKET, s3_client
from lakeproof.stack.postgres_session import Session, transient_connection
from lakeproof.stack.stack import Stack

SUBJECT = "Rehearsal: hoarded attachments"
HEAD = b"%PDF-1.4\n"
FILE_BYTES = 5_000_000
CALL_SECONDS, SQL_SECONDS, LOOK_SECONDS = 30.0, 20.0, 5.0
FILES = "SELECT a.id, a.case_id, a.file FROM case_attachments a JOIN cases c ON c.id = a.case_id WHERE c.subject = $1"
FORGET = "DELETE FROM case_attachments WHERE id = ANY($1::bigint[])"


class HoardedAttachments(Arguments):
    """`megabytes` at once, then `pace` megabytes a second for `seconds`, as long as the alert wants to see growth."""

    megabytes: int = Field(150, ge=0, le=5000)
    pace: float = Field(2.0, gt=0.9, le=20)
    seconds: int = Field(190, ge=0, le=7200)


def inject(stack: Stack, arguments: HoardedAttachments) -> None:
    """Upload the attachments, unless some are there. Raises: TransientError."""
    with _database(stack) as session:
        if session.rows(FILES, SUBJECT):
            return
    size = min(FILE_BYTES, stack.settings.support.attachment_max_bytes)
    began, sent, at_once = time.monotonic(), 0, arguments.megabytes * 1_000_000
    try:
        with httpx.Client(base_url=stack.url(SERVICE), timeout=CALL_SECONDS, trust_env=False) as client:
            case = 0
            for number in count():
                if time.monotonic() - began >= arguments.seconds and sent >= at_once:
                    break
                if number % MAX_ATTACHMENTS == 0:
                    case = _open_case(client)
                body = HEAD + os.urandom(size - len(HEAD))
                client.post(
                    f"/support/cases/{case}/attachments", files={"file": ("hoard.pdf", body)}, headers=_key()
                ).raise_for_status()
                sent += size
                early = (sent - at_once) / (arguments.pace * 1_000_000) - (time.monotonic() - began)
                if early > 0:
                    Deadline(early).pause(early)
    except httpx.HTTPError as error:
        raise TransientError(f"{type(error).__name__}: {error}", where=SERVICE, next_action="lakeproof ps") from error


def _open_case(client: httpx.Client) -> int:
    opened = {"customer_id": probed_customer(datetime.now(UTC)), "subject": SUBJECT}
    made = client.post("/support/cases", json=opened, headers=_key()).raise_for_status().json()
    return int(made["id"])


def remove(stack: Stack, arguments: HoardedAttachments) -> None:
    """Delete the attachments, wherever they lie by now, and their rows last: so a crash half-way forgets none."""
    with _database(stack) as session:
        found = session.rows(FILES, SUBJECT)
        if found:
            files, client = FileStore(attachment_dir(stack)), s3_client(stack)
            for _, case, file in found:
                files.delete(file)
                client.delete_object(Bucket=ATTACHMENT_BUCKET, Key=f"{case}/{file}")
            session.rows(FORGET, [row[0] for row in found])


def sign(stack: Stack, arguments: HoardedAttachments) -> Sign:
    """The service's own gauge shows a folder beyond its limits."""
    seen = attachment_folder(stack, LOOK_SECONDS)
    return Sign(seen != FINE, f"the folder of attachments: {seen}")


def _database(stack: Stack) -> AbstractContextManager[Session]:
    return transient_connection(
        stack, "support_service", "postgres-support-service", SQL_SECONDS, DATABASE, "support"
    )


def _key() -> dict[str, str]:
    return {"Idempotency-Key": f"rehearsal-{uuid.uuid4().hex}"}


FAULT = Fault(
    "hoarded_attachments",
    "fill support's folder with attachments",
    inject,
    remove,
    sign,
    HoardedAttachments,
    lasts=lambda arguments: arguments.seconds,
)
