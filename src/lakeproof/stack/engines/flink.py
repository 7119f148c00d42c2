"""Flink 1.20.3: JobManager, TaskManager, and the SQL gateway that only `query --engine flink` needs.

1.20 is the newest line that Paimon's served connector is made for. Traps: there is no HA store, so a JobManager that
was killed has forgotten the lake's job, and `provision` submits it anew from its newest checkpoint; a TaskManager
that outlives its JobManager could go on writing, so it is taken down first. Flink's jar upload runs code for whoever
reaches its REST port, and a web page in a browser on this machine reaches it too. The port is on loopback only, and
its answers are hidden from other sites' pages, but a request that such a page sends is carried out (docs/lake.md).
"""

import shutil
import time
import uuid
from pathlib import Path

from lakeproof.errors import NotReady
from lakeproof.install import artifacts, java
from lakeproof.stack import loopback
from lakeproof.stack.addresses import replica_name
from lakeproof.stack.component import STEPS_BACK, Command, Component, Hook, Replicas, Scrape
from lakeproof.stack.engines import flink_config, jvm
from lakeproof.stack.engines.class_archive import archive_flags
from lakeproof.stack.python_module import answers_ok
from lakeproof.stack.stack import Stack
from lakeproof.written import read_if_there, write_file

JOBMANAGER, TASKMANAGER = "flink-jobmanager", "flink-taskmanager"
# A TaskManager younger than this may still be registering. Less than start_seconds, after which a start has failed.
_REGISTRATION_SECONDS = 100.0
# Metrics that Prometheus keeps.
TASKMANAGER_METRICS = (
    "flink_jobmanager_job_latency",
    "flink_taskmanager_job_task_operator_pendingRecords",
    "kafka_consumer_fetch_manager_metrics_records_lag_max",
    "lakeproof_aligner_transactions_total",
    "lakeproof_aligner_transactionsIncomplete_total",
    "lakeproof_aligner_transactionsReplayed_total",
    "lakeproof_aligner_transactionsTooLarge_total",
    "lakeproof_aligner_transactionsWithoutEnd_total",
    "lakeproof_aligner_rowsPassed_total",
    "lakeproof_aligner_rowsRepeated_total",
    "lakeproof_aligner_changesRefused_total",
    "lakeproof_aligner_openRows",
    "lakeproof_aligner_unexpectedColumns",
)
JOBMANAGER_METRICS = (
    "flink_jobmanager_job_numRestarts",
    "flink_jobmanager_job_uptime",
    "flink_jobmanager_job_numberOfFailedCheckpoints",
    "flink_jobmanager_job_numberOfCompletedCheckpoints",
    "flink_jobmanager_job_lastCompletedCheckpointId",
    "flink_jobmanager_job_lastCheckpointDuration",
)
# A scrape each second took a tenth of the TaskManager's CPU with one job and two fifths with two (JFR), most of it
# for the latency of each operator, which is new every ten seconds only.
SCRAPE_SECONDS = 5.0
_OPENED = (
    "java.lang",
    "java.net",
    "java.io",
    "java.nio",
    "sun.nio.ch",
    "java.lang.reflect",
    "java.text",
    "java.time",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "java.util.concurrent.locks",
)
FLAGS = (
    *jvm.FLAGS,
    "-XX:MaxMetaspaceSize=256m",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
    "--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED",
    *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED),
)


def jobmanager_command(stack: Stack) -> Command:
    """A session cluster's JobManager."""
    return _command(
        stack,
        JOBMANAGER,
        JOBMANAGER,
        ("-Xms160m", "-Xmx448m"),
        "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
    )


def taskmanager_command(stack: Stack, name: str = TASKMANAGER) -> Command:
    """One TaskManager; its heap and direct memory are what its configuration divides."""
    heap = flink_config.FRAMEWORK_HEAP_MB + flink_config.TASK_HEAP_MB
    return _command(
        stack,
        name,
        TASKMANAGER,
        ("-Xms256m", f"-Xmx{heap}m", f"-XX:MaxDirectMemorySize={flink_config.DIRECT_MB}m"),
        "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
        settings=(f"-Dtaskmanager.resource-id={_resource_id_file(stack, name).read_text()}",),
    )


