"""The publisher: goes on after any part was away, two of them do no harm, and a broken state stays off main."""

import itertools
import threading
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from tests.engines.conftest import Up

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.nessie import Reference, client_of
from lakeproof.lake.publish import history, old_manifests
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.publish.manifests import ManifestReader
from lakeproof.lake.publish.metadata import current_snapshot, metadata_folder, read_metadata
from lakeproof.lake.publish.metrics import PublisherMetrics
from lakeproof.lake.publish.old_manifests import remove_old_manifests
from lakeproof.lake.publish.old_metadata import OldMetadata
from lakeproof.lake.publish.publisher import Publisher, RoundFailed
from lakeproof.lake.publish.snapshots import get_object
from lakeproof.lake.publish.tags import create_reference
from lakeproof.lake.sources.source import OLTP
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.object_store import LAKE_BUCKET, bucket_and_key, objects_under, s3_client
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]


PATH = ("minio", "kafka", "nessie", "flink-jobmanager", "flink-taskmanager", "publisher")
PACED_BY_FLINK = True


@pytest.fixture(scope="module")
def client(up: Up) -> SupervisorClient:
    return up(*PATH)


def wait_for_checkpoint(stack: Stack, above: int, seconds: float = 90.0) -> PublishedCommit:
    """Until a checkpoint above that one is on main."""

    def look() -> PublishedCommit | None:
        try:
            found = history.newest(stack)
        except CouldNotLook:
            return None
        return found if found.plain.checkpoint > above else None

    return Deadline(seconds).wait_for(f"a checkpoint above {above} on main", look, every=0.5)


def health(stack: Stack) -> dict[str, object]:
    try:
        found: dict[str, object] = httpx.get(f"{stack.url('publisher')}/health", trust_env=False).json()
    except httpx.HTTPError:
        return {"status": "silent"}
    return found


def test_it_publishes_each_checkpoint_and_names_them_in_order(client: SupervisorClient, stack: Stack) -> None:
    wait_for_checkpoint(stack, wait_for_checkpoint(stack, 0).plain.checkpoint + 2)
    checkpoints = [commit.plain.checkpoint for commit in history.log(stack, 50)]
    assert checkpoints == sorted(set(checkpoints), reverse=True)


@pytest.mark.parametrize("part", ["nessie", "minio"])
def test_it_says_what_is_away_and_goes_on_when_that_is_back(
    client: SupervisorClient, stack: Stack, part: str
) -> None:
    before = wait_for_checkpoint(stack, 0).plain.checkpoint
    client.kill(part, "STOP")
    try:
        Deadline(60.0).wait_for(
            "the publisher to say that it fails", lambda: True if health(stack)["status"] == "degraded" else None
        )
    finally:
        client.kill(part, "CONT")
    client.up(PATH)
    wait_for_checkpoint(stack, before + 1)
    Deadline(60).wait_for("it to be healthy again", lambda: True if health(stack)["status"] == "healthy" else None)


def test_a_killed_publisher_leaves_no_gap_and_no_half(client: SupervisorClient, stack: Stack) -> None:
    before = wait_for_checkpoint(stack, 0)
    client.kill("publisher")
    client.up(PATH)
    after = wait_for_checkpoint(stack, before.plain.checkpoint)
    assert after.plain.snapshots.keys() == before.plain.snapshots.keys()
    # A table without a new row may stay as it was published.
    assert all(after.plain.snapshots[table] >= before.plain.snapshots[table] for table in before.plain.snapshots)
    assert after.plain.snapshots["cdc_heartbeat"] > before.plain.snapshots["cdc_heartbeat"]


@pytest.fixture
def second_publisher(stack: Stack) -> Iterator[Publisher]:
    publisher = Publisher(s3_client(stack), client_of(stack), PublisherMetrics())
    yield publisher
    publisher.close()


def test_two_publishers_never_go_back_and_never_publish_a_checkpoint_twice(
    client: SupervisorClient, stack: Stack, second_publisher: Publisher
) -> None:
    start = wait_for_checkpoint(stack, 0).plain.checkpoint
    stop = threading.Event()

    def publish() -> None:
        while not stop.wait(0.05):
            try:
                second_publisher.round(OLTP)
            except RoundFailed:
                continue

    other = threading.Thread(target=publish)
    other.start()
    try:
        wait_for_checkpoint(stack, start + 5)
    finally:
        stop.set()
        other.join(30)
    commits = history.log(stack, 50)
    checkpoints = [commit.plain.checkpoint for commit in commits]
    assert checkpoints == sorted(set(checkpoints), reverse=True)
    for newer, older in itertools.pairwise(commits):
        assert all(newer.plain.snapshots[table] >= snapshot for table, snapshot in older.plain.snapshots.items())


def test_every_file_of_a_published_state_is_there_and_a_tag_names_it(client: SupervisorClient, stack: Stack) -> None:
    commit = wait_for_checkpoint(stack, 0)
    assert create_reference(stack, f"t-{commit.hash[:8]}", commit.hash).hash == commit.hash
    assert history.find(stack, commit.hash[:12], readable=True) == commit


