"""The object store: answers, keeps what it acknowledged, is told apart from a stopped one."""

from collections.abc import Callable

import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.components import find
from lakeproof.stack.engines.minio import HEALTH_PATH
from lakeproof.stack.object_store import BUCKETS, s3_client
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]

type Up = Callable[..., SupervisorClient]


def wait_until_ready(stack: Stack) -> None:
    """`up` may look before the supervisor has seen the end: ask the component itself."""

    def look() -> bool:
        find("minio").ready(stack, 2.0)
        return True

    Deadline(90.0).wait_for("minio to answer again", look)


def test_it_has_its_buckets_and_the_runbooks_health_path(up: Up, stack: Stack) -> None:
    import httpx

    up("minio")
    assert {bucket["Name"] for bucket in s3_client(stack).list_buckets()["Buckets"]} >= set(BUCKETS)
    assert httpx.get(f"{stack.url('minio')}{HEALTH_PATH}", trust_env=False).status_code == 200


def test_an_acknowledged_object_survives_kill_9(up: Up, stack: Stack) -> None:
    client = up("minio")
    s3_client(stack).put_object(Bucket="lake", Key="test/kept", Body=b"kept")
    client.kill("minio")
    wait_until_ready(stack)
    assert s3_client(stack).get_object(Bucket="lake", Key="test/kept")["Body"].read() == b"kept"


def test_a_stopped_store_is_not_ready(up: Up, stack: Stack) -> None:
    client = up("minio")
    client.kill("minio", "STOP")
    try:
        with pytest.raises(NotReady):
            find("minio").ready(stack, 1.0)
    finally:
        client.kill("minio", "CONT")
    wait_until_ready(stack)
