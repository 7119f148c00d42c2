"""The two pages of a small service of ours: /metrics for Prometheus, /health for its readiness question."""

import json
import logging
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

REQUEST_SECONDS = 5.0  # a caller that is slower than this is hung up on

type HealthPage = Callable[[], tuple[int, Mapping[str, object]]]

log = logging.getLogger(__name__)


def make_metrics_server(host: str, port: int, registry: CollectorRegistry, health: HealthPage) -> ThreadingHTTPServer:
    """A server that listens and does not serve yet: call its `serve_forever`.

    `health` is called at each request for /health, and gives (HTTP status, body).

    Raises: OSError where it cannot listen.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
            elif path == "/health":
                status, body = health()
                self._answer(status, "application/json", json.dumps(body).encode())
            else:
                self._answer(404, "application/json", b'{"detail": "only /metrics and /health"}')

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            log.debug(format, *args)  # a line per scrape tells nothing

    return ThreadingHTTPServer((host, port), Handler)
