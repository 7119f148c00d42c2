"""Kafka 4.3.1, one broker that is its own controller (KRaft): the newest version that Connect is published for too.

Traps: after kill -9 a broker waits until its own old registration has expired, so the registration's session is
short. Topics are not made automatically: a topic made by a typing mistake would hide a fault.
"""

import base64
import shutil
import socket
import struct
import uuid
from pathlib import Path

from lakeproof.errors import NotReady
from lakeproof.install import java
from lakeproof.stack import provisioned
from lakeproof.stack.component import STEPS_BACK, Command, Component, Hook, Scrape
from lakeproof.stack.engines import first_start, kafka_jvm
from lakeproof.stack.engines.class_archive import archive_flags
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

HEAP = ("-Xms64m", "-Xmx256m", "-XX:MaxDirectMemorySize=64m")
NODE_ID = 1
API_VERSIONS = 18
_ANSWER = struct.Struct(">iih")  # the answer's length, the question's correlation id, an error code
LOG_LEVELS = {
    "kafka": "warn",
    "kafka.server.BrokerServer": "info",
    "kafka.server.KafkaRaftServer": "info",
    "org.apache.kafka": "warn",
    "state.change.logger": "error",
}
# Metrics that Prometheus keeps.
METRICS = (
    "kafka_server_brokertopicmetrics_messagesin_total",
    "kafka_server_replicamanager_underreplicatedpartitions",
    "kafka_controller_kafkacontroller_activecontrollercount",
)


def server_properties(stack: Stack, log_dir: Path) -> str:
    """The broker's configuration."""
    host = stack.settings.host
    broker, controller = stack.port("kafka", "tcp"), stack.port("kafka", "controller")
    return f"""\
process.roles=broker,controller
node.id={NODE_ID}
controller.quorum.voters={NODE_ID}@{host}:{controller}
listeners=PLAINTEXT://{host}:{broker},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{broker}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={log_dir}
auto.create.topics.enable=false
# one broker: every internal topic has one copy
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# for a restart within seconds after kill -9: with the default, 9000 ms, the port opens after 15 s
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# small
log.segment.bytes=16777216
log.cleaner.dedupe.buffer.size=8388608
num.network.threads=2
num.io.threads=2
"""


def command(stack: Stack) -> Command:
    """The broker in the foreground."""
    properties = stack.etc_dir("kafka") / "server.properties"
    return Command(kafka_jvm.argv(stack, "kafka", HEAP, "kafka.Kafka", str(properties)), cwd=stack.data_dir("kafka"))


def prepare(stack: Stack) -> None:
    """Before each start: configuration, and once the storage.

    The storage is formatted in a folder beside its place, and renamed once it is whole: a start never meets half a
    storage.
    Raises: MissingArtifact; TerminalError when the format fails.
    """
    data = stack.data_dir("kafka")
    data.mkdir(parents=True, exist_ok=True)
    kafka_jvm.write_agent_and_logs(stack, "kafka", LOG_LEVELS)
    write_file(stack.etc_dir("kafka") / "server.properties", server_properties(stack, data / "log"))
    if not (data / "log").exists():
        _format(stack, data / "log.new", data / "log")


def new_cluster_id() -> str:
    """A random id. One in 64 begins with "-", which Kafka's tool would take for an option: then another is drawn."""
    while True:
        made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not made.startswith("-"):
            return made


def _format(stack: Stack, fresh: Path, log_dir: Path) -> None:
    shutil.rmtree(fresh, ignore_errors=True)
    properties = stack.etc_dir("kafka") / "format.properties"
    write_file(properties, server_properties(stack, fresh))
    program = java.find_java_17()
    first_start.run(
        (
            str(program),
            *kafka_jvm.FLAGS,
            *archive_flags("kafka", program, kafka_jvm.class_path()),
            "-Xmx128m",
            f"-Dlog4j2.configurationFile={stack.etc_dir('kafka') / 'log4j2.properties'}",
            "-cp",
            kafka_jvm.class_path(),
            "kafka.tools.StorageTool",
            "format",
            "--cluster-id",
            new_cluster_id(),
            "--config",
            str(properties),
        ),
        where="kafka.tools.StorageTool",
    )
    provisioned.forget(stack, "kafka")
    provisioned.forget(stack, "connect")  # Connect keeps its connectors in Kafka: they are gone too
    fresh.rename(log_dir)


def ready(stack: Stack, timeout: float) -> None:
    """It answers an ApiVersions request, which a broker does only once it serves clients.

    Asked by a plain socket: a client library has threads and retries of its own, and would not end within `timeout`.
    """
    correlation = 7
    body = struct.pack(">hhih", API_VERSIONS, 0, correlation, -1)
    try:
        with socket.create_connection(stack.host_port("kafka", "tcp"), timeout=timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(struct.pack(">i", len(body)) + body)
            with connection.makefile("rb") as stream:
                answer = stream.read(_ANSWER.size)
        if len(answer) < _ANSWER.size:
            raise EOFError("closed in the middle of an answer")
    except (OSError, EOFError) as error:
        raise NotReady(f"no answer: {type(error).__name__} {error}".strip(), where="kafka") from error
    _, echoed, problem = _ANSWER.unpack(answer)
    if echoed != correlation or problem != 0:
        raise NotReady(f"answered with error {problem}", where="kafka")


COMPONENTS = (
    Component(
        name="kafka",
        kind="engine",
        command=command,
        ready=ready,
        prepare=prepare,
        hooks=(Hook.PROVISION,),
        scrapes=(Scrape("jmx", seconds=5.0, names=METRICS),),
        start_seconds=90.0,
        stop_seconds=15.0,
        image="apache/kafka:4.1.1",
        summary="the log that changes pass through",
        nice=STEPS_BACK,
        one_because="one broker is also the only controller, and every topic has one replica",
    ),
)
