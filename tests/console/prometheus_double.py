"""An HTTP server that answers as Prometheus does, with what the test gives it."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lakeproof.stack.stack import Stack


@contextmanager
def prometheus(stack: Stack, results: Mapping[str, Any]) -> Iterator[tuple[Stack, list[dict[str, str]]]]:
    """results: query → `result`. Gives the stack with that Prometheus, and the questions asked so far."""
    asked: list[dict[str, str]] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            question = {name: values[0] for name, values in parse_qs(parts.query).items()}
            asked.append({"path": parts.path, **question})
            kind = "matrix" if parts.path.endswith("query_range") else "vector"
            data = {"resultType": kind, "result": results.get(question.get("query", ""), [])}
            body = json.dumps({"status": "success", "data": data}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield stack.at("prometheus", f"http://127.0.0.1:{server.server_port}"), asked
    finally:
        server.shutdown()
        server.server_close()
