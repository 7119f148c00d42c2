"""Two pages, one port, and nothing else."""

import threading
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client import CollectorRegistry, Gauge

from lakeproof.metrics_server import make_metrics_server


@pytest.fixture
def url() -> Iterator[str]:
    registry = CollectorRegistry()
    Gauge("answer", "To everything", registry=registry).set(42)
    with make_metrics_server("127.0.0.1", 0, registry, lambda: (503, {"status": "stuck"})) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_metrics_health_and_nothing_else(url: str) -> None:
    with httpx.Client(base_url=url, trust_env=False) as client:  # one connection for all
        assert "answer 42.0" in client.get("/metrics?name=answer").text
        health = client.get("/health")
        assert (health.status_code, health.json()) == (503, {"status": "stuck"})
        assert client.get("/").status_code == 404