def gateway_command(stack: Stack) -> Command:
    """The SQL gateway, a client of the JobManager."""
    return _command(
        stack,
        "flink-sql-gateway",
        "flink-sql-gateway",
        ("-Xms64m", "-Xmx320m"),
        "org.apache.flink.table.gateway.SqlGateway",
        extra_jars="opt",
        agent=False,
    )


def _command(
    stack: Stack,
    component: str,
    kind: str,
    heap: tuple[str, ...],
    main: str,
    *,
    settings: tuple[str, ...] = (),
    extra_jars: str = "",
    agent: bool = True,
) -> Command:
    flink = artifacts.path("flink")
    etc = stack.etc_dir(component)
    # lake-io first: one of its files takes the place of one of Hadoop's
    folders = (artifacts.path("lake-io") / "lib", flink / "lib", *((flink / extra_jars,) if extra_jars else ()))
    class_path = ":".join(f"{folder}/*" for folder in folders)
    watched = (jvm.agent_flag(stack, component),) if agent else ()
    arguments = () if main.endswith("SqlGateway") else ("--configDir", str(etc), *settings)
    program = java.find_java_17()
    return Command(
        (
            str(program),
            *heap,
            *FLAGS,
            *archive_flags(kind, program, class_path),
            *watched,
            f"-Dlog4j2.configurationFile={etc / 'log4j2.properties'}",
            "-cp",
            class_path,
            main,
            *arguments,
        ),
        env={
            "FLINK_CONF_DIR": str(etc),
            "FLINK_PLUGINS_DIR": str(flink / "plugins"),
            "FLINK_LIB_DIR": str(flink / "lib"),
        },
        cwd=stack.data_dir(component),
    )


def _prepare(stack: Stack, component: str, kind: str, *, agent: bool = True) -> None:
    etc = stack.etc_dir(component)
    data = stack.data_dir(component)
    shutil.rmtree(data, ignore_errors=True)
    for folder in ("tmp", "blobs", "upload"):
        (data / folder).mkdir(parents=True)
    write_file(etc / "config.yaml", flink_config.config_yaml(stack, component), mode=0o600)
    write_file(etc / "log4j2.properties", flink_config.log4j2())
    if agent:
        jvm.write_agent_rules(stack, component, kind)


def prepare_jobmanager(stack: Stack) -> None:
    """Write the configuration, and remove the former process's files on disk, which a new process cannot use."""
    _prepare(stack, JOBMANAGER, JOBMANAGER)


def prepare_taskmanager(stack: Stack, name: str = TASKMANAGER) -> None:
    """As `prepare_jobmanager`; each start also gets a new id, by which the JobManager knows this very process."""
    _prepare(stack, name, TASKMANAGER)
    write_file(_resource_id_file(stack, name), uuid.uuid4().hex)


def _resource_id_file(stack: Stack, name: str) -> Path:
    return stack.data_dir(name) / "resource-id"


def _started_here(stack: Stack, name: str) -> str | None:
    """The id of the TaskManager process that this stack started last; None where it started none."""
    if stack.settings.mode == "external":
        return None
    return read_if_there(_resource_id_file(stack, name))


def _is_young(stack: Stack, name: str) -> bool:
    """True where the TaskManager was started here so short a time ago that it may still be registering."""
    if stack.settings.mode == "external":
        return False
    try:
        age_seconds = time.time() - _resource_id_file(stack, name).stat().st_mtime
    except FileNotFoundError:
        return False
    return 0 <= age_seconds < _REGISTRATION_SECONDS


def prepare_gateway(stack: Stack) -> None:
    """As `prepare_jobmanager`."""
    _prepare(stack, "flink-sql-gateway", "flink-sql-gateway", agent=False)


