"""Whom Alertmanager tells, on loopback: Slack's incoming webhooks, PagerDuty's Events API v2 and a mail server.

Each answers as the real one does, refuses what the real one refuses, and keeps what it took.
"""

import asyncio
import email
import json
import re
import threading
import time
from dataclasses import dataclass, field
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import SMTP, Envelope, Session

CHANNELS = {"/slack": "#data-ops", "/slack-kafka": "#kafka"}
ROUTING_KEY = "r0ut1ng-key-of-32-characters-long"
MAILED_TO = "infra@example.com"
TITLE = re.compile(r"\[(FIRING|RESOLVED)(?: \d+)?\] (\w+)(?: · ([\w-]+))?(?: · INC-\d+)? \(")


@dataclass(frozen=True)
class Message:
    """One message that somebody got.

    `at`: UNIX time; `about`: the group, as alert and component; `key`: PagerDuty's.
    """

    to: str
    at: float
    fires: bool
    about: tuple[str, str]
    text: str
    key: str = ""


@dataclass
class People:
    """All receivers together. `refused`: what was no valid message, and why."""

    messages: list[Message] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        people = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = people.take(self.path, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self._mail = MailServer(self)

    @property
    def environment(self) -> dict[str, str]:
        """What Alertmanager has to be told."""
        url = f"http://127.0.0.1:{self._http.server_address[1]}"
        return {
            "ALERTMANAGER_SLACK_WEBHOOK_URL": f"{url}/slack",
            "ALERTMANAGER_SLACK_KAFKA_WEBHOOK_URL": f"{url}/slack-kafka",
            "ALERTMANAGER_PAGERDUTY_ROUTING_KEY": ROUTING_KEY,
            "ALERTMANAGER_PAGERDUTY_URL": f"{url}/v2/enqueue",
            "ALERTMANAGER_EMAIL_TO": MAILED_TO,
            "ALERTMANAGER_EMAIL_SMARTHOST": f"127.0.0.1:{self._mail.port}",
        }

    def close(self) -> None:
        """End the servers."""
        self._http.shutdown()
        self._http.server_close()
        self._mail.close()

    def take(self, path: str, body: bytes) -> tuple[int, bytes]:
        """One POST: HTTP status and answer."""
        if path in CHANNELS:
            return self._take_slack(path, body)
        return self._take_event(body) if path == "/v2/enqueue" else (404, b"no such address")

    def keep(self, to: str, title: str, text: str, fires: bool | None = None, key: str = "") -> bool:
        """Keep a message whose title names its group; False where it does not."""
        found = TITLE.search(title)
        if found is None or not text:
            self.refused.append(f"{to}: {title!r} {text!r}")
            return False
        said = found[1] == "FIRING"
        if fires not in (None, said):
            self.refused.append(f"{to}: {title!r} says otherwise than its event")
        self.messages.append(Message(to, time.time(), said, (found[2], found[3] or ""), text, key))
        return True

    def _take_slack(self, path: str, body: bytes) -> tuple[int, bytes]:
        try:
            given = json.loads(body)
            (attachment,) = given["attachments"]
            title, text = attachment["title"], attachment["text"]
        except (ValueError, KeyError, TypeError):
            self.refused.append(f"{path}: {body[:200]!r}")
            return 400, b"invalid_payload"
        if given.get("channel") != CHANNELS[path]:
            self.refused.append(f"{path}: channel {given.get('channel')!r}")
            return 404, b"channel_not_found"
        return (200, b"ok") if self.keep(f"slack-{CHANNELS[path][1:]}", title, text) else (400, b"no_text")

    def _take_event(self, body: bytes) -> tuple[int, bytes]:
        try:
            given = json.loads(body)
            action, key = given["event_action"], given["dedup_key"]
            payload = given["payload"]
            told = payload["summary"]
            valid = (
                given["routing_key"] == ROUTING_KEY
                and action in ("trigger", "acknowledge", "resolve")
                and payload["severity"] in ("critical", "error", "warning", "info")
                and payload["source"]
                and 0 < len(told) <= 1024
                and len(body) <= 512 * 1024
            )
        except (ValueError, KeyError, TypeError):
            valid = False
        if not valid or not self.keep("pagerduty", told, str(payload["custom_details"]), action == "trigger", key):
            self.refused.append(f"pagerduty: {body[:300]!r}")
            return 400, b'{"status": "invalid event", "message": "Event object is invalid"}'
        return 202, json.dumps({"status": "success", "message": "Event processed", "dedup_key": key}).encode()


class MailServer:
    """An SMTP server in a thread of its own."""

    def __init__(self, people: People) -> None:
        self._loop = asyncio.new_event_loop()
        self._controller = UnthreadedController(
            self, hostname="127.0.0.1", port=0, loop=self._loop, server_hostname="mail.test"
        )
        self._people = people
        server = self._loop.run_until_complete(self._loop.create_server(self._controller.factory, "127.0.0.1", 0))
        self.port: int = server.sockets[0].getsockname()[1]
        self._server = server
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """aiosmtpd calls it with a whole mail."""
        content = envelope.content
        assert isinstance(content, bytes)
        mail = email.message_from_bytes(content, policy=default)
        body = mail.get_body(("plain",))
        text = body.get_content() if body is not None else ""
        if envelope.rcpt_tos != [MAILED_TO] or not self._people.keep("email", str(mail["Subject"]), text):
            self._people.refused.append(f"mail to {envelope.rcpt_tos}: {content[:200]!r}")
            return "550 not taken"
        return "250 OK"

    def close(self) -> None:
        """End it."""

        def end() -> None:
            self._server.close()
            self._loop.stop()

        self._loop.call_soon_threadsafe(end)
        self._thread.join(timeout=10)
        self._loop.close()
