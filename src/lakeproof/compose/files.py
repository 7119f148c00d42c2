"""The files that containers read, as compose `configs`: made by the same functions as those of the local processes.

A secret stands in them as ${NAME}, which compose fills in from .env; every other dollar sign is doubled.
"""

import json
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from lakeproof.compose.secrets import SECRETS, variable
from lakeproof.errors import TerminalError
from lakeproof.observability.receivers import SLACK_URL, Receivers
from lakeproof.observability.routing import (
    MESSAGES_FILE,
    SLACK_FILES,
    TOKEN_FILE,
    render_alertmanager,
    render_messages,
)
from lakeproof.observability.rules import find_rules, render_rules
from lakeproof.observability.scrape import render_prometheus
from lakeproof.provisioning.mysql import SIGNAL_TABLE, schema_statements
from lakeproof.stack.engines import blackbox_exporter, flink_config, jvm, mysql_accounts, trino
from lakeproof.stack.engines.connect import PASSWORDS, SECRETS_FILE
from lakeproof.stack.stack import Stack
from lakeproof.yaml_file import load_yaml

ETC = Path("/etc/lakeproof")
ALERTMANAGER_ETC = Path("/etc/alertmanager")
# MySQL 8's names for what MariaDB calls otherwise.
MYSQL_PRIVILEGES = {
    "BINLOG MONITOR": "REPLICATION CLIENT",
    "SLAVE MONITOR": "REPLICATION CLIENT",
    "CONNECTION ADMIN": "CONNECTION_ADMIN",
}
_NAMES = "|".join((*map(variable, SECRETS), SLACK_URL))
_DOLLAR = re.compile(rf"\$(?!\{{(?:{_NAMES}):\?\}})")


@dataclass(frozen=True)
class File:
    """One file of a component. target: its path in the container."""

    component: str
    target: Path
    text: str

    @property
    def name(self) -> str:
        """The file's name among the configs."""
        return re.sub(r"[^a-z0-9-]+", "-", f"{self.component}-{self.target.name}".lower())

    @property
    def content(self) -> str:
        """The text as compose wants it, with dollar signs doubled."""
        return escaped(self.text)


def escaped(text: str) -> str:
    """The text with every dollar sign doubled, except where a secret is referred to."""
    return _DOLLAR.sub("$$", text)


def engine_files(stack: Stack, receivers: Receivers) -> list[File]:
    """The files of the components. `stack`: a stack in mode external, whose endpoints are the containers' names."""
    return [
        File("mysql", Path("/docker-entrypoint-initdb.d/lakeproof.sql"), mysql_sql(stack)),
        File("connect", ETC / SECRETS_FILE, "".join(f"{name}={stack.secret(name)}\n" for name in PASSWORDS)),
        *(
            File(name, ETC / "flink" / file, text)
            for name in ("flink-jobmanager", "flink-taskmanager", "flink-sql-gateway")
            for file, text in (
                ("config.yaml", flink_yaml(stack, name)),
                ("log4j2.properties", flink_config.log4j2()),
            )
        ),
        File(
            "trino",
            Path("/etc/trino/catalog/lake.properties"),
            jvm.properties_text({"connector.name": "iceberg"} | trino.catalog_properties(stack, "main")),
        ),
        File("trino", Path("/etc/trino/resource-groups.json"), json.dumps(trino.resource_groups(), indent=1)),
        File(
            "trino",
            Path("/etc/trino/resource-groups.properties"),
            "resource-groups.configuration-manager=file\n"
            "resource-groups.config-file=/etc/trino/resource-groups.json\n",
        ),
        File("blackbox-exporter", ETC / "blackbox.yml", yaml.safe_dump(blackbox_exporter.MODULES)),
        *_prometheus(stack),
        *_alertmanager(stack, receivers),
    ]


def mysql_sql(stack: Stack) -> str:
    """The order database's schema and accounts in MySQL 8's words; read once, by an empty server."""
    accounts = list(mysql_accounts.statements(stack.secret))
    for theirs, ours in MYSQL_PRIVILEGES.items():
        accounts = [statement.replace(theirs, ours) for statement in accounts]
    return ";\n".join((*schema_statements(), SIGNAL_TABLE, *accounts)) + ";\n"


def flink_yaml(stack: Stack, component: str) -> str:
    """Flink's configuration, with the containers' names in the place of the one loopback address."""
    values: dict[str, str] = load_yaml(flink_config.config_yaml(stack, component))
    values |= {
        "jobmanager.rpc.address": "flink-jobmanager",
        "rest.address": "flink-jobmanager",
        "taskmanager.host": component,
        "sql-gateway.endpoint.rest.address": component,
        "io.tmp.dirs": "/tmp",
        "blob.storage.directory": "/tmp/blobs",
        "web.upload.dir": "/tmp/upload",
    }
    return "".join(f'{key}: "{value}"\n' for key, value in values.items())


def _prometheus(stack: Stack) -> list[File]:
    etc = Path("/etc/prometheus")
    config: dict[str, Any] = load_yaml(render_prometheus(stack, etc / "rules", "production"))
    config["scrape_configs"] += [
        {"job_name": name, "scrape_interval": "5s", "static_configs": [{"targets": [f"{name}:{port}"]}]}
        for name, port in (("cadvisor", 8080), ("loki", 3100), ("grafana", 3000))
    ]
    rules = render_rules(find_rules(stack.settings.scenario_dirs), 1)
    return [
        File("prometheus", etc / "prometheus.yml", yaml.safe_dump(config, sort_keys=False, width=200)),
        *(File("prometheus", etc / "rules" / name, text) for name, text in rules.items()),
    ]


def _alertmanager(stack: Stack, receivers: Receivers) -> list[File]:
    etc = ALERTMANAGER_ETC
    text = render_alertmanager(etc, stack.url("desk"), receivers, "production")
    known = {
        TOKEN_FILE: stack.secret("desk-token"),
        MESSAGES_FILE: render_messages(stack.url("desk"), receivers),
        **dict.fromkeys(SLACK_FILES.values(), f"${{{SLACK_URL}:?}}"),
    }
    found = [File("alertmanager", etc / "alertmanager.yml", text)]
    for name in sorted(set(re.findall(rf"{re.escape(str(etc))}/([\w.-]+)", text))):
        if name not in known:
            raise TerminalError(f"nothing makes the file {name}", where="alertmanager", next_action="add it here")
        found.append(File("alertmanager", etc / name, known[name]))
    return found


def jmx_rules(component: str) -> str:
    """What the JMX agent of that component exports."""
    kind = "cassandra" if component.startswith("cassandra-") else component
    return files("lakeproof.stack.engines").joinpath("jmx", f"{kind}.yml").read_text(encoding="utf-8")
