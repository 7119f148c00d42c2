"""What is taken from a manifest's lines."""

from lakeproof.lake.publish.manifests import _data_file

DATA_FILE = {
    "file_path": "s3://lake/a",
    "content": 0,
    "file_size_in_bytes": 900,
    "record_count": 1,
    "upper_bounds": None,
}


def test_a_file_keeps_the_sequence_of_the_snapshot_that_added_it() -> None:
    assert _data_file({"sequence_number": 328, "data_file": DATA_FILE}, 332).sequence == 328


def test_a_line_without_a_sequence_inherits_its_manifests() -> None:
    assert _data_file({"sequence_number": None, "data_file": DATA_FILE}, 332).sequence == 332
