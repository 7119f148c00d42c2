"""Trino 483: answers SQL on what is published, at any hash; it never writes.

Why 483: the first version that reads Paimon's Iceberg v3 deletion vectors right. It is put together from its
published jars (third_party/trino), and needs a JDK >= 24 with the Vector API module.
Traps: catalogs are dynamic, because a pinned read makes one per hash (lake/query/pin.py). With dynamic catalogs Trino
refuses `catalog.config-dir`, and reads them from etc/catalog under its working folder. The agent's pattern for the
queue is narrow on purpose: other attributes of QueryManager are nested, and would become a series with many labels.
Start: with the C1 compiler alone and an archive of loaded classes (class_archive.py) 3.3 s on 2 cores, else 9 s.
"""

import hashlib
import json
import os
import threading
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady
from lakeproof.install import artifacts
from lakeproof.install.java import find_vector_jdk
from lakeproof.stack import loopback
from lakeproof.stack.addresses import replica_name
from lakeproof.stack.component import STEPS_BACK, Command, Component, Replicas, Scrape
from lakeproof.stack.engines import class_archive, jvm
from lakeproof.stack.engines.class_archive import archive_flags
from lakeproof.stack.object_store import REGION, WAREHOUSE
from lakeproof.stack.stack import Stack

NAME = "trino"
CATALOG = "lake"
SCHEMA = "oltp"
# Metrics that Prometheus keeps.
METRICS = ("trino_execution_queuedqueries", "trino_execution_runningqueries")
# The user of the health question, which cancels its query where no answer comes in time. A cancelled query of this
# user does not count as a failed query.
HEALTH_USER = "lakeproof-health"
_ASKING = {"X-Trino-User": HEALTH_USER}
# While a statement of the minute's audit ran on full processors, `SELECT 1` took over 2 s for a quarter of a minute.
# A server that hangs is noticed by /v1/info, which blackbox-exporter asks.
ANSWER_SECONDS = 5.0
CANCEL_SECONDS = 1.0
HEAP = "1g"
_SERVER_FILE = "config.properties"
# A worker younger than this may still be unknown to the coordinator. Less than start_seconds, after which a start has
# failed.
_ANNOUNCING_SECONDS = 120.0

# S3 keys stay out of files and of SQL: Trino resolves these references itself, also in CREATE CATALOG.
_ACCESS_KEY, _SECRET_KEY = "LAKE_S3_ACCESS_KEY", "LAKE_S3_SECRET_KEY"
# The secret by which the servers of a cluster know each other; by default it is the name of the environment.
_INTERNAL_SECRET = "LAKE_TRINO_SECRET"

# The platform's own users (readers of the lake, the health question) share a group of their own, so that queries of
# people never keep them waiting. Each other user has a group, in which USER_RUNNING queries run and USER_QUEUED wait.
PLATFORM_PREFIX = "lakeproof"
USER_RUNNING, USER_QUEUED = 3, 50

_LOG_LEVELS = """\
io.trino=INFO
io.trino.event.QueryMonitor=WARN
io.trino.bootstrap=ERROR
io.airlift=WARN
org.eclipse.jetty=WARN
"""


def catalog_properties(stack: Stack, ref: str) -> dict[str, str]:
    """The lake as a catalog on one Nessie reference (a branch or a tag); reading only, no cached metadata."""
    return {
        "iceberg.catalog.type": "nessie",
        "iceberg.nessie-catalog.uri": f"{stack.url('nessie')}/api/v2",
        "iceberg.nessie-catalog.ref": ref,
        "iceberg.nessie-catalog.default-warehouse-dir": WAREHOUSE,
        "iceberg.security": "read_only",
        "iceberg.metadata-cache.enabled": "false",
        "fs.s3.enabled": "true",
        "s3.endpoint": stack.url("minio"),
        "s3.region": REGION,
        "s3.path-style-access": "true",
        "s3.max-error-retries": "5",
        "s3.aws-access-key": f"${{ENV:{_ACCESS_KEY}}}",
        "s3.aws-secret-key": f"${{ENV:{_SECRET_KEY}}}",
    }


