"""Which source is late for support alone, and how long timelines take."""

import re
from collections.abc import Sequence
from pathlib import Path
from statistics import linear_regression
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.conftest import Answering

from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.observability.durations import parse_duration
from lakeproof.observability.rules import find_rules
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.support_timeline import probes as support
from lakeproof_shop.scenarios.support_timeline import repairs
from lakeproof_shop.scenarios.support_timeline.faults import HoardedAttachments
from lakeproof_shop.services.support import sources

LATE = {"status": "unhealthy", "problem": "no answer (TimeoutError)"}
WELL = {"status": "healthy", "problem": ""}


def health(monkeypatch: pytest.MonkeyPatch, told: dict[str, object], at_once: tuple[str, ...]) -> None:
    body = {"status": "healthy", "dependencies": told}
    monkeypatch.setattr(support, "get", lambda url, timeout: httpx.Response(200, json=body))

    def ask(url: str, *, timeout: float) -> httpx.Response:
        assert timeout < support.HEALTH_SECONDS
        if not any(url == f"{Stack(Settings()).url(name)}/health" for name in at_once):
            raise httpx.ReadTimeout("late")
        return httpx.Response(200)

    monkeypatch.setattr("lakeproof_shop.scenarios.support_timeline.probes.loopback.get", ask)


