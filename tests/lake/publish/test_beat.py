"""The heartbeat read from file statistics."""

from lakeproof.lake.publish.beat import Beat, newest_beat
from lakeproof.lake.publish.manifests import DataFile

METADATA = {
    "current-schema-id": 1,
    "schemas": [{"schema-id": 1, "fields": [{"name": "beat_us", "id": 1}, {"name": "gtid", "id": 2}]}],
}


def file(beat_us: int, gtid: bytes | None, sequence: int = 1) -> DataFile:
    upper = {1: beat_us.to_bytes(8, "little", signed=True)} | ({2: gtid} if gtid else {})
    return DataFile(f"s3://lake/{beat_us}", True, 900, 1, upper, sequence)


def test_the_newest_beat_and_its_transaction_are_found() -> None:
    found = newest_beat([file(1_795_538_816_836_587, b"0-1-2304", 2), file(5, b"0-1-1", 1)], METADATA)
    assert found == Beat(1_795_538_816_836_587, "0-1-2304")


def test_after_the_clock_was_set_back_the_file_written_last_counts() -> None:
    before, after = file(1_000_000_000, b"0-1-7", 7), file(940_000_000, b"0-1-8", 8)
    assert newest_beat([before, after], METADATA) == Beat(940_000_000, "0-1-8")
    assert newest_beat([after, before], METADATA) == Beat(940_000_000, "0-1-8")


def test_a_beat_of_the_initial_snapshot_has_no_transaction() -> None:
    assert newest_beat([file(0, None)], METADATA) == Beat(0, None)


def test_an_empty_table_has_no_beat() -> None:
    assert newest_beat([], METADATA) is None
