"""The compose file: every component as a container, from the one list of components (decision 0030).

What only a container needs stands in containers.yaml; the files it reads come from files.py. Our own parts run from
one image, built from the clone, in mode external: the environment tells them where the others are. The PROVISION hook
of a component runs in a container `provision-NAME`, once, when NAME is healthy; whoever needs NAME starts after it.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from lakeproof.compose.alloy import alloy_config
from lakeproof.compose.files import ETC, File, engine_files, jmx_rules
from lakeproof.compose.secrets import ARTIFACTS, CLONE, SECRETS, reference
from lakeproof.install.artifacts import directory_of
from lakeproof.install.recipe import load_recipes
from lakeproof.observability import dashboard
from lakeproof.observability.receivers import Receivers
from lakeproof.stack.component import Component, Hook
from lakeproof.stack.components import all_components
from lakeproof.stack.engines import flink
from lakeproof.stack.secrets import NAMES
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof.yaml_file import load_yaml

OUR_IMAGE = "lakeproof:local"
# A further node that nothing counts on; and the log store and its shipper, whose place Loki and Alloy take here.
LEFT_OUT = frozenset({"cassandra-node4", "victorialogs", "log-shipper"})
# Kinds of ports that a person or a client uses; the others stay between the containers.
PUBLISHED = ("http", "tcp", "smtp")
# Every node of the ring listens on the usual port in a container of its own.
CASSANDRA_TCP = 9042
# MySQL reads its schema and accounts by itself (files.mysql_sql).
BY_ITSELF = frozenset({"mysql"})
# Components that are unhealthy until their provision is done. Provision waits only for their start, and whoever needs
# such a component waits for its health.
UNWELL_BEFORE = frozenset({"shop-capture"})
DOCKERFILE = """\
FROM python:3.12-slim-bookworm
WORKDIR /lakeproof
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
COPY third_party third_party
COPY java java
RUN pip install --no-cache-dir --editable . && useradd --create-home lakeproof \\
    && install -d -o lakeproof /var/lib/lakeproof
USER lakeproof
ENTRYPOINT ["python"]
"""
ASK = "import urllib.request as r; r.urlopen('http://127.0.0.1:{port}/health', timeout=3)"


def render_compose(receivers: Receivers, scenario_dirs: tuple[Path, ...] = ()) -> str:
    """The text of compose.yaml. Secrets stand in it as ${NAME} alone; `make_env_file` writes them."""
    stack = compose_stack(scenario_dirs)
    components = included()
    made = [*engine_files(stack, receivers), *_agents(components), *_beside_files()]
    data = load_yaml(files("lakeproof.compose").joinpath("containers.yaml").read_text(encoding="utf-8"))
    services = {
        name: _service(stack, one, data["components"].get(name, {}), made) for name, one in components.items()
    }
    services |= {f"provision-{name}": _provision(name, components) for name in provisioned(components)}
    services |= {name: _with_health(entry, 60) for name, entry in data["beside"].items()}
    for name, entry in services.items():
        entry.setdefault("restart", "unless-stopped")
        mounted = ({"source": file.name, "target": str(file.target)} for file in made if file.component == name)
        entry["configs"] = [*entry.get("configs", ()), *mounted]
        if not entry["configs"]:
            del entry["configs"]
    whole = {
        "name": "lakeproof",
        "services": services,
        "networks": {"default": {"ipam": {"config": [{"subnet": "172.31.84.0/24"}]}}},
        "volumes": {name: {} for name in sorted(_volumes(services))},
        "configs": {file.name: {"content": file.content} for file in made},
    }
    return _HEAD + yaml.dump(whole, Dumper=_Plain, sort_keys=False, width=120, allow_unicode=True)


_HEAD = """\
# Made by `lakeproof render compose`. Secrets and paths come from .env: `lakeproof render compose --env-file .env`.
# Validated by compose's own loader; not run where it is developed, which has no Docker.
# Every port is published on 127.0.0.1 only. MinIO, Grafana and Loki are AGPL-3.0 images.
"""


class _Plain(yaml.SafeDumper):
    """Writes no anchors for an object that happens to stand twice, and texts of several lines as they are."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Plain.add_representer(str, _text)


