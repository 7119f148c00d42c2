"""Nessie 0.99.0, the catalog whose commits move all tables at once; its store is RocksDB in its data folder.

The newest runner that Maven has; it needs Java 21 or newer, and runs on 25 here. Trap: a merge into an empty `main`
fails ("No common ancestor"), so the namespace is committed on `main` first, and `ingest` branches from there.
"""

from lakeproof.install import artifacts
from lakeproof.install.java import find_vector_jdk
from lakeproof.stack.component import STEPS_BACK, Command, Component, Hook
from lakeproof.stack.engines import jvm
from lakeproof.stack.engines.class_archive import archive_flags
from lakeproof.stack.python_module import answers_ok
from lakeproof.stack.stack import Stack


def command(stack: Stack) -> Command:
    """API and management on loopback, no telemetry, small heap."""
    host = stack.settings.host
    properties = {
        "nessie.version.store.type": "ROCKSDB",
        "nessie.version.store.persist.rocks.database-path": str(stack.data_dir("nessie") / "store"),
        "nessie.server.send-stacktrace-to-client": "false",
        "quarkus.http.host": host,
        "quarkus.http.port": str(stack.port("nessie")),
        "quarkus.management.host": host,
        "quarkus.management.port": str(stack.port("nessie", "management")),
        "quarkus.otel.sdk.disabled": "true",
        "quarkus.oidc.tenant-enabled": "false",
        "quarkus.log.level": "WARN",
        "quarkus.http.access-log.enabled": "false",
        "quarkus.banner.enabled": "false",
    }
    program, jar = find_vector_jdk().program, str(artifacts.path("nessie") / "nessie-quarkus-runner.jar")
    return Command(
        (
            str(program),
            "-Xms64m",
            "-Xmx384m",
            *jvm.FLAGS,
            *archive_flags("nessie", program, jar),
            *(f"-D{key}={value}" for key, value in properties.items()),
            "-jar",
            jar,
        ),
        cwd=stack.data_dir("nessie"),
    )


def prepare(stack: Stack) -> None:
    """Make the store's folder."""
    (stack.data_dir("nessie") / "store").mkdir(parents=True, exist_ok=True)


COMPONENTS = (
    Component(
        name="nessie",
        kind="engine",
        command=command,
        ready=answers_ok("nessie", "It reads the head of `main` from its store.", "/api/v2/trees/main"),
        prepare=prepare,
        hooks=(Hook.PROVISION,),
        start_seconds=120.0,
        image="ghcr.io/projectnessie/nessie:0.99.0",
        summary="catalog of published data",
        nice=STEPS_BACK,
        one_because="its version store is one folder, which one process may open",
    ),
)
