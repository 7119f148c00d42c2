"""`traffic` and its exit codes, against a shop that answers from memory."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lakeproof.cli.commands import build

AT = "2026-11-24T14:43:53.042722Z"
HEALTHY = {"status": "healthy", "dependencies": {}}


def made(key: str, asked: dict[str, Any]) -> dict[str, Any]:
    """The order that was asked for, as the shop returns it."""
    items = [{"id": line, "line": line, **item} for line, item in enumerate(asked["items"], start=1)]
    cents = sum(item["quantity"] * round(float(item["unit_price"]) * 100) for item in items)
    return {
        "id": 1,
        "client_key": key,
        "customer_id": asked["customer_id"],
        "status": "created",
        "total": f"{cents / 100:.2f}",
        "item_count": len(items),
        "version": 1,
        "created_at": AT,
        "updated_at": AT,
        "items": items,
    }


@contextmanager
def a_shop(**wrong: object) -> Iterator[str]:
    """Makes orders, with these values instead of those that were asked for; takes nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, status: int, body: object) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def do_GET(self) -> None:
            self._answer(200, HEALTHY)

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            if self.path == "/orders":
                self._answer(201, made(self.headers["Idempotency-Key"], asked) | wrong)
            else:
                self._answer(404, {"error": {"code": "not_found"}, "outcome": "not_done"})

        do_PATCH = do_DELETE = do_POST

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("wrong", "exit_code", "words"),
    [({}, 0, ""), ({"customer_id": 0}, 1, "-0000001: create at version 1: customer_id ")],
)
def test_an_answer_that_is_not_what_was_asked_for_ends_traffic_with_1_and_is_named(
    own_stack: Path, wrong: dict[str, object], exit_code: int, words: str
) -> None:
    with a_shop(**wrong) as url:
        arguments = ["traffic", "--rate", "20", "--seconds", "0.5", "--base-url", url]
        done = CliRunner().invoke(build(), [*arguments, "--run", "r1"])
        told = CliRunner().invoke(build(), [*arguments, "--run", "r2", "--json"])
    assert (done.exit_code, told.exit_code) == (exit_code, exit_code), done.output
    assert ("not what was asked for: " in done.output) is bool(wrong) and words in done.output
    report = json.loads(told.stdout)
    assert (report["mismatched"] > 0) is bool(wrong)
    assert len(report["mismatches"]) == min(report["mismatched"], 20)
