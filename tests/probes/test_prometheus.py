"""Which share of its calls each service of the shop refused, and how often a component was started again, as
Prometheus counted them.
"""

from contextvars import copy_context
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.conftest import Answering
from tests.doubles.plugins import OURS

from lakeproof.probes.probe import all_probes
from lakeproof.probes.prometheus import refused_share, restarting
from lakeproof.probes.round import Round
from lakeproof.stack.components import all_components
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

SERVICE = "order-service"


def stack_with(
    tmp_path: Path,
    answering: Answering,
    calls: dict[str, float],
    status: int = 200,
    now: dict[str, float] | None = None,
    scraped: tuple[str, ...] = (SERVICE, "payment-service"),
) -> Stack:
    """A Prometheus that counted so many calls of the order service by status, and none of any other.

    now: those of the last seconds, where they are other than those of the minute. scraped: whose `up` it has.
    """

    def answer(_method: str, path: str, _body: bytes) -> tuple[int, object]:
        asked = parse_qs(urlsplit(path).query)["query"][0]
        if "up[" in asked:
            ups = [{"metric": {"job": job}, "value": [0, "5"]} for job in scraped]
            return status, {"status": "success", "data": {"resultType": "vector", "result": ups}}
        assert 'route!~"/health|/metrics"' in asked
        counted = now if now is not None and "[20s]" in asked else calls
        ours = f'job="{SERVICE}"' in asked
        result = [{"metric": {"status": name}, "value": [0, str(count)]} for name, count in counted.items() if ours]
        return status, {"status": "success", "data": {"resultType": "vector", "result": result}}

    return Stack(Settings(state_dir=tmp_path, endpoints={"prometheus": {"http": answering(answer)}}))


@pytest.mark.parametrize(
    ("calls", "percent", "healthy"),
    [
        ({"500": 100.0}, 100.0, False),
        ({"201": 90.0, "503": 6.0, "500": 4.0}, 10.0, False),
        ({"201": 97.0, "503": 3.0}, 3.0, True),
        # What the caller did wrong, and whoever was gone before an answer.
        ({"201": 10.0, "422": 60.0, "404": 20.0, "429": 9.0, "0": 9.0}, 0.0, True),
        # Two in a minute: no share of anything.
        ({"503": 2.1}, 0.0, True),
        ({"503": 2.9}, 100.0, False),
        # Nobody asked.
        ({}, 0.0, True),
    ],
)
def test_the_share_of_5xx_is_judged_and_few_calls_are_not(
    tmp_path: Path, answering: Answering, calls: dict[str, float], percent: float, healthy: bool
) -> None:
    stack = stack_with(tmp_path, answering, calls)
    assert refused_share(stack, 3.0, SERVICE) == percent
    probe = all_probes(OURS)[f"{SERVICE}-refusals"]
    reading = probe.look(stack)
    assert probe.healthy is not None and probe.healthy.holds(reading, reading) is healthy
    assert refused_share(stack, 3.0, "payment-service") == 0.0


@pytest.mark.parametrize(
    ("now", "percent"),
    [
        # It recovered.
        ({"201": 40.0}, 0.0),
        ({"201": 39.0, "503": 1.0}, 2.5),
        # It refuses as before, or more.
        ({"503": 12.0}, 40.0),
        # Nobody has called it since: nothing shows that it recovered.
        ({}, 40.0),
        ({"201": 0.2}, 40.0),
    ],
)
def test_a_service_that_recovered_a_moment_ago_is_well(
    tmp_path: Path, answering: Answering, now: dict[str, float], percent: float
) -> None:
    stack = stack_with(tmp_path, answering, {"201": 60.0, "503": 40.0}, now=now)
    assert refused_share(stack, 3.0, SERVICE) == percent


def test_a_service_that_prometheus_did_not_scrape_was_not_looked_at(tmp_path: Path, answering: Answering) -> None:
    """A Prometheus that has just been restarted counts no refused calls, and no others either."""
    stack = stack_with(tmp_path, answering, {}, scraped=("payment-service",))
    assert all_probes(OURS)["payment-service-refusals"].look(stack).value == 0.0
    reading = all_probes(OURS)[f"{SERVICE}-refusals"].look(stack)
    assert not reading.answered and SERVICE in str(reading.error)


def test_a_prometheus_that_fails_was_not_looked_at(tmp_path: Path, answering: Answering) -> None:
    stack = stack_with(tmp_path, answering, {"500": 100.0}, status=503)
    assert not all_probes(OURS)[f"{SERVICE}-refusals"].look(stack).answered


def test_each_service_is_asked_only_where_it_and_prometheus_are_part_of_the_stack() -> None:
    probes = [probe for probe in all_probes(OURS).values() if probe.id.endswith("-refusals")]
    assert {probe.id for probe in probes} >= {
        f"{name}-service-refusals"
        for name in ("order", "payment", "inventory", "fulfillment", "notification", "support")
    }
    for probe in probes:
        assert probe.is_of({"prometheus"}) and probe.is_of({probe.id.removesuffix("-refusals")})


def test_who_was_started_again_and_again_is_told_by_one_question_for_all(
    tmp_path: Path, answering: Answering
) -> None:
    asked: list[str] = []

    def answer(_method: str, path: str, _body: bytes) -> tuple[int, object]:
        asked.append(parse_qs(urlsplit(path).query)["query"][0])
        counts = {"nessie": "3.02", "connect": "2.04"}
        result = [{"metric": {"component": name}, "value": [0, count]} for name, count in counts.items()]
        return 200, {"status": "success", "data": {"resultType": "vector", "result": result}}

    stack = Stack(Settings(state_dir=tmp_path, endpoints={"prometheus": {"http": answering(answer)}}))
    probes = [all_probes(OURS)[f"{name}-restarts"] for name in ("nessie", "connect", "kafka")]
    in_a_round = copy_context()
    in_a_round.run(Round().begin)
    readings = [in_a_round.run(probe.look, stack) for probe in probes]
    assert [reading.value for reading in readings] == [3, 2, 0]
    assert asked == [restarting()]
    judged = zip(probes, readings, strict=True)
    assert [probe.healthy and probe.healthy.holds(one, one) for probe, one in judged] == [False, True, True]


def test_restarts_are_asked_of_each_component_and_only_where_it_is_part_of_the_stack() -> None:
    probes = {probe.within: probe for probe in all_probes(OURS).values() if probe.id == f"{probe.within}-restarts"}
    assert set(probes) == {name for name, one in all_components().items() if not one.on_demand}
    assert all(probe.always and probe.is_of({"prometheus"}) for probe in probes.values())