@pytest.mark.parametrize(
    ("told", "at_once", "found"),
    [
        ({name: WELL for name in support.SOURCES}, support.SOURCES, "none"),
        ({"order-service": WELL, "fulfillment-service": LATE}, support.SOURCES, "fulfillment-service"),
        ({"order-service": LATE, "payment-service": LATE}, support.SOURCES, "order-service payment-service"),
        # It answers nobody in time.
        ({"fulfillment-service": LATE}, (), "none"),
        # It is away, and not late; others that are late are no sources.
        ({"payment-service": {"problem": "no answer (ClientConnectorError)"}}, support.SOURCES, "none"),
        ({"redis": LATE, "projection": LATE}, support.SOURCES, "none"),
        # Switched off: support does not ask it.
        ({}, support.SOURCES, "none"),
    ],
)
def test_a_source_is_late_where_support_waits_in_vain_and_we_do_not(
    told: dict[str, object], at_once: tuple[str, ...], found: str, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    health(monkeypatch, told, at_once)
    assert support.late_sources(stack, 3.0) == found


def test_another_answer_than_health_is_none(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support, "get", lambda url, timeout: httpx.Response(502, text="<html>"))
    with pytest.raises(CouldNotLook):
        support.late_sources(stack, 3.0)
    probe = next(one for one in support.PROBES if one.id == "support-late-sources")
    assert not probe.look(stack).answered


def prometheus_of(tmp_path: Path, answering: Answering, values: dict[str, float], scraped: bool) -> Stack:
    """A Prometheus that gives so much for each of these expressions, and scrapes support or nobody."""
    up = [{"metric": {"job": support.SERVICE}, "value": [0, "4"]}] if scraped else []

    def answer(_method: str, path: str, _body: bytes) -> tuple[int, object]:
        asked = parse_qs(urlsplit(path).query)["query"][0]
        found = [{"metric": {}, "value": [0, str(values[asked])]}] if asked in values else []
        result = up if "up[" in asked else found
        return 200, {"status": "success", "data": {"resultType": "vector", "result": result}}

    return Stack(Settings(state_dir=tmp_path, endpoints={"prometheus": {"http": answering(answer)}}))


@pytest.mark.parametrize(
    ("values", "p95"), [({}, 0.0), ({support.P95: float("nan")}, 0.0), ({support.P95: 2.9751}, 2.975)]
)
def test_while_nobody_reads_a_timeline_none_is_slow(
    values: dict[str, float], p95: float, tmp_path: Path, answering: Answering
) -> None:
    assert support.timeline_p95(prometheus_of(tmp_path, answering, values, scraped=True), 3.0) == p95


def test_without_anything_read_from_support_nobody_can_tell(tmp_path: Path, answering: Answering) -> None:
    """A Prometheus that has just been restarted knows neither how quick timelines are nor what the folder holds."""
    unseen = prometheus_of(tmp_path, answering, {}, scraped=False)
    for ask in (support.timeline_p95, support.slow_sources, support.attachment_folder):
        with pytest.raises(CouldNotLook, match="support-service"):
            ask(unseen, 3.0)
    assert support.attachment_folder(prometheus_of(tmp_path, answering, {}, scraped=True), 3.0) == support.FINE


def test_each_source_has_its_p95_in_words(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [({"source": "order"}, 0.01), ({"source": "fulfillment"}, 2.975), ({"source": "payment"}, float("nan"))]
    monkeypatch.setattr(support, "instant", lambda stack, expression, timeout: found)
    assert support.source_p95(stack, 3.0) == "fulfillment 2.98 s, order 0.01 s"
    monkeypatch.setattr(support, "instant", lambda stack, expression, timeout: [])
    assert support.source_p95(stack, 3.0) is None
    assert support.cache_events(stack, 3.0) is None
    monkeypatch.setattr(support, "instant", lambda stack, expression, timeout: [({"event": "hit"}, 11.6)])
    assert support.cache_events(stack, 3.0) == "hit 12"


def test_a_source_that_is_slow_in_its_calls_is_told_by_name(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it answers to a question about its health. Nobody's calls (NaN) are slow; the cache is no source."""
    found = [
        ({"source": "order"}, 2.0),
        ({"source": "payment"}, float("nan")),
        ({"source": "fulfillment"}, 2.48),
        ({"source": "cache"}, 3.0),
    ]
    monkeypatch.setattr(support, "instant", lambda stack, expression, timeout: found)
    assert support.slow_sources(stack, 3.0) == "fulfillment-service"
    found.pop(2)
    assert support.slow_sources(stack, 3.0) == "none"


def test_the_limit_of_a_source_is_the_alerts_and_below_the_time_after_which_it_is_given_up() -> None:
    rules = [rule for file in find_rules() for rule in file.alerts if rule.alert == "SupportTimelineLatencyHigh"]
    assert [f"> {support.SLOW_SECONDS:g}\n" in rule.expr for rule in rules] == [True]
    assert Settings().support.source_seconds > support.SLOW_SECONDS


def test_the_probes_know_the_services_own_sources_and_limit() -> None:
    assert {one.component: one.variable for one in sources.SERVICES} == {
        name: support.variable_of(name.removesuffix("-service")) for name in support.SOURCES
    }
    assert sources.HEALTH_SECONDS == support.HEALTH_SECONDS


def test_the_repair_switches_the_late_source_and_none_where_none_is(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    switched: list[tuple[str, str | None]] = []
    late = "fulfillment-service"
    monkeypatch.setattr(repairs, "late_sources", lambda stack, timeout: late)
    running = SimpleNamespace(row=lambda name: SimpleNamespace(pid=1))
    monkeypatch.setattr(repairs, "our_processes", lambda *_: running)
    monkeypatch.setattr(repairs, "handed_variables", lambda stack, name: {})
    monkeypatch.setattr(
        repairs, "hand_variable", lambda stack, name, variable, address: switched.append((variable, address))
    )
    assert repairs.SwitchSource().run(stack) == ("fulfillment: switched off and on again, at the stack's own address")
    repairs.SwitchSource(source="order", to="off").run(stack)
    assert switched == [("SERVICE_FULFILLMENT_SERVICE_URL", None), ("SERVICE_ORDER_SERVICE_URL", "")]
    assert repairs.SwitchSource(source="order", to="off").typed(stack) == (
        "lakeproof stop support-service; SERVICE_ORDER_SERVICE_URL= lakeproof start support-service"
    )
    late = "none"
    with pytest.raises(TerminalError, match="no source is late"):
        repairs.SwitchSource().run(stack)


def slope(uploads: Sequence[tuple[float, float]]) -> float:
    """As deriv() finds it over the range of GROWTH, in bytes an hour. uploads: (seconds ago, bytes)."""
    found = re.search(r"\[(\w+)\]", support.GROWTH)
    assert found is not None
    window = parse_duration(found[1]) // 1000
    times = range(-window, 1, 5)
    held = [sum(size for ago, size in uploads if at >= -ago) for at in times]
    return 3600 * linear_regression(times, held).slope


def test_some_large_uploads_are_no_growth_and_those_of_a_drill_are() -> None:
    """Eleven of 10 MiB within three minutes, whenever they came; a drill's, as slow as the fault may be."""
    for last in range(0, 600, 20):
        assert slope([(last + at * 18, 10 * 2**20) for at in range(11)]) < support.GROWTH_MOST
    fault = HoardedAttachments(pace=1.0)
    for since in (2, 60):  # the diagnosis begins when the fault has landed, or when a slow machine gets to it
        first = (since + fault.seconds, fault.megabytes * 1e6)
        rest = [(since + at, fault.pace * 1e6) for at in range(fault.seconds)]
        assert slope([first, *rest]) > support.GROWTH_MOST
