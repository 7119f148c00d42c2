"""Where a stack's parts answer: its own processes, or only what somebody else's stack was given."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.processes.shell import shell_variables
from lakeproof.stack.addresses import SCALABLE, USUAL_PORTS
from lakeproof.stack.components import all_components
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack, load_stack


@pytest.fixture(autouse=True)
def no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def external(**given: Any) -> Stack:
    return Stack(Settings(mode="external", state_dir=Path("/nowhere"), **given))


def not_given() -> Iterator[tuple[str, str]]:
    for name, component in all_components().items():
        yield from ((name, kind) for kind in component.ports if name != "desk")


def test_the_table_of_ports_is_the_components() -> None:
    assert {name: one.ports for name, one in all_components().items()} == dict(USUAL_PORTS)
    assert tuple(name for name, one in all_components().items() if one.replicas is not None) == SCALABLE


def test_no_two_components_have_the_same_port() -> None:
    ports = [port for kinds in USUAL_PORTS.values() for port in kinds.values()]
    assert len(set(ports)) == len(ports)


@pytest.mark.parametrize(("component", "kind"), list(not_given()))
def test_somebody_elses_endpoint_that_was_not_given_is_never_the_local_one(component: str, kind: str) -> None:
    stack = external(endpoints={"desk": {"http": "10.0.0.5:8100"}})
    for ask in (stack.address, stack.url, stack.host_port):
        with pytest.raises(InvalidInput, match=rf"^{component}: .* no {kind} endpoint .* LAKEPROOF_ENDPOINTS="):
            ask(component, kind)


def test_the_way_that_the_error_names_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput) as refused:
        external().url("connect")
    value = refused.value.next_action.partition("LAKEPROOF_ENDPOINTS='")[2].rstrip("'")
    monkeypatch.setenv("LAKEPROOF_MODE", "external")
    monkeypatch.setenv("LAKEPROOF_ENDPOINTS", value.replace("host:port", "10.0.0.5:8083"))
    assert load_stack().url("connect") == "http://10.0.0.5:8083"


def test_the_desk_runs_here_beside_somebody_elses_stack() -> None:
    assert external().url("desk") == f"http://127.0.0.1:{external().port('desk')}"


@pytest.mark.parametrize("given", ["10.0.0.5:9092", "http://10.0.0.5:9092", "https://10.0.0.5:9092/"])
def test_an_endpoint_as_the_settings_take_it_has_a_host_and_a_port(given: str) -> None:
    assert external(endpoints={"kafka": {"tcp": given}}).host_port("kafka") == ("10.0.0.5", 9092)


def test_one_kind_given_is_not_the_other() -> None:
    stack = external(endpoints={"flink-taskmanager": {"jmx": "10.0.0.5:9250"}, "kafka": {"tcp": "10.0.0.5:9092"}})
    assert stack.address("kafka", "tcp") == "10.0.0.5:9092"
    with pytest.raises(InvalidInput, match=r"kafka: .* no jmx endpoint"):
        stack.address("kafka", "jmx")


def test_the_shell_is_told_only_what_was_given() -> None:
    stack = external(endpoints={"kafka": {"tcp": "10.0.0.5:9092"}}, secrets={"mysql-reader": "x"})
    assert shell_variables(stack) == {"KAFKA_TCP": "10.0.0.5:9092", "SECRET_MYSQL_READER": "x"}


def test_another_url_for_one_component_leaves_the_others_as_they_were() -> None:
    stack = external(endpoints={"connect": {"http": "a:1", "secrets_file": "/s"}, "mysql": {"tcp": "b:2"}})
    changed = stack.at("connect", "http://c:3")
    assert changed.url("connect") == "http://c:3"
    assert (changed.address("mysql", "tcp"), changed.address("connect", "secrets_file")) == ("b:2", "/s")
    assert stack.url("connect") == "http://a:1"


def test_a_components_name_in_a_url_means_the_stacks_own() -> None:
    stack = external(endpoints={"connect": {"http": "a:1"}})
    assert stack.at("connect", "http://connect:8083").url("connect") == "http://a:1"


@pytest.mark.parametrize("url", ["nonsense", "", "ftp://a:1", "http://", "http://a:x", "http://[::1", "a:99999"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"not an address. Next: give it as http://host:port"):
        external().at("connect", url)


@pytest.mark.parametrize(
    "url", ["https://notify.example.org", "http://10.0.0.5:8006/behind/a/gateway", "10.0.0.5:80"]
)
def test_a_url_may_lack_a_port_or_have_a_path(url: str) -> None:
    assert external().at("notification-service", url).url("notification-service").endswith(url)


def test_the_user_of_a_secret_is_a_setting() -> None:
    stack = external(accounts={"mysql-root": "admin"})
    assert stack.account("mysql-root", "root") == "admin"
    assert stack.account("mysql-reader", "reader") == "reader"


def test_a_user_for_a_secret_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="mysql-rot is no secret's name"):
        external(accounts={"mysql-rot": "admin"})
