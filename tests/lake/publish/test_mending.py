"""Manifests without sizes. without_sizes/ was written by Paimon 1.3.1, of a table on which two writers committed."""

import io
from pathlib import Path
from typing import Any

import fastavro
import pytest

from lakeproof.lake.publish.manifests import ManifestReader
from lakeproof.lake.publish.mending import Mender
from lakeproof.lake.publish.metadata import current_snapshot, published_copy, published_key, read_metadata, stem_of
from lakeproof.lake.publish.retention import expired_keys
from lakeproof.lake.publish.snapshots import SnapshotMissing

RECORDED = Path(__file__).parent / "without_sizes"
FOLDER = "wh/iceberg/oltp/orders/metadata"
RUN = "03be742f-125c-4e41-be55-0a166a7cc5a7"
LIST = f"{FOLDER}/snap-140-{RUN}.avro"
DATA, VECTORS = f"{FOLDER}/{RUN}-m24.avro", f"{FOLDER}/{RUN}-m25.avro"
VECTOR = "wh/oltp.db/orders/index/index-68a94a7d-f781-4ac8-905f-d6c6a282fac4-0"
KEY = published_key("oltp", "orders", 1_795_741_129_922, 148, "ab12")


class Bucket:
    """The objects of a bucket, by key. `asked`: how often for a size."""

    def __init__(self) -> None:
        self.asked = 0
        self.objects = {
            LIST: (RECORDED / "list.avro").read_bytes(),
            DATA: (RECORDED / "data.avro").read_bytes(),
            VECTORS: (RECORDED / "vectors.avro").read_bytes(),
            VECTOR: bytes(43),
        }

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[Key])}

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        self.asked += 1
        return {"ContentLength": len(self.objects[Key])}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str) -> None:
        assert Key not in self.objects
        self.objects[Key] = Body


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def records(content: bytes) -> list[dict[str, Any]]:
    return [dict(each) for each in fastavro.reader(io.BytesIO(content)) if isinstance(each, dict)]


def key_of(uri: str) -> str:
    return uri.removeprefix("s3://lake/")


def metadata_of(snapshot: int) -> dict[str, Any]:
    """With two snapshots, the current one and the one before; each leads to the recorded list."""
    snapshots = [{"snapshot-id": number, "manifest-list": f"s3://lake/{LIST}"} for number in (snapshot - 1, snapshot)]
    return {"snapshots": snapshots, "current-snapshot-id": snapshot}


def mended(bucket: Bucket) -> str:
    files = ManifestReader(bucket).live_files(f"s3://lake/{LIST}")
    return Mender(bucket).lists(metadata_of(148), files, KEY)[148]


def test_a_table_whose_files_all_have_sizes_is_left_as_it_is(bucket: Bucket) -> None:
    files = ManifestReader(bucket).live_files(f"s3://lake/{LIST}")
    assert [file.size for file in files] == [5108, 5033, 2895, -1]
    before = dict(bucket.objects)
    assert Mender(bucket).lists(metadata_of(148), files[:-1], KEY) == {}
    assert bucket.objects == before


def test_the_mended_list_leads_to_the_same_files_with_the_true_size(bucket: Bucket) -> None:
    before = ManifestReader(bucket).live_files(f"s3://lake/{LIST}")
    after = ManifestReader(bucket).live_files(mended(bucket))
    assert [file.size for file in after] == [5108, 5033, 2895, 43]
    assert [(file.path, file.records, file.upper, file.sequence) for file in after] == [
        (file.path, file.records, file.upper, file.sequence) for file in before
    ]


def test_nothing_else_changes_and_the_list_knows_the_new_manifests_length(bucket: Bucket) -> None:
    old = records(bucket.objects[LIST])
    new = records(bucket.objects[key_of(mended(bucket))])
    assert new[0] == old[0]
    changed = {name for name in old[1] if old[1][name] != new[1][name]}
    assert changed == {"manifest_path", "manifest_length"}
    content = bucket.objects[key_of(new[1]["manifest_path"])]
    assert new[1]["manifest_length"] == len(content)
    (line,), (was,) = records(content), records(bucket.objects[VECTORS])
    assert line == was | {"data_file": was["data_file"] | {"file_size_in_bytes": 43}}
    one, other = fastavro.reader(io.BytesIO(content)), fastavro.reader(io.BytesIO(bucket.objects[VECTORS]))
    assert (one.writer_schema, one.codec) == (other.writer_schema, other.codec)


def test_what_was_written_goes_with_the_copy_and_stays_as_long_as_a_branch_points_at_it(bucket: Bucket) -> None:
    before = set(bucket.objects)
    mended(bucket)
    written = sorted(set(bucket.objects) - before)
    assert [name.removeprefix(stem_of(KEY)) for name in written] == [".1.manifest.avro", ".list.avro"]
    assert expired_keys([*written, KEY], 10**15, 900, frozenset()) == [*written, KEY]
    assert expired_keys([*written, KEY], 10**15, 900, frozenset({KEY})) == []


def test_a_later_copy_leads_to_the_earlier_snapshots_mended_list_too_and_asks_for_a_size_once(bucket: Bucket) -> None:
    files = ManifestReader(bucket).live_files(f"s3://lake/{LIST}")
    mender, later = Mender(bucket), published_key("oltp", "orders", 1_795_741_131_922, 149, "cd34")
    first = mender.lists(metadata_of(148), files, KEY)[148]
    lists = mender.lists(metadata_of(149), files, later)
    assert (bucket.asked, set(lists), lists[148]) == (1, {148, 149}, first)
    copy = read_metadata(published_copy(metadata_of(149), lists=lists))
    assert [entry["manifest-list"] for entry in copy["snapshots"]] == [lists[148], lists[149]]


def test_a_table_that_was_made_anew_is_not_led_to_a_list_of_the_old_one(bucket: Bucket) -> None:
    files = ManifestReader(bucket).live_files(f"s3://lake/{LIST}")
    mender = Mender(bucket)
    mender.lists(metadata_of(148), files, KEY)
    for number in (2, 148):
        found = mender.lists(metadata_of(number), files[:-1], published_key("oltp", "orders", 1, number, "cd34"))
        assert found == {}


def test_a_table_that_was_made_anew_and_has_grown_as_far_is_not_led_to_a_list_of_the_old_one(bucket: Bucket) -> None:
    files = ManifestReader(bucket).live_files(f"s3://lake/{LIST}")
    mender = Mender(bucket)
    mender.lists(metadata_of(148), files, KEY)
    anew = metadata_of(148)
    for entry in anew["snapshots"]:
        entry["manifest-list"] += ".of-the-new-table"
    assert mender.lists(anew, files[:-1], published_key("oltp", "orders", 1, 148, "cd34")) == {}


def test_a_copy_of_a_table_that_needs_none_is_as_paimons() -> None:
    copy = read_metadata(published_copy(metadata_of(148)))
    assert copy["snapshots"] == metadata_of(148)["snapshots"]
    assert current_snapshot(copy)["snapshot-id"] == 148


def test_what_has_gone_meanwhile_is_looked_at_again(bucket: Bucket) -> None:
    files = ManifestReader(bucket).live_files(f"s3://lake/{LIST}")
    del bucket.objects[VECTORS]
    with pytest.raises(SnapshotMissing, match="has gone"):
        Mender(bucket).lists(metadata_of(148), files, KEY)
