"""How orders are parted into buckets."""

from lakeproof.proof.tables.buckets import width_for


def test_a_bucket_spans_enough_ids_for_a_thousand_buckets() -> None:
    assert (width_for(0), width_for(16_000), width_for(1_023_999), width_for(1_024_000)) == (16, 16, 1000, 1001)
