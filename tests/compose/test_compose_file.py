"""The compose file: compose's own loader takes it, every component is in it, and no secret is."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakeproof.compose.file import BY_ITSELF, LEFT_OUT, compose_stack, included, render_compose
from lakeproof.compose.files import escaped, mysql_sql
from lakeproof.compose.secrets import make_env_file, reference
from lakeproof.errors import InvalidInput, MissingArtifact
from lakeproof.install import artifacts
from lakeproof.observability.receivers import SLACK_URL, read_receivers
from lakeproof.stack.component import Hook
from lakeproof.stack.components import all_components
from lakeproof.stack.settings import Settings


@pytest.fixture(scope="module")
def text() -> str:
    return render_compose(read_receivers({}))


@pytest.fixture(scope="module")
def services(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text)["services"]
    return found


def run_loader(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Docker compose itself where it is there, else its loader alone."""
    (folder / "compose.yaml").write_text(text)
    if (
        shutil.which("docker")
        and not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    ):
        command = ["docker", "compose", "--profile", "*", "config", "-q"]
    else:
        try:
            command = [str(artifacts.path("checkers") / "bin" / "compose-check"), "compose.yaml"]
        except MissingArtifact:
            pytest.skip("neither docker compose nor its loader is here: lakeproof setup --only checkers")
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_compose_takes_the_file_with_the_env_file_made_for_it(text: str, tmp_path: Path) -> None:
    make_env_file(tmp_path / ".env")
    done = run_loader(tmp_path, text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_compose_refuses_it_without_a_secret_or_with_a_config_that_is_not_there(text: str, tmp_path: Path) -> None:
    make_env_file(tmp_path / ".env")
    wrong = run_loader(tmp_path, text.replace("source: connect-jmx-yml", "source: nowhere"))
    assert wrong.returncode != 0 and "nowhere" in wrong.stderr
    (tmp_path / ".env").unlink()
    assert "is missing a value" in run_loader(tmp_path, text).stderr


def test_every_component_is_a_container_with_its_own_image_ports_and_end(services: dict[str, Any]) -> None:
    wanted = {name for name, one in all_components().items() if one.replica_of is None} - LEFT_OUT
    assert wanted <= set(services)
    for name in wanted:
        component, entry = all_components()[name], services[name]
        assert entry["image"] == (component.image or "lakeproof:local")
        published = {int(port.split(":")[1]) for port in entry.get("ports", ())}
        assert published <= set(component.ports.values())
        assert entry["stop_grace_period"] == f"{component.stop_seconds:g}s"
    assert {"grafana", "loki", "doris-fe", "doris-be", "cadvisor"} <= set(services)


def test_an_image_is_pinned_and_a_port_is_on_loopback(services: dict[str, Any]) -> None:
    for name, entry in services.items():
        assert re.search(r":[\w.-]*\d[\w.-]*$|^lakeproof:local$", entry["image"]), name
        assert all(port.startswith("127.0.0.1:") for port in entry.get("ports", ())), name


def test_what_a_health_question_can_be_asked_of_has_one(services: dict[str, Any]) -> None:
    # No shell in its image; Alloy only carries logs; the others end when their work is done.
    without = {name for name, entry in services.items() if "healthcheck" not in entry}
    assert {name for name in without if not name.startswith("provision-")} == {"redis-exporter", "alloy"}


def test_who_needs_a_provisioned_component_starts_after_its_provision(services: dict[str, Any]) -> None:
    assert services["payment-service"]["depends_on"] == {
        "provision-postgres": {"condition": "service_completed_successfully"}
    }
    assert services["order-service"]["depends_on"] == {"mysql": {"condition": "service_healthy"}}
    hooked = {name for name, one in included().items() if Hook.PROVISION in one.hooks} - BY_ITSELF
    assert {f"provision-{name}" for name in hooked} <= set(services)
    for name in hooked:
        assert name in services[f"provision-{name}"]["depends_on"]


def test_no_secret_stands_in_the_file_and_the_env_file_is_the_owners(text: str, tmp_path: Path) -> None:
    path = tmp_path / ".env"
    added = make_env_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    values = dict(line.split("=", 1) for line in path.read_text().splitlines() if not line.startswith("#"))
    assert set(added) == set(values)
    assert not [name for name, value in values.items() if value in text]
    assert make_env_file(path) == []
    assert dict(line.split("=", 1) for line in path.read_text().splitlines() if not line.startswith("#")) == values


def test_what_the_env_file_exports_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("export MYSQL_ROOT=kept\n")
    assert "MYSQL_ROOT" not in make_env_file(path)
    assert path.read_text().count("MYSQL_ROOT=") == 1


def test_an_env_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("nonsense\n")
    with pytest.raises(InvalidInput, match="nonsense"):
        make_env_file(tmp_path / ".env")


def test_a_dollar_sign_is_doubled_but_for_a_secret() -> None:
    assert escaped("{{ $value }} " + reference("mysql-root")) == "{{ $$value }} ${MYSQL_ROOT:?}"
    assert escaped("${ENV:LAKE_S3_ACCESS_KEY} $1") == "$${ENV:LAKE_S3_ACCESS_KEY} $$1"


def test_our_parts_are_told_of_every_other_by_its_name(services: dict[str, Any]) -> None:
    environment = services["order-service"]["environment"]
    told = Settings.model_validate(
        {
            "mode": environment["LAKEPROOF_MODE"],
            "host": environment["LAKEPROOF_HOST"],
            "endpoints": json.loads(environment["LAKEPROOF_ENDPOINTS"]),
            "secrets": json.loads(environment["LAKEPROOF_SECRETS"]),
        }
    )
    assert told.endpoints["mysql"]["tcp"] == "mysql:3306"
    assert told.endpoints["cassandra-node2"]["tcp"] == "cassandra-node2:9042"
    # Loki stands for VictoriaLogs.
    assert told.endpoints["victorialogs"] == {"http": "loki:3100", "server": "loki"}
    assert set(told.endpoints) - {"victorialogs"} == set(included())
    assert services["order-service"]["command"] == ["-m", "lakeproof_shop.services.order.app"]


def test_grafana_gets_the_dashboard_and_both_of_its_data_sources_by_their_names(text: str) -> None:
    configs = yaml.safe_load(text)["configs"]
    dashboard = json.loads(configs["beside-dataflow-overview-json"]["content"].replace("$$", "$"))
    assert dashboard["title"] == "Dataflow Overview"
    sources = yaml.safe_load(configs["beside-grafana-datasources-yaml"]["content"])["datasources"]
    given = {source["uid"] for source in sources}
    used = set(
        re.findall(r'"uid": "([^"$]+)"', json.dumps([panel.get("datasource") for panel in dashboard["panels"]]))
    )
    assert given == {"prometheus", "loki"} and used <= given


def test_mysql_8_is_asked_for_no_privilege_that_only_mariadb_has() -> None:
    sql = mysql_sql(compose_stack())
    assert "CREATE TABLE IF NOT EXISTS oltp.orders" in sql
    assert not re.search(r"BINLOG MONITOR|SLAVE MONITOR|CONNECTION ADMIN", sql)


def test_slack_is_told_where_it_is_configured_and_its_address_stays_out_of_the_file() -> None:
    url = "https://hooks.slack.com/services/secret"
    text = render_compose(read_receivers({SLACK_URL: url}))
    assert url not in text
    assert "${ALERTMANAGER_SLACK_WEBHOOK_URL:?}" in text


def test_a_server_for_the_whole_network_is_refused_outside_of_a_container() -> None:
    with pytest.raises(ValueError, match="only in mode external"):
        Settings(host="0.0.0.0")
    assert Settings(host="0.0.0.0", mode="external").host == "0.0.0.0"


def test_cassandra_in_a_container_has_passwords_and_the_paxos_of_up_also_after_a_restart(
    services: dict[str, Any], tmp_path: Path
) -> None:
    config = tmp_path / "cassandra.yaml"
    config.write_text(
        "authenticator: AllowAllAuthenticator\nauthorizer: AllowAllAuthorizer\npaxos_variant: v1\nnum_tokens: 16"
    )
    shell, _, command = services["cassandra-node2"]["command"]
    editing = command.partition("&& exec ")[0].replace("/etc/cassandra/cassandra.yaml", str(config))
    for _start in range(2):
        subprocess.run([shell, "-c", editing], check=True)
        assert config.read_text().count("paxos_") == 2
    assert yaml.safe_load(config.read_text()) == {
        "authenticator": "PasswordAuthenticator",
        "authorizer": "CassandraAuthorizer",
        "num_tokens": 16,
        "paxos_variant": "v2",
        "paxos_state_purging": "repaired",
    }
