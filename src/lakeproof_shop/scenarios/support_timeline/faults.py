"""Faults of the scenario support-timeline."""

import os
import time
import uuid
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Literal

import httpx
from pydantic import Field

from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput, NotReady, TransientError
from lakeproof.faults.fault import Fault, Sign
from lakeproof.faults.roads import build_road, end_roads, find_roads, listen, url_of
from lakeproof.probes.redis import ROOM, room
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.handed_variable import hand_variable, handed_variables
from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines.postgres_accounts import DATABASE
from lakeproof.stack.engines.redis import asked
from lakeproof.stack.object_store import ATTACHMENT_BUCKET, s3_client
from lakeproof.stack.postgres_session import Session, transient_connection
from lakeproof.stack.stack import Stack
from lakeproof.written import read_if_there, write_file
from lakeproof_shop.scenarios.support_timeline.probes import (
    FINE,
    HEALTH_SECONDS,
    SERVICE,
    attachment_folder,
    late_sources,
    variable_of,
)
from lakeproof_shop.services.notification.client import probed_customer
from lakeproof_shop.services.support.file_store import FileStore, attachment_dir
from lakeproof_shop.services.support.requests import MAX_ATTACHMENTS

PREFIX = "rubbish:"

# Redis takes no longer string than half a GiB.
PIECE_BYTES = 256 << 20

# The keys go beyond the limit by this much: the used bytes that Redis counts vary with its clients' buffers.
OVER_BYTES = 1 << 20

MOST_BYTES = 1 << 30

SECONDS = 5.0


class FilledRedis(Fault):
    """Fill Redis with keys that never end.

    Redis is full of rubbish: large keys without an end of their own, which its eviction never takes.

    Every key of the shop has an end, so Redis lets all of them go to make room, and then refuses each further write.
    """

    def inject(self, stack: Stack) -> None:
        """Write until Redis is full.

        Raises: InvalidInput where it has no limit below a GiB, or also evicts keys that never end; TransientError.
        """
        with asked(stack, SECONDS) as redis:
            for number in count():
                memory = redis.info("memory")
                limit, used = int(memory["maxmemory"]), int(memory["used_memory"])
                if not 0 < limit < MOST_BYTES:
                    raise InvalidInput(
                        f"its maxmemory is {limit} bytes",
                        where="redis",
                        next_action="fill it where that is below a GiB",
                    )
                policy = str(memory["maxmemory_policy"])
                if policy.startswith("allkeys"):
                    raise InvalidInput(
                        f"its maxmemory-policy is {policy}, so it never stays full",
                        where="redis",
                        next_action="fill it where that is volatile-lru",
                    )
                if used > limit:
                    return
                # SETRANGE is a short command that makes a long string. The bytes of a long command count as used
                # before it is looked at, so Redis would refuse it while there is still room for its value.
                size = min(PIECE_BYTES, limit - used + OVER_BYTES)
                redis.setrange(f"{PREFIX}{number}", size - 1, b"x")

    def remove(self, stack: Stack) -> None:
        """Delete the keys; safe where there are none. Raises: TransientError."""
        with asked(stack, SECONDS) as redis:
            for key in redis.scan_iter(f"{PREFIX}*", count=1000):
                redis.unlink(key)

    def sign(self, stack: Stack) -> Sign:
        """Redis itself counts more bytes than it may use."""
        found = str(room(stack, SECONDS))
        return Sign(found != ROOM, f"Redis: {found}")


SUBJECT = "Rehearsal: hoarded attachments"

HEAD = b"%PDF-1.4\n"

FILE_BYTES = 5_000_000

CALL_SECONDS, SQL_SECONDS, LOOK_SECONDS = 30.0, 20.0, 5.0

FILES = "SELECT a.id, a.case_id, a.file FROM case_attachments a JOIN cases c ON c.id = a.case_id WHERE c.subject = $1"

FORGET = "DELETE FROM case_attachments WHERE id = ANY($1::bigint[])"


class HoardedAttachments(Fault):
    """Fill support's folder with attachments.

    Attachments fill support's folder: large files come to a case or two, at once and then at a steady pace.

    The attachments are real ones, uploaded as a customer does. Injecting takes as long as they come.

    `megabytes` at once, then `pace` megabytes a second for `seconds`, as long as the alert wants to see growth.
    """

    megabytes: int = Field(150, ge=0, le=5000)
    pace: float = Field(2.0, gt=0.9, le=20)
    seconds: int = Field(190, ge=0, le=7200)

    def inject(self, stack: Stack) -> None:
        """Upload the attachments, unless some are there. Raises: TransientError."""
        with _database(stack) as session:
            if session.rows(FILES, SUBJECT):
                return
        size = min(FILE_BYTES, stack.settings.support.attachment_max_bytes)
        began, sent, at_once = time.monotonic(), 0, self.megabytes * 1_000_000
        try:
            with httpx.Client(base_url=stack.url(SERVICE), timeout=CALL_SECONDS, trust_env=False) as client:
                case = 0
                for number in count():
                    if time.monotonic() - began >= self.seconds and sent >= at_once:
                        break
                    if number % MAX_ATTACHMENTS == 0:
                        case = _open_case(client)
                    body = HEAD + os.urandom(size - len(HEAD))
                    client.post(
                        f"/support/cases/{case}/attachments", files={"file": ("hoard.pdf", body)}, headers=_key()
                    ).raise_for_status()
                    sent += size
                    early = (sent - at_once) / (self.pace * 1_000_000) - (time.monotonic() - began)
                    if early > 0:
                        Deadline(early).pause(early)
        except httpx.HTTPError as error:
            raise TransientError(
                f"{type(error).__name__}: {error}", where=SERVICE, next_action="lakeproof ps"
            ) from error

    def remove(self, stack: Stack) -> None:
        """Delete the attachments, wherever they lie by now, and their rows last: so a crash half-way forgets none."""
        with _database(stack) as session:
            found = session.rows(FILES, SUBJECT)
            if found:
                files, client = FileStore(attachment_dir(stack)), s3_client(stack)
                for _, case, file in found:
                    files.delete(file)
                    client.delete_object(Bucket=ATTACHMENT_BUCKET, Key=f"{case}/{file}")
                session.rows(FORGET, [row[0] for row in found])

    def sign(self, stack: Stack) -> Sign:
        """The service's own gauge shows a folder beyond its limits."""
        seen = attachment_folder(stack, LOOK_SECONDS)
        return Sign(seen != FINE, f"the folder of attachments: {seen}")

    def lasts(self) -> float:
        """As the base."""
        return self.seconds


