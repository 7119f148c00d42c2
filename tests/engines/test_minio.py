"""The object store: answers, keeps what it acknowledged, is told apart from a stopped one."""

import os
import tarfile
from collections.abc import Iterator

import pytest
from tests.engines.conftest import Up

from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady, TerminalError
from lakeproof.probes.object_store import FULL, WRITABLE, free_megabytes, other_buckets, writes
from lakeproof.processes import detached
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.components import find
from lakeproof.stack.engines import store_folder
from lakeproof.stack.engines.minio import HEALTH_PATH
from lakeproof.stack.engines.store_disk import disk_folder, has_own_disk
from lakeproof.stack.object_store import BUCKETS, LABEL_BUCKET, s3_client
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.fulfillment_delay import repairs as fulfillment_delay_repairs
from lakeproof_shop.scenarios.fulfillment_delay.probes import pending_writes, ready_writes
from lakeproof_shop.scenarios.lake_commit_failure import faults, repairs
from lakeproof_shop.scenarios.lake_commit_failure.dump import BUCKET as DUMP
from lakeproof_shop.services.fulfillment.label import PENDING, READY

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]


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


@pytest.fixture
def filled(up: Up, stack: Stack) -> Iterator[SupervisorClient]:
    client = up("minio")
    s3_client(stack).put_object(Bucket="lake", Key="test/typed", Body=b"typed", ContentType="text/x-kept")
    try:
        faults.FilledStore().inject(stack)
    except TerminalError as error:
        if os.geteuid() == 0 and not error.what.startswith("mount: "):
            raise
        pytest.skip(f"nobody may mount a disk here: {error}")
    yield client
    faults.FilledStore().remove(stack)
    assert not has_own_disk(stack)
    assert not disk_folder(stack).exists()
    kept = s3_client(stack).get_object(Bucket="lake", Key="test/typed")
    assert (kept["Body"].read(), kept["ContentType"]) == (b"typed", "text/x-kept")
    assert other_buckets(stack, 5.0, 5.0) == ({}, True)


@pytest.mark.proof  # until it was green three times in a row; and not everybody may mount a disk
def test_a_full_store_says_so_after_kill_9_too_until_the_dump_is_moved_out(
    filled: SupervisorClient, stack: Stack
) -> None:
    client = s3_client(stack)
    for _ in range(2):
        assert writes(stack, 5.0) == FULL
        assert faults.FilledStore().sign(stack).holds
        filled.kill("minio")
        wait_until_ready(stack)
    before = {each["Key"]: each["Size"] for each in client.list_objects_v2(Bucket=DUMP)["Contents"]}
    assert repairs.OffloadBucket().hold(stack) == {"only": DUMP}
    said = repairs.OffloadBucket().run(stack)
    # Who dumps gives up once what was written first is gone; of what came in that moment a little may be left.
    Deadline(20).wait_for("the dump to end", lambda: True if not detached.find(stack, faults.PROCESS) else None)
    assert writes(stack, 5.0) == WRITABLE
    assert float(str(free_megabytes(stack, 5.0))) > 60
    left = {each["Key"] for each in client.list_objects_v2(Bucket=DUMP).get("Contents", [])}
    assert not left & set(before)
    for key in left:
        client.delete_object(Bucket=DUMP, Key=key)
    with tarfile.open(said.split(" lie in ")[1].split(",")[0]) as archive:
        assert {member.name: member.size for member in archive}.items() >= before.items()
    with pytest.raises(TerminalError, match="no bucket but the stack's own"):
        repairs.OffloadBucket().run(stack)
    # Another bucket than the one of the proposal is not touched.
    client.put_object(Bucket=DUMP, Key="later", Body=b"later")
    with pytest.raises(TerminalError, match="was not named"):
        repairs.OffloadBucket(only="other").run(stack)
    assert client.get_object(Bucket=DUMP, Key="later")["Body"].read() == b"later"


@pytest.mark.proof  # until it was green three times in a row
def test_a_bucket_is_not_moved_onto_the_stores_own_disk(up: Up, stack: Stack) -> None:
    up("minio")
    client = s3_client(stack)
    client.create_bucket(Bucket=DUMP)
    client.put_object(Bucket=DUMP, Key="part", Body=b"part")
    try:
        with pytest.raises(TerminalError, match="on the disk of the store itself"):
            repairs.OffloadBucket().run(stack)
        assert client.get_object(Bucket=DUMP, Key="part")["Body"].read() == b"part"
    finally:
        client.delete_object(Bucket=DUMP, Key="part")
        client.delete_bucket(Bucket=DUMP)


@pytest.mark.proof  # until it was green three times in a row
@pytest.mark.parametrize("prefix", [PENDING, READY])
def test_a_closed_folder_of_labels_is_told_from_a_closed_store_and_opened(up: Up, stack: Stack, prefix: str) -> None:
    up("minio")
    looks = {PENDING: pending_writes, READY: ready_writes}
    s3_client(stack).put_object(Bucket=LABEL_BUCKET, Key=f"{prefix}kept", Body=b"kept")
    folder = store_folder.folder_of(stack, LABEL_BUCKET, prefix)
    store_folder.close(folder)
    try:
        others = {each: look(stack, 5.0) for each, look in looks.items()}
        # versitygw answers 409 ExistingObjectIsDirectory, whatever kept it from making the file.
        assert others.pop(prefix) == "ExistingObjectIsDirectory"
        assert (*others.values(), writes(stack, 5.0)) == (WRITABLE, WRITABLE)
        assert f"under {prefix} it takes labels again" in fulfillment_delay_repairs.OpenLabelFolder().run(stack)
    finally:
        store_folder.open_again(folder)
    assert [look(stack, 5.0) for look in looks.values()] == [WRITABLE, WRITABLE]
    assert s3_client(stack).get_object(Bucket=LABEL_BUCKET, Key=f"{prefix}kept")["Body"].read() == b"kept"
