"""Local servers that speak Jira Cloud's REST API v3, GitHub's REST API and a webhook, as far as the desk uses them.

Routes, payloads, answers and refusals are those of the vendors' reference: Jira wants Atlassian's document format and
moves issues by transitions only; GitHub gives a label's issues as a list and wants its headers.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class FakeItsm:
    """What every server keeps. `break_next`: do the next creation, and close the connection without an answer.

    `down`: answer 503 to everything, with `retry_after` as its header. `login`: as a proxy in front of it that wants
    a login, answer 200 with a page to everything. calls: method and path of each, in order.
    """

    def __init__(self) -> None:
        self.tickets: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.down = False
        self.login = False
        self.retry_after = ""
        self.break_next = False
        self.hidden = False
        self.headers: dict[str, str] = {}
        self.lock = threading.Lock()

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        raise NotImplementedError


STATUSES = {"11": ("To Do", "new"), "21": ("In Progress", "indeterminate"), "31": ("Done", "done")}


class FakeJira(FakeItsm):
    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if not self.headers.get("authorization", "").startswith("Basic "):
            return 401, {"errorMessages": ["Client must be authenticated to access this resource."]}
        if (method, path) == ("POST", "/rest/api/3/search/jql"):
            label = re.search(r'labels = "([^"]+)"', body["jql"])
            assert label is not None
            issues = [one for one in self.tickets.values() if label[1] in one["fields"]["labels"]]
            return 200, {"issues": [] if self.hidden else issues, "isLast": True}
        if (method, path) == ("POST", "/rest/api/3/issue"):
            if problem := self._problem(body["fields"], new=True):
                return 400, {"errorMessages": [], "errors": problem}
            key = f"{body['fields']['project']['key']}-{len(self.tickets) + 1}"
            status = {"name": "To Do", "statusCategory": {"key": "new"}}
            self.tickets[key] = {"id": "1", "key": key, "fields": body["fields"] | {"status": status}}
            return 201, {"id": "1", "key": key, "self": f"/rest/api/3/issue/1{key}"}
        found = re.fullmatch(r"/rest/api/3/issue/([A-Z]+-\d+)(/transitions)?", path)
        if found is None or found[1] not in self.tickets:
            return 404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."]}
        issue = self.tickets[found[1]]
        if found[2]:
            if method == "GET":
                return 200, {
                    "transitions": [
                        {"id": number, "name": name, "to": {"name": name, "statusCategory": {"key": category}}}
                        for number, (name, category) in STATUSES.items()
                    ]
                }
            name, category = STATUSES[body["transition"]["id"]]
            issue["fields"]["status"] = {"name": name, "statusCategory": {"key": category}}
            return 204, None
        if method == "PUT":
            if "status" in body["fields"]:
                return 400, {"errors": {"status": "Field 'status' cannot be set."}}
            if problem := self._problem(body["fields"], new=False):
                return 400, {"errors": problem}
            issue["fields"].update(body["fields"])
            return 204, None
        return 200, issue

    def _problem(self, fields: dict[str, Any], *, new: bool) -> dict[str, str]:
        problems = {}
        if not 0 < len(fields["summary"]) <= 255 or "\n" in fields["summary"]:
            problems["summary"] = "The summary is invalid because it contains newline characters or is too long."
        document = fields["description"]
        if not (isinstance(document, dict) and document.get("type") == "doc" and document.get("version") == 1):
            problems["description"] = "Operation value must be an Atlassian Document"
        elif '"text": ""' in json.dumps(document):
            problems["description"] = "INVALID_INPUT"
        if new and (not fields["project"].get("key") or not fields["issuetype"].get("name")):
            problems["project"] = "valid project is required"
        if any(" " in label for label in fields.get("labels", [])):
            problems["labels"] = "The label contains spaces which is invalid."
        return problems


class FakeGitHub(FakeItsm):
    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if not self.headers.get("authorization", "").startswith("Bearer "):
            return 401, {"message": "Requires authentication"}
        found = re.fullmatch(r"/repos/([\w.-]+/[\w.-]+)/issues(?:/(\d+))?", path)
        if found is None:
            return 404, {"message": "Not Found"}
        if method == "GET":
            label = query["labels"]
            rows = [one for one in self.tickets.values() if label in [each["name"] for each in one["labels"]]]
            return 200, rows if query.get("state") == "all" else [one for one in rows if one["state"] == "open"]
        if method == "POST":
            if any(len(label) > 50 for label in body["labels"]):
                return 422, {"message": "Validation Failed"}
            number = len(self.tickets) + 1
            self.tickets[str(number)] = {
                "number": number,
                "html_url": f"https://github.example/{found[1]}/issues/{number}",
                "state": "open",
                "title": body["title"],
                "body": body["body"],
                "labels": [{"name": name} for name in body["labels"]],
            }
            return 201, self.tickets[str(number)]
        issue = self.tickets.get(found[2] or "")
        if method != "PATCH" or issue is None:
            return 404, {"message": "Not Found"}
        if body.get("state_reason") not in (None, "completed", "not_planned", "reopened"):
            return 422, {"message": "Validation Failed"}
        issue.update(body)
        return 200, issue


class FakeReceiver(FakeItsm):
    """A webhook's receiver that keeps tickets by `key`, and heeds Idempotency-Key."""

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        ticket = self.tickets.setdefault(body["key"], {"seen": []})
        if self.headers["idempotency-key"] not in ticket["seen"]:
            ticket["seen"].append(self.headers["idempotency-key"])
            ticket.update(body)
        return 200, {"key": f"T{list(self.tickets).index(body['key']) + 1}"}


@contextmanager
def serve(fake: FakeItsm) -> Iterator[str]:
    """Its address, while it is served."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("content-length") or 0)
            raw = self.rfile.read(length)
            with fake.lock:
                fake.calls.append(f"{self.command} {parts.path}")
                fake.headers = {name.lower(): value for name, value in self.headers.items()}
                if fake.down:
                    status, said = 503, {"message": "down for maintenance"}
                elif fake.login:
                    status, said = 200, None
                else:
                    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                    before = len(fake.tickets)
                    status, said = fake.answer(self.command, parts.path, query, json.loads(raw) if raw else None)
                    if fake.break_next and len(fake.tickets) > before:
                        fake.break_next = False
                        self.close_connection = True
                        self.connection.close()
                        return
            content = b"" if said is None else json.dumps(said).encode()
            if fake.login:
                content = b"<html><form>user, password</form></html>"
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if fake.login else "application/json")
            if fake.down and fake.retry_after:
                self.send_header("Retry-After", fake.retry_after)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = _do

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a connection that a test broke on purpose

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