def test_old_metadata_goes_and_publishing_goes_on(client: SupervisorClient, stack: Stack) -> None:
    """Paimon keeps them, the store knows DeleteObjects, and neither the job nor the publisher misses them."""
    s3, kept = s3_client(stack), 6
    # at least one snapshot, and so one file, per table and checkpoint
    published = wait_for_checkpoint(stack, wait_for_checkpoint(stack, 0).plain.checkpoint + kept + 2)

    def numbers(table: str) -> list[int]:
        names = s3.list_objects_v2(Bucket=LAKE_BUCKET, Prefix=f"wh/iceberg/oltp/{table}/metadata/v")["Contents"]
        return sorted(
            int(entry["Key"].rpartition("/v")[2].split(".")[0]) for entry in names if ".json" in entry["Key"]
        )

    before = {table: numbers(table) for table in published.plain.snapshots}
    assert all(len(found) > kept for found in before.values())
    removed = OldMetadata(s3).remove("oltp", published.plain.snapshots, kept)
    assert removed > 0
    for table, snapshot in published.plain.snapshots.items():
        assert numbers(table)[0] == max(snapshot - kept + 1, before[table][0])
    later = wait_for_checkpoint(stack, published.plain.checkpoint + 3)
    assert later.plain.snapshots["cdc_heartbeat"] > published.plain.snapshots["cdc_heartbeat"]
    assert all(numbers(table)[-1] > found[-1] for table, found in before.items())


def test_what_is_promised_stays_readable_where_paimon_writes_a_tables_metadata_anew(
    client: SupervisorClient, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does so where the newest metadata is missing: a TaskManager killed right after an empty commit is enough. It
    then asks for all earlier manifests to be deleted.
    """
    s3, table = s3_client(stack), "cdc_heartbeat"
    before = wait_for_checkpoint(stack, 0)
    folder = metadata_folder("oltp", table)

    def numbers() -> list[int]:
        names = (entry["Key"].removeprefix(folder) for entry in objects_under(s3, LAKE_BUCKET, folder))
        return sorted(int(name[1:].split(".")[0]) for name in names if name.endswith(".metadata.json"))

    def needed(commit: PublishedCommit) -> set[str]:
        nessie = client_of(stack)
        try:
            held = nessie.contents(Reference("BRANCH", "main", commit.hash), "oltp", [table])
        finally:
            nessie.close()
        _, key = bucket_and_key(held[table].metadata_location)
        uri = current_snapshot(read_metadata(get_object(s3, key) or b""))["manifest-list"]
        return {bucket_and_key(each)[1] for each in (uri, *ManifestReader(s3).manifests(uri))}

    def there() -> set[str]:
        return {entry["Key"] for entry in objects_under(s3, LAKE_BUCKET, folder)}

    promised = needed(before)
    assert promised <= there()
    first = numbers()[0]

    def written_anew() -> bool | None:
        # Whatever is the newest one when it is deleted, the next commit misses it, unless that has begun already.
        if numbers()[0] == first:
            s3.delete_object(Bucket=LAKE_BUCKET, Key=f"{folder}v{numbers()[-1]}.metadata.json")
            return None
        return True

    Deadline(60).wait_for("Paimon to write the metadata anew", written_anew, every=1.0)
    after = wait_for_checkpoint(stack, wait_for_checkpoint(stack, before.plain.checkpoint).plain.checkpoint + 2)
    assert promised | needed(after) <= there()

    # Where nobody is promised it any more it goes.
    monkeypatch.setattr(old_manifests, "MARGIN", timedelta(0))
    assert remove_old_manifests(s3, "oltp", [table], kept_seconds=0) > 0
    assert not (promised - needed(after)) & there()
    assert needed(wait_for_checkpoint(stack, after.plain.checkpoint + 1)) <= there()


def test_metrics_have_their_exact_names(client: SupervisorClient, stack: Stack) -> None:
    wait_for_checkpoint(stack, 0)
    text = httpx.get(f"{stack.url('publisher')}/metrics", trust_env=False).text
    for name in (
        "lakeproof_publish_total",
        "lakeproof_publish_last_timestamp_seconds",
        "lakeproof_publish_checkpoint",
        "lakeproof_publish_seconds_bucket",
        'lakeproof_publish_failures_total{database="oltp",stage="merge"}',
        "lakeproof_publish_beat_timestamp_seconds",
    ):
        assert f"\n{name}" in text


@pytest.mark.proof
def test_a_table_without_a_new_row_stays_as_it_is_published(client: SupervisorClient, stack: Stack) -> None:
    """Every hash names its tables all the same, and each is there to be read at it."""
    wait_for_checkpoint(stack, wait_for_checkpoint(stack, 0).plain.checkpoint + 8)
    commits = history.log(stack, 6)
    assert len({commit.plain.snapshots["cdc_heartbeat"] for commit in commits}) == len(commits)
    assert len({commit.plain.snapshots["orders"] for commit in commits}) <= 2
    nessie = client_of(stack)
    try:
        for commit in commits:
            held = nessie.contents(Reference("BRANCH", "main", commit.hash), "oltp", list(commit.plain.snapshots))
            assert {table: entry.snapshot_id for table, entry in held.items()} == commit.plain.snapshots
    finally:
        nessie.close()
