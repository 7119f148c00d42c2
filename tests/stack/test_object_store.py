"""Clients of the object store, which every Python process of a stack makes."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.session
import pytest

from lakeproof.stack import object_store
from lakeproof.stack.object_store import bucket_and_key, client_of


def test_all_clients_of_a_process_share_one_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each further one would read again what S3's calls look like, 0.17 s of a core. Threads make them at once."""
    made: list[Any] = []
    real = botocore.session.get_session

    def count() -> Any:
        made.append(real())
        return made[-1]

    object_store._session.cache_clear()
    monkeypatch.setattr(botocore.session, "get_session", count)
    with ThreadPoolExecutor(4) as threads:
        clients = list(
            threads.map(
                lambda n: client_of(f"http://127.0.0.1:{n}", "a", "b", timeout_seconds=1, attempts=1), range(4)
            )
        )
    assert len(made) == 1
    assert [client.meta.endpoint_url for client in clients] == [f"http://127.0.0.1:{n}" for n in range(4)]


def test_a_table_names_its_bucket_in_either_scheme() -> None:
    assert bucket_and_key("s3://lake/wh/oltp.db") == bucket_and_key("s3a://lake/wh/oltp.db") == ("lake", "wh/oltp.db")