def included() -> dict[str, Component]:
    """The components that become containers."""
    return {name: one for name, one in all_components().items() if one.replica_of is None and name not in LEFT_OUT}


def compose_stack(scenario_dirs: tuple[Path, ...] = ()) -> Stack:
    """The stack as the containers see it: each other's names, secrets as references."""
    return Stack(
        Settings.model_validate(
            {
                "name": "compose",
                "mode": "external",
                "host": "0.0.0.0",
                "state_dir": Path("/var/lib/lakeproof"),
                "endpoints": endpoints(),
                "secrets": {name: reference(name) for name in SECRETS},
                "scenario_dirs": list(scenario_dirs),
                "shop": {"ledger_covers": "own"},
            }
        )
    )


def endpoints() -> dict[str, dict[str, str]]:
    """Component → kind → host:port."""
    found = {name: {kind: f"{name}:{_inner(one, kind)}" for kind in one.ports} for name, one in included().items()}
    found["connect"]["secrets_file"] = str(ETC / "secrets.properties")
    found["mysql"]["server"] = "mysql"
    found["victorialogs"] = {"http": "loki:3100", "server": "loki"}
    return found


def _inner(component: Component, kind: str) -> int:
    is_node = component.name.startswith("cassandra-")
    return CASSANDRA_TCP if is_node and kind == "tcp" else component.ports[kind]


def provisioned(components: Mapping[str, Component]) -> list[str]:
    """The components with a container that provisions them."""
    return [name for name, one in components.items() if Hook.PROVISION in one.hooks and name not in BY_ITSELF]


def _after(name: str, components: Mapping[str, Component]) -> tuple[str, str]:
    """The container to wait for where `name` is needed, and the condition to wait for."""
    if name in provisioned(components) and name not in UNWELL_BEFORE:
        return f"provision-{name}", "service_completed_successfully"
    return name, "service_healthy"


def _depends(names: tuple[str, ...], components: Mapping[str, Component]) -> dict[str, dict[str, str]]:
    return {who: {"condition": what} for who, what in (_after(name, components) for name in names)}


def _service(stack: Stack, component: Component, extra: Mapping[str, Any], made: list[File]) -> dict[str, Any]:
    """One component's container."""
    components = included()
    needs = component.needs if component.kind == "service" else (*component.needs, *component.provision_needs)
    entry: dict[str, Any] = {
        "image": component.image or OUR_IMAGE,
        "ports": [
            f"127.0.0.1:{port}:{_inner(component, kind)}"
            for kind, port in component.ports.items()
            if kind in PUBLISHED
        ],
        "depends_on": _depends(tuple(dict.fromkeys(needs)), components),
        "stop_grace_period": f"{component.stop_seconds:g}s",
    }
    if component.on_demand:
        entry["profiles"] = ["on-demand"]
    if component.kind == "service":
        entry |= _ours(stack, component)
    if component.name.startswith("flink-"):
        entry |= _flink(component.name)
    entry |= copy.deepcopy(dict(extra))
    if component.kind == "engine" and "jmx" in component.ports:
        _watch(entry, component)
    entry = {key: value for key, value in entry.items() if value not in ([], {})}
    return _with_health(entry, component.start_seconds)


def _with_health(entry: Mapping[str, Any], start_seconds: float) -> dict[str, Any]:
    found = dict(entry)
    if test := found.pop("test", None):
        found["healthcheck"] = {
            "test": ["CMD-SHELL", test] if isinstance(test, str) else test,
            "interval": "5s",
            "timeout": "10s",
            "retries": 6,
            "start_period": f"{start_seconds:g}s",
        }
    return found


def _ours(stack: Stack, component: Component) -> dict[str, Any]:
    """The container of a part of Lakeproof: the same module as in the local process, from our one image."""
    _, *arguments = component.command(stack).argv
    found = _our_image() | {"command": arguments}
    if "http" in component.ports:
        found["test"] = ["CMD", "python", "-c", ASK.format(port=component.ports["http"])]
    return found


