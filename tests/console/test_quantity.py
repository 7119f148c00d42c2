import math

import pytest

from lakeproof.console.quantity import show_quantity


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (None, "s", "no data"),
        (math.nan, "bytes", "no data"),
        (math.inf, "s", "∞"),
        (0.0, "s", "0 s"),
        (0.0123, "s", "12.3 ms"),
        (2310.0, "ms", "2.3 s"),
        (90.0, "s", "90 s"),
        (600.0, "s", "10 min"),
        (86_400.0, "s", "24 h"),
        (1536.0, "bytes", "1.5 KiB"),
        (15e9, "decbytes", "15 GB"),
        (0.25, "percentunit", "25 %"),
        (12.34, "percent", "12.3 %"),
        (1.0, "bool", "yes"),
        (3.456, "reqps", "3.5 /s"),
        (0.034, "ops", "0.034 /s"),
        (1_234_567.0, "short", "1.2M"),
        (12_345.0, "short", "12345"),
        (5.0, "parcels", "5 parcels"),
        (3.456, "none", "3.5"),
    ],
)
def test_a_number_is_shown_as_a_person_reads_it(value: float | None, unit: str, shown: str) -> None:
    assert show_quantity(value, unit) == shown
