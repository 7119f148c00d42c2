import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import EndpointConnectionError
from tests.conftest import Answering

from lakeproof.observability import object_store_exporter
from lakeproof.observability.object_store_exporter import (
    Listing,
    StoreMetrics,
    count,
    keep_listing,
    list_store,
    make_server,
)
from lakeproof.stack.object_store import client_of

LISTED = [
    ("lake", "wh/oltp.db/orders/a", 10),
    ("lake", "wh/oltp.db/orders/b", 20),
    ("lake", "loose", 1),
    ("fulfillment-artifacts", "chaos/fulfillment-delay/1", 5),
]


class Store:
    """An S3 client of two buckets, or of none that answers."""

    def __init__(self, *, answers: bool = True) -> None:
        self.answers = answers

    def list_buckets(self) -> dict[str, Any]:
        if not self.answers:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
        return {"Buckets": [{"Name": name} for name in sorted({bucket for bucket, _, _ in LISTED})]}

    def get_paginator(self, name: str) -> "Store":
        return self

    def paginate(self, Bucket: str) -> Iterator[dict[str, Any]]:
        yield {"Contents": [{"Key": key, "Size": size} for bucket, key, size in LISTED if bucket == Bucket]}
        yield {}


class Once(threading.Event):
    """Lets one round through."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout or 0.0)
        return len(self.pauses) > 1


def scrape(metrics: StoreMetrics, path: str = "/metrics") -> str:
    server = make_server("127.0.0.1", 0, metrics)
    threading.Thread(target=server.handle_request, daemon=True).start()
    text = httpx.get(f"http://127.0.0.1:{server.server_address[1]}{path}", trust_env=False).text
    server.server_close()
    return text


def test_objects_are_counted_by_first_folder_and_by_those_that_rules_name() -> None:
    assert count(LISTED).objects == {
        ("lake", "wh/"): 2,
        ("lake", ""): 1,
        ("fulfillment-artifacts", "chaos/"): 1,
        ("fulfillment-artifacts", "chaos/fulfillment-delay/"): 1,
    }


def test_metrics_have_the_names_of_the_contract(tmp_path: Path) -> None:
    metrics = StoreMetrics(tmp_path)
    keep_listing(Store(), metrics, Once())
    page = scrape(metrics)
    assert 'minio_objects{bucket="lake",prefix="wh/"} 2.0' in page
    assert 'minio_objects_bytes{bucket="lake",prefix="wh/"} 30.0' in page
    assert "minio_cluster_disk_free_bytes" in page
    assert "minio_listing_up 1.0" in page


def test_a_store_that_does_not_answer_keeps_the_old_counts_and_is_said() -> None:
    metrics = StoreMetrics(None)
    metrics.listing = count(LISTED)
    keep_listing(Store(answers=False), metrics, Once())
    assert 'prefix="wh/"} 2.0' in scrape(metrics)
    assert "minio_listing_up 0.0" in scrape(metrics)
    assert "Could not connect" in scrape(metrics, "/health")


BUCKETS = b"<ListAllMyBucketsResult><Buckets><Bucket><Name>lake</Name></Bucket></Buckets></ListAllMyBucketsResult>"
NO_SIZE = b"<ListBucketResult><Contents><Key>a</Key><Size>large</Size></Contents></ListBucketResult>"


@pytest.mark.parametrize(
    ("buckets", "objects"), [(b"<html><p>Sign in</p></html>", b""), (BUCKETS, NO_SIZE)], ids=["a page", "no size"]
)
def test_an_answer_that_is_no_list_is_an_error_and_listing_goes_on(
    answering: Answering, buckets: bytes, objects: bytes
) -> None:
    metrics = StoreMetrics(None)
    metrics.listing = count(LISTED)
    once = Once()
    proxy = answering(lambda method, path, body: (200, objects if path.startswith("/lake") else buckets))
    keep_listing(client_of(f"http://{proxy}", "key", "secret", timeout_seconds=30, attempts=1), metrics, once)
    assert metrics.listing.error
    assert once.pauses == [0.0, 2.0]
    assert 'prefix="wh/"} 2.0' in scrape(metrics)


def test_a_listing_is_made_once_a_minute() -> None:
    once, metrics = Once(), StoreMetrics(None)
    keep_listing(Store(), metrics, once)
    assert once.pauses == [0.0, 60.0]
    assert Listing().error == "not listed yet"


def test_a_listing_that_takes_long_is_made_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(client: Any) -> Iterator[tuple[str, str, int]]:
        time.sleep(0.1)
        return iter(LISTED)

    monkeypatch.setattr(object_store_exporter, "LISTING_SECONDS", 0.01)
    monkeypatch.setattr(object_store_exporter, "list_store", slowly)
    once, metrics = Once(), StoreMetrics(None)
    keep_listing(Store(), metrics, once)
    assert once.pauses[1] == 4 * metrics.listing.seconds >= 0.4


def test_after_each_page_the_store_rests_for_what_it_cost_it() -> None:
    class Slow(Store):
        def paginate(self, Bucket: str) -> Iterator[dict[str, Any]]:
            for page in super().paginate(Bucket):
                time.sleep(0.02)
                yield page

    rests: list[float] = []
    listed = list(list_store(Slow(), rests.append))
    assert sorted(listed) == sorted(LISTED)
    assert len(rests) == 4 and all(seconds >= 0.08 for seconds in rests)