def _our_image() -> dict[str, Any]:
    return {
        "image": OUR_IMAGE,
        "build": {"context": f"${{{CLONE}:?}}", "dockerfile_inline": DOCKERFILE},
        "environment": {
            "LAKEPROOF_NAME": "compose",
            "LAKEPROOF_MODE": "external",
            "LAKEPROOF_HOST": "0.0.0.0",
            "LAKEPROOF_STATE_DIR": "/var/lib/lakeproof",
            "LAKEPROOF_CACHE": "/cache",
            "LAKEPROOF_ENDPOINTS": json.dumps(endpoints()),
            "LAKEPROOF_SECRETS": json.dumps({name: reference(name) for name in NAMES}),
            "LAKEPROOF_SHOP": json.dumps({"ledger_covers": "own"}),
        },
        "volumes": ["lakeproof:/var/lib/lakeproof", f"${{{ARTIFACTS}:?}}:/cache/artifacts:ro"],
    }


def _provision(name: str, components: Mapping[str, Component]) -> dict[str, Any]:
    component = components[name]
    ready = "service_started" if name in UNWELL_BEFORE else "service_healthy"
    return _our_image() | {
        "command": ["-m", "lakeproof.provisioning", name, Hook.PROVISION.value],
        "restart": "on-failure:20",
        "depends_on": {name: {"condition": ready}} | _depends(component.provision_needs, components),
    }


def _artifact(name: str) -> str:
    """The artifact's folder on the host, where set-up left it."""
    return f"${{{ARTIFACTS}:?}}/{name}/{directory_of(load_recipes()[name]).name}"


def _flink(name: str) -> dict[str, Any]:
    """Flink by its main class, with the jars that set-up fetched: its own script knows no order of jars."""
    main, heap = {
        flink.JOBMANAGER: ("org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint", "448m"),
        flink.TASKMANAGER: ("org.apache.flink.runtime.taskexecutor.TaskManagerRunner", "608m"),
    }.get(name, ("org.apache.flink.table.gateway.SqlGateway", "320m"))
    folders = ["/opt/lake-io/lib/*", "/opt/lake-flink/lib/*"]
    is_gateway = main.endswith("SqlGateway")
    return {
        "entrypoint": [
            "java",
            f"-Xmx{heap}",
            *flink.FLAGS,
            f"-Dlog4j2.configurationFile={ETC}/flink/log4j2.properties",
            "-cp",
            ":".join([*folders, *(["/opt/lake-flink/opt/*"] if is_gateway else [])]),
            main,
            *([] if is_gateway else ["--configDir", f"{ETC}/flink"]),
        ],
        "environment": {
            "FLINK_CONF_DIR": f"{ETC}/flink",
            "FLINK_PLUGINS_DIR": "/opt/lake-flink/plugins",
            "FLINK_LIB_DIR": "/opt/lake-flink/lib",
        },
        "volumes": [f"{_artifact('flink')}:/opt/lake-flink:ro", f"{_artifact('lake-io')}:/opt/lake-io:ro"],
    }


def _watch(entry: dict[str, Any], component: Component) -> None:
    """Add the agent that exports the component's metrics, as in the local process."""
    jar = "/opt/jmx/jmx_prometheus_javaagent.jar"
    agent = f"-javaagent:{jar}=0.0.0.0:{component.ports['jmx']}:{ETC}/jmx.yml"
    entry["environment"] = {**entry.get("environment", {}), "JAVA_TOOL_OPTIONS": agent}
    entry["volumes"] = [*entry.get("volumes", ()), f"{_artifact('jmx-agent')}:/opt/jmx:ro"]


def _agents(components: Mapping[str, Component]) -> Iterator[File]:
    for name, component in components.items():
        if component.kind == "engine" and "jmx" in component.ports:
            yield File(name, ETC / "jmx.yml", jmx_rules(name))


def _beside_files() -> Iterator[File]:
    """What Grafana and Alloy read; containers.yaml mounts them by name."""
    folder = files("lakeproof.compose")
    for name in ("grafana-datasources.yaml", "grafana-dashboards.yaml"):
        yield File("beside", ETC / name, folder.joinpath(name).read_text(encoding="utf-8"))
    yield File("beside", ETC / "alloy.config", alloy_config())
    yield File("beside", ETC / dashboard.FILE, dashboard.read_dashboard())


def _volumes(services: Mapping[str, Mapping[str, Any]]) -> set[str]:
    mounts = (mount for entry in services.values() for mount in entry.get("volumes", ()))
    return {name for name in (mount.partition(":")[0] for mount in mounts) if name[0] not in "/.$"}