def _open_case(client: httpx.Client) -> int:
    opened = {"customer_id": probed_customer(datetime.now(UTC)), "subject": SUBJECT}
    made = client.post("/support/cases", json=opened, headers=_key()).raise_for_status().json()
    return int(made["id"])


def _database(stack: Stack) -> AbstractContextManager[Session]:
    return transient_connection(
        stack, "support_service", "postgres-support-service", SQL_SECONDS, DATABASE, "support"
    )


def _key() -> dict[str, str]:
    return {"Idempotency-Key": f"rehearsal-{uuid.uuid4().hex}"}


SOURCE_LOOK_SECONDS = 5.0


class SlowedSource(Fault):
    """Let the support service reach one source of its timelines by a slow road.

    The support service reaches one source of its timelines by a slow road; everybody else reaches it as before.

    A proxy that answers late stands on that road for the time of the fault, and support is restarted with its
    address.

    `source`: the slowed one. `seconds`: how late each answer is; support gives a source up after 2.5 s.
    """

    source: Literal["order", "payment", "fulfillment"] = "fulfillment"
    seconds: float = Field(3.0, gt=2 * HEALTH_SECONDS, le=60)

    def inject(self, stack: Stack) -> None:
        """Start the proxy unless it is there, and restart support with its address."""
        our_processes(stack, f"restart {SERVICE}")
        variable = variable_of(self.source)
        before = handed_variables(stack, SERVICE).get(variable)
        known = self._urls(stack)
        url = next(iter(_roads(stack, self).values()), None) or self._build(stack)
        if before != url:
            if before is not None and before not in known:
                write_file(_note(stack, self, "before"), before, mode=0o600)  # there may be a password in it
            hand_variable(stack, SERVICE, variable, url)

    def remove(self, stack: Stack) -> None:
        """Restart support with its old address unless it has that, and end the proxy.

        The proxy may be gone already, so its address is noted. Raises: NotReady while support has no process, since
        the supervisor would start it with the proxy's address again.
        """
        roads, variable, client = _roads(stack, self), variable_of(self.source), SupervisorClient(stack)
        urls = self._urls(stack)
        if urls and client.running():
            if client.row(SERVICE).pid is None:
                raise NotReady(
                    "it has no process, so its addresses cannot be looked at",
                    where=SERVICE,
                    next_action=f"lakeproof up {SERVICE}, then lakeproof fault remove {self.id}",
                )
            before = read_if_there(_note(stack, self, "before"))
            has = handed_variables(stack, SERVICE).get(variable)
            # A repair gives support the stack's own address, since it cannot know the old one.
            if has in urls or (has is None and before is not None):
                hand_variable(stack, SERVICE, variable, before)
        end_roads(roads)
        for what in ("", "before"):
            _note(stack, self, what).unlink(missing_ok=True)

    def sign(self, stack: Stack) -> Sign:
        """Support itself says that this source does not answer in time, and the source answers us at once."""
        late = late_sources(stack, SOURCE_LOOK_SECONDS)
        return Sign(f"{self.source}-service" in str(late).split(), f"late for {SERVICE}: {late}")

    def _urls(self, stack: Stack) -> set[str]:
        """The URLs of the fault's proxies, also of one that was killed."""
        return {*_roads(stack, self).values(), *(read_if_there(_note(stack, self)) or "").split()}

    def _build(self, stack: Stack) -> str:
        """Start the proxy; gives its URL."""
        with listen() as listening:
            url = url_of(listening)
            note = _note(stack, self)
            write_file(note, f"{read_if_there(note) or ''} {url}".strip())
            server = stack.host_port(f"{self.source}-service", "http")
            build_road(stack, self.source, listening, server, self.seconds, SERVICE)
        return url


def _roads(stack: Stack, arguments: SlowedSource) -> dict[int, str]:
    """The proxies of this fault: pid → URL."""
    return find_roads(stack, arguments.source)


def _note(stack: Stack, arguments: SlowedSource, what: str = "") -> Path:
    """Keeps the proxies' URLs, since a killed proxy tells nobody. what="before": keeps support's old address."""
    return stack.data_dir(SERVICE) / "-".join(("slow-road", arguments.source, *([what] if what else [])))