jobmanager_ready = answers_ok("flink-jobmanager", "Its dispatcher tells its jobs.", "/jobs/overview")


def taskmanager_ready(stack: Stack, timeout: float, name: str = TASKMANAGER) -> None:
    """It answers, and the JobManager knows it: this one, not a killed one that it still counts.

    The agent in its JVM answers. It is asked for its health and not for its metrics, which take long to collect.

    While the JobManager is away the TaskManager's own answer is enough: a restart would not help. But a TaskManager
    that was started just now is not ready without the JobManager: it would be called healthy, and then unhealthy from
    the JobManager's first answer until its registration. At each cold start that was an incident.
    """
    loopback.require_ok(f"http://{stack.address(name, 'jmx')}/-/healthy", name, timeout)
    try:
        known = loopback.require_ok(f"{stack.url('flink-jobmanager')}/taskmanagers", "flink-jobmanager", timeout)
    except NotReady:
        if _is_young(stack, name):
            raise NotReady("waits for the JobManager", where=name) from None
        return
    ids = {entry["id"] for entry in known.json()["taskmanagers"]}
    started_here = _started_here(stack, name)
    if not ids or (started_here is not None and started_here not in ids):
        raise NotReady("not registered with the JobManager", where=name)


gateway_ready = answers_ok("flink-sql-gateway", "It tells its version.", "/v1/info")


def further_taskmanager(number: int) -> Component:
    """TaskManager 2 and up, with as many slots as the first. It gets a job's tasks when another one is lost."""
    name = replica_name(TASKMANAGER, number)

    def ready(stack: Stack, timeout: float) -> None:
        """It answers, and the JobManager knows it."""
        taskmanager_ready(stack, timeout, name)

    return Component(
        name=name,
        kind="engine",
        command=lambda stack: taskmanager_command(stack, name),
        ready=ready,
        uses=(JOBMANAGER,),
        prepare=lambda stack: prepare_taskmanager(stack, name),
        scrapes=(Scrape("jmx", seconds=SCRAPE_SECONDS, names=TASKMANAGER_METRICS),),
        summary="runs the lake's job when another TaskManager is lost",
        nice=STEPS_BACK,
    )


COMPONENTS = (
    Component(
        name="flink-jobmanager",
        kind="engine",
        command=jobmanager_command,
        ready=jobmanager_ready,
        uses=("flink-taskmanager",),
        provision_needs=("minio", "kafka"),
        prepare=prepare_jobmanager,
        hooks=(Hook.PROVISION, Hook.BEFORE_STOP),
        takes_down=("flink-taskmanager",),
        scrapes=(Scrape("jmx", seconds=SCRAPE_SECONDS, names=JOBMANAGER_METRICS),),
        image="flink:1.20.3-java17",
        summary="plans and restarts the lake's job",
        nice=STEPS_BACK,
        one_because="a second JobManager needs a store for elections (ZooKeeper), which this stack does not have",
    ),
    Component(
        name="flink-taskmanager",
        kind="engine",
        command=taskmanager_command,
        ready=taskmanager_ready,
        prepare=prepare_taskmanager,
        scrapes=(Scrape("jmx", seconds=SCRAPE_SECONDS, names=TASKMANAGER_METRICS),),
        image="flink:1.20.3-java17",
        summary="runs the lake's job",
        nice=STEPS_BACK,
        replicas=Replicas(
            further_taskmanager, "if tasks of the job ran there, the job goes on from its newest checkpoint"
        ),
    ),
    Component(
        name="flink-sql-gateway",
        kind="engine",
        command=gateway_command,
        ready=gateway_ready,
        needs=("flink-jobmanager",),
        prepare=prepare_gateway,
        on_demand=True,
        image="flink:1.20.3-java17",
        summary="SQL for `query --engine flink`",
        nice=STEPS_BACK,
    ),
)
