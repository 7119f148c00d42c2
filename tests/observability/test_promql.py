import pytest

from lakeproof.observability.promql import Selector, find_ranges, find_selectors


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        ("max by (connector) (lag_millis) > 30000", ["lag_millis"]),
        ("sum(rate(a_total[5m])) by (job) / on (job) group_left sum(b)", ["a_total", "b"]),
        ('a{x="b or c"} == 1e3 unless on () absent(d)', ["a", "d"]),
        ("time() - last > bool 60 and vector(1)", ["last"]),
        ("histogram_quantile(0.95, sum by (le) (rate(x_bucket[10m] offset 5m)))", ["x_bucket"]),
    ],
)
def test_the_series_of_an_expression_are_found(expression: str, metrics: list[str]) -> None:
    assert [selector.metric for selector in find_selectors(expression)] == metrics


def test_ranges_inside_quotes_are_no_ranges() -> None:
    assert [span.text for span in find_ranges('rate(a{b="[5m]"}[1m]) + max_over_time(c[1h:30s])')] == [
        "1m",
        "1h",
        "30s",
    ]


def test_matchers_on_job_choose_jobs() -> None:
    (selector,) = find_selectors('up{instance="x", job=~"a|b.*", job!="bc"}')
    assert [job for job in ("a", "b", "bc", "bd", "c") if selector.takes(job)] == ["a", "b", "bd"]
    assert Selector("up").takes("anything")
