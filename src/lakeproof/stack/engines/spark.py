"""Spark 3.5.7: the second engine on the published lake, pinned to a hash; installed and started on request only.

Its driver is our own small server (java/spark_server): docs/decisions/0004 says why. Iceberg 1.9.2 is the newest that
is to be had for Spark 3.5 and reads v3 deletion vectors right. Traps: it needs Java 17 (24 removed what Hadoop's
login calls). `SET` shows every setting, so the object store's keys are not among them: the AWS library reads the keys
from the environment. In local mode too Spark opens two ports that accept Java objects; `spark.authenticate` has both
ask for a secret that Spark makes for itself.
"""

import shutil

import httpx

from lakeproof.errors import NotReady
from lakeproof.install import artifacts, java
from lakeproof.stack import loopback
from lakeproof.stack.component import STEPS_BACK, Command, Component
from lakeproof.stack.engines import jvm
from lakeproof.stack.engines.trino import CATALOG
from lakeproof.stack.object_store import REGION, WAREHOUSE
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

NAME = "spark"
TOKEN = "spark-token"
HEAP = "700m"
CORES = 2

# The packages that Spark's own launcher opens on Java 17.
_OPENED = (
    "java.lang",
    "java.lang.invoke",
    "java.lang.reflect",
    "java.io",
    "java.net",
    "java.nio",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "sun.nio.ch",
    "sun.nio.cs",
    "sun.security.action",
    "sun.util.calendar",
)

_QUIET = """\
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
logger.conf.name = org.apache.spark.SparkConf
logger.conf.level = error
logger.pools.name = org.apache.spark.scheduler.FairSchedulableBuilder
logger.pools.level = error
"""


def settings(stack: Stack) -> dict[str, str]:
    """Spark's settings and those of the pinned catalog, without any key; a hash is added for each statement."""
    host, scratch = stack.settings.host, stack.data_dir(NAME)
    catalog = f"spark.sql.catalog.{CATALOG}"
    return {
        "spark.app.name": "lakeproof",
        "spark.master": f"local[{CORES}]",
        "spark.ui.enabled": "false",
        "spark.driver.host": host,
        "spark.driver.bindAddress": host,
        "spark.driver.port": str(stack.port(NAME, "rpc")),
        "spark.blockManager.port": str(stack.port(NAME, "blocks")),
        "spark.port.maxRetries": "0",
        "spark.authenticate": "true",
        "spark.local.dir": str(scratch / "scratch"),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.sql.catalogImplementation": "in-memory",
        "spark.scheduler.mode": "FAIR",
        # by default 200, far too many for two cores
        "spark.sql.shuffle.partitions": str(CORES),
        "spark.driver.maxResultSize": "128m",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.datetime.java8API.enabled": "true",
        # a sum that overflows is an error and not NULL; "status" is a column, as in the other engines
        "spark.sql.ansi.enabled": "true",
        "spark.sql.ansi.doubleQuotedIdentifiers": "true",
        # no SELECT * FROM text.`/etc/passwd`
        "spark.sql.runSQLOnFiles": "false",
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.catalog-impl": "org.apache.iceberg.nessie.NessieCatalog",
        f"{catalog}.uri": f"{stack.url('nessie')}/api/v2",
        f"{catalog}.client-api-version": "2",
        # the default client keeps threads and a selector of each session until the garbage collector runs
        f"{catalog}.force-url-connection-client": "true",
        f"{catalog}.ref": "main",
        f"{catalog}.warehouse": WAREHOUSE,
        f"{catalog}.cache-enabled": "false",
        f"{catalog}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        f"{catalog}.s3.endpoint": stack.url("minio"),
        f"{catalog}.s3.path-style-access": "true",
        f"{catalog}.client.region": REGION,
    }


def command(stack: Stack) -> Command:
    """One process that is server, driver and executor; keys and token in the environment."""
    home, etc, data = artifacts.path(NAME), stack.etc_dir(NAME), stack.data_dir(NAME)
    return Command(
        argv=(
            str(java.find_java_17()),
            "-Xms256m",
            f"-Xmx{HEAP}",
            *jvm.FLAGS,
            "-XX:MaxMetaspaceSize=320m",
            "-XX:MaxDirectMemorySize=256m",
            "-XX:ReservedCodeCacheSize=128m",
            "-XX:-UsePerfData",
            "-Djava.awt.headless=true",
            "-Djdk.reflect.useDirectMethodHandle=false",
            f"-Djava.io.tmpdir={data / 'tmp'}",
            f"-Dlog4j2.configurationFile={etc / 'log4j2.properties'}",
            *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED),
            "-cp",
            f"{home / 'server'}:{home / 'libs'}/*",
            "SparkServer",
            f"{stack.settings.host}:{stack.port(NAME)}",
            str(etc / "spark.properties"),
        ),
        env={
            "LAKEPROOF_SPARK_TOKEN": stack.secret(TOKEN),
            "AWS_ACCESS_KEY_ID": stack.secret("s3-access-key"),
            "AWS_SECRET_ACCESS_KEY": stack.secret("s3-secret-key"),
            "AWS_REGION": REGION,
            # else the library would look for keys at an address that only clouds have
            "AWS_EC2_METADATA_DISABLED": "true",
            # else Spark looks up the machine's name, and warns of loopback
            "SPARK_LOCAL_IP": stack.settings.host,
        },
        cwd=data,
    )


def prepare(stack: Stack) -> None:
    """Write Spark's configuration, and remove the files that a killed Spark left on the disk."""
    etc, data = stack.etc_dir(NAME), stack.data_dir(NAME)
    shutil.rmtree(data, ignore_errors=True)
    for folder in ("tmp", "scratch"):
        (data / folder).mkdir(parents=True)
    write_file(etc / "spark.properties", jvm.properties_text(settings(stack)))
    logs = jvm.log4j2({}, root="warn", pattern=f"{jvm.LOG_PATTERN}%throwable")
    write_file(etc / "log4j2.properties", logs + _QUIET)


def ready(stack: Stack, timeout: float) -> None:
    """Spark answers `VALUES 1`. Raises: NotReady."""
    headers = {"Authorization": f"Bearer {stack.secret(TOKEN)}"}
    try:
        answer = loopback.get(f"{stack.url(NAME)}/health", timeout=timeout, headers=headers)
        told = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise NotReady(f"no answer: {type(error).__name__}", where=NAME) from error
    if answer.status_code != 200 or told.get("rows") != [[1]]:
        raise NotReady(f"answered {answer.status_code}: {told.get('failed', 'no row')}", where=NAME)


COMPONENTS = (
    Component(
        name=NAME,
        kind="engine",
        command=command,
        prepare=prepare,
        ready=ready,
        uses=("nessie", "minio"),
        start_seconds=90,
        on_demand=True,
        artifact=NAME,
        image="apache/spark:3.5.7",
        summary="SQL on the published lake, for `query` and `check --engine spark`",
        nice=STEPS_BACK,
    ),
)
