"""One sample out of Prometheus' text format."""

from lakeproof.probes.exporters import sample

TEXT = """# HELP lag_millis x
# TYPE lag_millis gauge
lag_millis_other 7
lag_millis{connector="orders"} 1234.5
bare 3
"""


def test_a_sample_is_found_by_its_whole_name() -> None:
    assert sample(TEXT, "lag_millis") == 1234.5
    assert sample(TEXT, "bare") == 3
    assert sample(TEXT, "absent") is None