def server_properties(stack: Stack, name: str = NAME) -> dict[str, str]:
    """config.properties of the coordinator, which is a worker too, or of a further server, a worker only."""
    role = {"coordinator": "false"}
    if name == NAME:
        role = {"coordinator": "true", "node-scheduler.include-coordinator": "true", "catalog.store": "file"}
    return role | {
        "http-server.http.port": str(stack.port(name)),
        "discovery.uri": f"http://{stack.settings.host}:{stack.port(NAME)}",
        "internal-communication.shared-secret": f"${{ENV:{_INTERNAL_SECRET}}}",
        "node.internal-address": stack.settings.host,
        "node.bind-ip": stack.settings.host,
        "plugin.dir": str(artifacts.path("trino") / "plugin"),
        "catalog.management": "dynamic",
        "query.max-memory": "450MB",
        "query.max-memory-per-node": "450MB",
        "memory.heap-headroom-per-node": "250MB",
        "query.max-history": "50",
        "query.min-expire-age": "1m",
        "log.levels-file": str(stack.etc_dir(name) / "log.properties"),
    }


def resource_groups() -> dict[str, object]:
    """Who may run how many queries at once, as Trino's file-based resource groups want it."""
    own = {"softMemoryLimit": "60%", "hardConcurrencyLimit": USER_RUNNING, "maxQueued": USER_QUEUED}
    return {
        "rootGroups": [
            {"name": "platform", "softMemoryLimit": "100%", "hardConcurrencyLimit": 100, "maxQueued": 1000},
            {
                "name": "people",
                "softMemoryLimit": "80%",
                "hardConcurrencyLimit": 20,
                "maxQueued": 500,
                "subGroups": [{"name": "${USER}", **own}],
            },
        ],
        "selectors": [{"user": f"{PLATFORM_PREFIX}.*", "group": "platform"}, {"group": "people.${USER}"}],
    }


def command(stack: Stack, name: str = NAME) -> Command:
    """One server; keys in the environment."""
    etc, data, home = stack.etc_dir(name), stack.data_dir(name), artifacts.path("trino")
    program, class_path = find_vector_jdk().program, f"{boot_jar()}:{home / 'main' / 'lib'}/*"
    return Command(
        argv=(
            str(program),
            "-server",
            "-Xms256m",
            f"-Xmx{HEAP}",
            *jvm.FLAGS,
            "-XX:ReservedCodeCacheSize=200M",
            "-XX:MaxMetaspaceSize=400M",
            *archive_flags(NAME, program, class_path),
            "-Djdk.attach.allowAttachSelf=true",
            "-XX:+EnableDynamicAgentLoading",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "--add-modules=jdk.incubator.vector",
            jvm.agent_flag(stack, name),
            "-cp",
            class_path,
            f"-Dconfig={etc / _SERVER_FILE}",
            "-Dnode.environment=lakeproof",
            f"-Dnode.id={name}",
            f"-Dnode.data-dir={data}",
            "TrinoLauncher",
        ),
        env={
            _ACCESS_KEY: stack.secret("s3-access-key"),
            _SECRET_KEY: stack.secret("s3-secret-key"),
            _INTERNAL_SECRET: stack.secret("trino-internal"),
        },
        cwd=etc,
    )


def prepare(stack: Stack) -> None:
    """Write the configuration and the catalog `lake`; remove catalogs of pinned reads that a crash left."""
    etc = stack.etc_dir(NAME)
    catalogs = etc / "etc" / "catalog"
    catalogs.mkdir(parents=True, exist_ok=True)
    for left in catalogs.glob("*.properties"):
        left.unlink()
    lake = {"connector.name": "iceberg"} | catalog_properties(stack, "main")
    (catalogs / f"{CATALOG}.properties").write_text(jvm.properties_text(lake))
    # Only the coordinator reads resource groups, from etc/ under its working folder, as it does with catalogs.
    groups = etc / "etc" / "resource-groups.json"
    groups.write_text(json.dumps(resource_groups(), indent=2))
    (etc / "etc" / "resource-groups.properties").write_text(
        jvm.properties_text(
            {"resource-groups.configuration-manager": "file", "resource-groups.config-file": str(groups)}
        )
    )
    _write_server(stack, NAME)


def _write_server(stack: Stack, name: str) -> None:
    etc = stack.etc_dir(name)
    etc.mkdir(parents=True, exist_ok=True)
    stack.data_dir(name).mkdir(parents=True, exist_ok=True)
    (etc / _SERVER_FILE).write_text(jvm.properties_text(server_properties(stack, name)))
    (etc / "log.properties").write_text(_LOG_LEVELS)
    jvm.write_agent_rules(stack, name, NAME)


