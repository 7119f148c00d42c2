"""A shop that lies: it stands between shoppers and an order service, and changes what is asked for or told."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

REFUSED = {"error": {"code": "conflict", "message": "no", "fields": []}, "outcome": "not_done", "trace_id": "t"}


class Lies:
    """Of every third creation the first price is a cent higher; every third payment is made and then refused."""

    def __init__(self) -> None:
        self.dearer: list[str] = []
        self.refused_and_paid: list[str] = []
        self._created = self._paid = 0

    def asked(self, method: str, path: str, key: str, body: bytes) -> bytes:
        """What the service is asked for instead."""
        if (method, path) != ("POST", "/orders"):
            return body
        self._created += 1
        if self._created % 3:
            return body
        order = json.loads(body)
        item = order["items"][0]
        item["unit_price"] = str(Decimal(item["unit_price"]) + Decimal("0.01"))
        self.dearer.append(key)
        return json.dumps(order).encode()

    def told(self, path: str, key: str, status: int, body: bytes) -> tuple[int, bytes]:
        """What the shopper is told instead."""
        if status != 200 or not path.endswith("/pay"):
            return status, body
        self._paid += 1
        if self._paid % 3:
            return status, body
        self.refused_and_paid.append(key.rpartition(".v")[0])
        return 409, json.dumps(REFUSED).encode()


@contextmanager
def lying_shop(url: str) -> Iterator[tuple[str, Lies]]:
    """Its address, and the keys of the orders that it lied about."""
    lies, service = Lies(), urlsplit(url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            key = self.headers.get("Idempotency-Key", "")
            headers = {name: value for name, value in self.headers.items() if name.lower() != "content-length"}
            connection = http.client.HTTPConnection(service.hostname or "", service.port, timeout=20)
            connection.request(self.command, self.path, lies.asked(self.command, self.path, key, body), headers)
            answer = connection.getresponse()
            status, told = lies.told(self.path, key, answer.status, answer.read())
            connection.close()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        do_GET = do_POST = do_PATCH = do_DELETE = _pass_on

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", lies
        server.shutdown()
