"""Benchmarks are found by their folder, say how to do them again, and touch no captured table."""

import pytest

from lakeproof.bench import scratch_database, start
from lakeproof.bench.benchmark import Options, Ratio, Result, all_benchmarks, find
from lakeproof.errors import InvalidInput
from lakeproof.stack.components import all_components
from lakeproof.stack.engines import mysql


def test_every_benchmark_needs_components_that_exist() -> None:
    benchmarks = all_benchmarks()
    assert {"order-api", "freshness", "start"} <= set(benchmarks)
    for one in benchmarks.values():
        assert set(one.needs) <= set(all_components())


def test_an_unknown_benchmark_is_refused_with_the_names() -> None:
    with pytest.raises(InvalidInput, match="order-api"):
        find("nope")


def test_a_result_carries_its_machine_and_the_command_that_does_it_again() -> None:
    result = Result("freshness", Options(30, (50, 200)), {}, [Ratio("a to b", 0.5)])
    assert result.command == "lakeproof bench freshness --seconds 30 --rate 50 --rate 200"
    assert result.to_json()["machine"]["cores"] >= 1


def test_the_scratch_database_never_names_the_captured_one() -> None:
    for statement in mysql.schema_statements():
        assert "oltp" not in scratch_database.moved(statement)


def test_the_stack_that_is_started_beside_takes_no_port_of_the_usual_one() -> None:
    ports = {port for component in all_components().values() for port in component.ports.values()}
    assert not ports & {port + start.PORTS_BESIDE for port in ports}
    assert max(ports) + start.PORTS_BESIDE < 32_768
