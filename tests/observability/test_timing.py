import pytest

from lakeproof.errors import InvalidInput
from lakeproof.observability.durations import parse_duration
from lakeproof.observability.timing import compress

RULES = """groups:
  - name: example   # a comment [5m]
    rules:
      - alert: OrdersFailing
        expr: >-
          sum(rate(orders_failed_total{job="desk", reason="[5m] for: 2m"}[10m]))
            / sum(rate(orders_total{job="desk"}[10m]))
          > 0.2
        for: 2m
        keep_firing_for: 1m
        labels: {severity: high, window: "2m"}
        annotations:
          summary_en: 'over 10m, for: 2m [10m]'
      - alert: Quoted
        expr: "max_over_time(up{job=\\"desk\\"}[1h:1m]) == 0"
        for: 0s
"""


def test_factor_one_gives_the_same_bytes() -> None:
    assert compress(RULES, 1, where="here") == RULES


def test_only_windows_change() -> None:
    expected = (
        RULES.replace("}[10m]", "}[50s]")
        .replace("        for: 2m\n", "        for: 10s\n")
        .replace("keep_firing_for: 1m", "keep_firing_for: 5s")
        .replace("[1h:1m]", "[5m:5s]")
    )
    assert compress(RULES, 12, where="here") == expected


def test_a_window_shorter_than_four_scrapes_is_refused_with_the_rule_and_the_scrape() -> None:
    rules = "groups: [{name: a, rules: [{alert: Slow, expr: 'up{job=\"prometheus\"} == 0', for: 1m}]}]"
    with pytest.raises(
        InvalidInput, match=r"x\.yml, Slow, for: 1m divided by 12 is 5s, shorter than 4 scrapes of 5 s"
    ):
        compress(rules, 12, where="x.yml")


def test_a_range_shorter_than_four_scrapes_is_refused_too() -> None:
    rules = "groups: [{name: a, rules: [{alert: Slow, expr: 'rate(x{job=\"prometheus\"}[1m]) > 0'}]}]"
    with pytest.raises(InvalidInput, match=r"Slow, \[1m\]: 1m divided by 12"):
        compress(rules, 12, where="x.yml")


def test_an_undeclared_metric_is_taken_for_one_of_the_slowest_job() -> None:
    rules = "groups: [{name: a, rules: [{alert: Unknown, expr: nobody_knows > 0, for: 1m}]}]"
    with pytest.raises(InvalidInput, match="scrape that job more often"):
        compress(rules, 12, where="x.yml")


def test_a_scrape_that_fits_passes() -> None:
    rules = "groups: [{name: a, rules: [{alert: Fits, expr: 'up{job=\"prometheus\"} == 0', for: 4m}]}]"
    assert "for: 20s" in compress(rules, 12, where="x.yml")


@pytest.mark.parametrize(("text", "milliseconds"), [("0", 0), ("2m", 120_000), ("1h30m", 5_400_000), ("500ms", 500)])
def test_durations_are_read(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize("text", ["", "2", "m2", "2 m", "-1s", "1.5h"])
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(InvalidInput, match="not a duration"):
        parse_duration(text)
