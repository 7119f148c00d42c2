"""Trino 483: answers SQL on what is published, at any hash; it never writes.

Why 483: the first one that reads Paimon's Iceberg v3 deletion vectors right. Put together from its published jars
(third_party/trino), so it needs a JDK >= 24 with the Vector API module.
Traps: catalogs are dynamic, because a pinned read makes one per hash (lake/query/pin.py); then `catalog.config-dir`
is fatal and catalogs lie in etc/catalog under the working folder. The agent's pattern for the queue is narrow on
purpose: other attributes of QueryManager are nested and would become one series with many label sets.
Start: C1 only, and an archive of loaded classes that the first clean stop writes (with an agent the JVM asks for a
diagnostic flag for it): 9 s → 3.3 s on 2 cores, agent included.
"""

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import httpx

from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady
from lakeproof.install import artifacts
from lakeproof.install.java import find_vector_java
from lakeproof.stack.component import Command, Component, Scrape
from lakeproof.stack.stack import Stack

CATALOG = "lake"
SCHEMA = "oltp"
WAREHOUSE = "s3://lake/wh"
HEAP = "1g"

# S3 keys stay out of files and of SQL: Trino resolves these references itself, also in CREATE CATALOG.
_ACCESS_KEY, _SECRET_KEY = "LAKE_S3_ACCESS_KEY", "LAKE_S3_SECRET_KEY"

_LOG_LEVELS = """\
io.trino=INFO
io.trino.event.QueryMonitor=WARN
io.trino.bootstrap=ERROR
io.airlift=WARN
org.eclipse.jetty=WARN
"""

_JMX = """\
lowercaseOutputName: true
includeObjectNames: ["trino.execution:name=QueryManager"]
rules:
  - pattern: 'trino.execution<name=QueryManager><>(QueuedQueries|RunningQueries)'
    name: trino_execution_$1
    type: GAUGE
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
        "s3.region": "us-east-1",
        "s3.path-style-access": "true",
        "s3.max-error-retries": "5",
        "s3.aws-access-key": f"${{ENV:{_ACCESS_KEY}}}",
        "s3.aws-secret-key": f"${{ENV:{_SECRET_KEY}}}",
    }


def _server_properties(stack: Stack) -> dict[str, str]:
    port = stack.port("trino")
    return {
        "coordinator": "true",
        "node-scheduler.include-coordinator": "true",
        "http-server.http.port": str(port),
        "discovery.uri": f"http://{stack.settings.host}:{port}",
        "node.internal-address": stack.settings.host,
        "node.bind-ip": stack.settings.host,
        "plugin.dir": str(artifacts.path("trino") / "plugin"),
        "catalog.management": "dynamic",
        "catalog.store": "file",
        "query.max-memory": "450MB",
        "query.max-memory-per-node": "450MB",
        "memory.heap-headroom-per-node": "250MB",
        "query.max-history": "50",
        "query.min-expire-age": "1m",
        "log.levels-file": str(stack.etc_dir("trino") / "log.properties"),
    }


def command(stack: Stack) -> Command:
    """One server that is coordinator and worker; keys in the environment."""
    etc, data, home = stack.etc_dir("trino"), stack.data_dir("trino"), artifacts.path("trino")
    agent = artifacts.path("jmx-agent") / "jmx_prometheus_javaagent.jar"
    return Command(
        argv=(
            str(find_vector_java()),
            "-server",
            "-Xms256m",
            f"-Xmx{HEAP}",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:+ExitOnOutOfMemoryError",
            "-XX:ReservedCodeCacheSize=200M",
            "-XX:MaxMetaspaceSize=400M",
            "-XX:+UnlockDiagnosticVMOptions",
            "-XX:+AllowArchivingWithJavaAgent",
            "-XX:+AutoCreateSharedArchive",
            f"-XX:SharedArchiveFile={data / 'classes.jsa'}",
            "-Xlog:cds=off",
            "-Xlog:cds+dynamic=off",
            "-Djdk.attach.allowAttachSelf=true",
            "-XX:+EnableDynamicAgentLoading",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "--add-modules=jdk.incubator.vector",
            f"-javaagent:{agent}={stack.settings.host}:{stack.port('trino', 'jmx')}:{etc / 'jmx.yml'}",
            "-cp",
            f"{etc / 'boot.jar'}:{home / 'main' / 'lib'}/*",
            f"-Dconfig={etc / 'config.properties'}",
            "-Dnode.environment=lakeproof",
            "-Dnode.id=trino",
            f"-Dnode.data-dir={data}",
            "TrinoLauncher",
        ),
        env={_ACCESS_KEY: stack.secret("s3-access-key"), _SECRET_KEY: stack.secret("s3-secret-key")},
        cwd=etc,
    )


def prepare(stack: Stack) -> None:
    """Config, and the one catalog that stays; catalogs of pinned reads that a crash left are gone with this."""
    etc = stack.etc_dir("trino")
    catalogs = etc / "etc" / "catalog"
    catalogs.mkdir(parents=True, exist_ok=True)
    stack.data_dir("trino").mkdir(parents=True, exist_ok=True)
    for left in catalogs.glob("*.properties"):
        left.unlink()
    (etc / "config.properties").write_text(_lines(_server_properties(stack)))
    (etc / "log.properties").write_text(_LOG_LEVELS)
    (etc / "jmx.yml").write_text(_JMX)
    lake = {"connector.name": "iceberg"} | catalog_properties(stack, "main")
    (catalogs / f"{CATALOG}.properties").write_text(_lines(lake))
    _make_boot_jar(artifacts.path("trino") / "boot", etc / "boot.jar")


def _lines(properties: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def _make_boot_jar(classes: Path, jar: Path) -> None:
    """The launcher as a jar: a class archive takes no folders, and is void once a jar of its is written anew."""
    files = sorted(classes.rglob("*.class"))
    mark = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    if jar.is_file():
        with zipfile.ZipFile(jar) as old:
            if old.comment.decode() == mark:
                return
    with zipfile.ZipFile(jar, "w") as new:
        for file in files:
            new.writestr(zipfile.ZipInfo(str(file.relative_to(classes))), file.read_bytes())
        new.comment = mark.encode()


def ready(stack: Stack, timeout: float) -> None:
    """`SELECT 1` through the statement API has its row within `timeout` seconds. Raises: NotReady."""
    deadline = Deadline(timeout)
    try:
        with httpx.Client(timeout=timeout, headers={"X-Trino-User": "lakeproof-health"}, trust_env=False) as client:
            page = client.post(f"{stack.url('trino')}/v1/statement", content="SELECT 1").raise_for_status().json()
            while "nextUri" in page:
                if deadline.expired:
                    client.delete(page["nextUri"])
                    raise NotReady(f"SELECT 1 is {page['stats']['state']} after {timeout:g} s", where="trino")
                page = client.get(page["nextUri"]).raise_for_status().json()
                if page.get("data") == [[1]]:
                    return
    except (httpx.HTTPError, ValueError) as error:
        raise NotReady(f"no answer: {type(error).__name__} {error}".strip(), where="trino") from error
    raise NotReady(str(page.get("error", {}).get("message", "no row came")), where="trino")


COMPONENTS = (
    Component(
        name="trino",
        kind="engine",
        summary="SQL on the published lake, pinned to a hash",
        command=command,
        prepare=prepare,
        ready=ready,
        uses=("nessie", "minio"),
        ports={"http": 8080, "jmx": 9408},
        scrapes=(Scrape("jmx"),),
        start_seconds=150,
        stop_seconds=15,  # the first stop writes the class archive: 5 s on 2 cores
        image="trinodb/trino:483",
    ),
)