def boot_jar() -> Path:
    """The launcher as a jar in set-up's cache, made where it is absent: a class archive takes no folders.

    Raises: MissingArtifact.
    """
    classes = artifacts.path("trino") / "boot"
    files = sorted(classes.rglob("*.class"))
    mark = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    jar = class_archive.folder() / f"trino-boot-{mark[:12]}.jar"
    if not jar.is_file():
        partial = jar.with_name(f"{jar.name}.{os.getpid()}.{threading.get_ident()}")
        with zipfile.ZipFile(partial, "w") as new:
            for file in files:
                new.writestr(zipfile.ZipInfo(str(file.relative_to(classes))), file.read_bytes())
        partial.rename(jar)
    return jar


def ready(stack: Stack, timeout: float) -> None:
    """`SELECT 1` through the statement API has its row within `timeout` seconds. Raises: NotReady."""
    rows = _rows(stack, "SELECT 1", timeout)
    if rows != [[1]]:
        raise NotReady(f"SELECT 1 gave {rows}", where=NAME)


def worker_ready(stack: Stack, timeout: float, name: str) -> None:
    """It says itself that it has started, and the coordinator gives it work. Raises: NotReady.

    While the coordinator is away the worker's own answer is enough: restarting the worker would not help. But a
    worker that was started just now is ready only with the coordinator: before that, no query can use it.
    """
    deadline = Deadline(timeout)
    told = loopback.require_ok(f"{stack.url(name)}/v1/info", name, timeout).json()
    if told.get("starting") is not False:
        raise NotReady("still starting", where=name)
    try:
        sql = f"SELECT state FROM system.runtime.nodes WHERE node_id = '{name}'"
        rows = _rows(stack, sql, max(0.1, deadline.left))
    except NotReady:
        if _is_young(stack, name):
            raise
        return
    if rows != [["active"]]:
        raise NotReady("the coordinator does not know it", where=name)


def _is_young(stack: Stack, name: str) -> bool:
    """True where the worker was started here so short a time ago that the coordinator may not know it yet."""
    if stack.settings.mode == "external":
        return False
    return time.time() - (stack.etc_dir(name) / _SERVER_FILE).stat().st_mtime < _ANNOUNCING_SECONDS


def _rows(stack: Stack, sql: str, timeout: float) -> list[list[object]]:
    """The rows of one small statement, which is cancelled where they do not come in time. Raises: NotReady."""
    deadline = Deadline(timeout)
    rows: list[list[object]] = []
    page: dict[str, Any] = {}
    try:
        url = f"{stack.url(NAME)}/v1/statement"
        page = loopback.request("POST", url, timeout=timeout, headers=_ASKING, content=sql).raise_for_status().json()
        while "nextUri" in page and not deadline.expired:
            page = loopback.get(page["nextUri"], timeout=deadline.left, headers=_ASKING).raise_for_status().json()
            rows += page.get("data", [])
    except (httpx.HTTPError, ValueError) as error:
        raise NotReady(f"no answer: {type(error).__name__} {error}".strip(), where=NAME) from error
    finally:
        if "nextUri" in page:
            with suppress(httpx.HTTPError):
                loopback.request("DELETE", page["nextUri"], timeout=CANCEL_SECONDS, headers=_ASKING)
    if "nextUri" in page:
        raise NotReady(f"{sql} is {page['stats']['state']} after {timeout:g} s", where=NAME)
    if "error" in page:
        raise NotReady(str(page["error"].get("message", "no row came")), where=NAME)
    return rows


def further_server(number: int) -> Component:
    """Server 2 and up: a worker for the coordinator's queries, with all of its catalogs, pinned ones too."""
    name = replica_name(NAME, number)

    def ask(stack: Stack, timeout: float) -> None:
        """It says itself that it has started, and the coordinator gives it work."""
        worker_ready(stack, timeout, name)

    return Component(
        name=name,
        kind="engine",
        command=lambda stack: command(stack, name),
        prepare=lambda stack: _write_server(stack, name),
        ready=ask,
        answer_seconds=ANSWER_SECONDS,
        needs=(NAME,),
        uses=("minio",),
        scrapes=(Scrape("jmx", names=METRICS),),
        start_seconds=150,
        stop_seconds=15,
        summary="a further worker of Trino",
        nice=STEPS_BACK,
    )


COMPONENTS = (
    Component(
        name="trino",
        kind="engine",
        summary="SQL on the published lake, pinned to a hash",
        nice=STEPS_BACK,
        command=command,
        prepare=prepare,
        ready=ready,
        answer_seconds=ANSWER_SECONDS,
        uses=("nessie", "minio"),
        scrapes=(Scrape("jmx", names=METRICS),),
        start_seconds=150,
        stop_seconds=15,
        image="trinodb/trino:483",
        replicas=Replicas(further_server, "a query with work there fails, and has to be asked again"),
    ),
)
