"""Kafka Connect 4.3.1, one distributed worker unless scaled, with Debezium's MariaDB and PostgreSQL connectors.

It may start at the same time as Kafka, and waits for Kafka itself. A connector's configuration, which Connect's REST
API shows, only refers to passwords in a file. Trap: a connector that is RUNNING may still do nothing, so lag-exporter
measures its delay.
"""

from lakeproof.install import artifacts
from lakeproof.stack.addresses import PROCESSES_MAX, replica_name
from lakeproof.stack.component import STEPS_BACK, Command, Component, Hook, Replicas, Scrape
from lakeproof.stack.engines import kafka_jvm
from lakeproof.stack.python_module import answers_ok
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import CONFIGS_TOPIC, OFFSETS_TOPIC, STATUS_TOPIC
from lakeproof.written import write_file

NAME = "connect"
# All workers that may run at once (stack/replicas.py).
WORKERS = (NAME, *(replica_name(NAME, number) for number in range(2, PROCESSES_MAX + 1)))
# Metrics that Prometheus keeps.
METRICS = (
    "kafka_connect_worker_connector_count",
    "kafka_connect_connector_failed_task_count",
    "kafka_connect_connector_running_task_count",
    "kafka_connect_connector_paused_task_count",
)
HEAP = ("-Xms64m", "-Xmx320m")
PLUGINS = ("debezium-mariadb", "debezium-postgres")
# The file that connectors take passwords from: ${file:CONNECT_DIR/SECRETS_FILE:name}.
SECRETS_FILE = "secrets.properties"
# Passwords that the connectors' files refer to.
PASSWORDS = ("mysql-cdc", "postgres-cdc")
LOG_LEVELS = {
    "org.apache.kafka": "warn",
    "org.apache.kafka.connect.runtime.Worker": "info",
    "org.apache.kafka.connect.runtime.WorkerSourceTask": "info",
    "org.apache.kafka.connect.runtime.distributed": "info",
    "org.eclipse.jetty": "warn",
    "org.glassfish": "error",
    # Debezium's CloudEvents converter does not fit this Connect; it is not used.
    "org.apache.kafka.connect.runtime.isolation": "off",
    "io.debezium": "info",
    "io.debezium.config": "warn",
}


def worker_properties(stack: Stack, name: str = NAME) -> str:
    """A worker's configuration. Connectors refer to worker 1's password file, so every worker may read that file."""
    etc = stack.etc_dir(name)
    host, port = stack.settings.host, stack.port(name)
    exactly_once = "enabled" if stack.settings.capture.exactly_once else "disabled"
    return f"""\
bootstrap.servers={stack.address("kafka", "tcp")}
group.id=lake-connect
listeners=http://{host}:{port}
rest.advertised.host.name={host}
rest.advertised.port={port}
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
config.storage.topic={CONFIGS_TOPIC}
config.storage.replication.factor=1
offset.storage.topic={OFFSETS_TOPIC}
offset.storage.replication.factor=1
offset.storage.partitions=1
status.storage.topic={STATUS_TOPIC}
status.storage.replication.factor=1
status.storage.partitions=1
offset.flush.interval.ms=5000
# a dead worker's tasks need not wait for it
scheduled.rebalance.max.delay.ms=0
session.timeout.ms=6000
heartbeat.interval.ms=2000
task.shutdown.graceful.timeout.ms=3000
plugin.path={etc / "plugins"}
plugin.discovery=service_load
exactly.once.source.support={exactly_once}
topic.creation.enable=true
connector.client.config.override.policy=All
config.providers=file
config.providers.file.class=org.apache.kafka.common.config.provider.FileConfigProvider
config.providers.file.param.allowed.paths={stack.etc_dir(NAME)}
"""


def command(stack: Stack, name: str = NAME) -> Command:
    """The worker in the foreground."""
    properties = stack.etc_dir(name) / "worker.properties"
    return Command(
        kafka_jvm.argv(stack, name, HEAP, "org.apache.kafka.connect.cli.ConnectDistributed", str(properties)),
        cwd=stack.data_dir(name),
    )


def prepare(stack: Stack, name: str = NAME) -> None:
    """Before each start: configuration, passwords (mode 600), the plugin folder. Raises: MissingArtifact."""
    etc = stack.etc_dir(name)
    stack.data_dir(name).mkdir(parents=True, exist_ok=True)
    kafka_jvm.write_agent_and_logs(stack, name, LOG_LEVELS, rules=NAME)
    write_file(etc / "worker.properties", worker_properties(stack, name))
    passwords = "".join(f"{password}={stack.secret(password)}\n" for password in PASSWORDS)
    write_file(stack.etc_dir(NAME) / SECRETS_FILE, passwords, mode=0o600)
    plugins = etc / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    for plugin in PLUGINS:
        target = artifacts.path(plugin) / "libs"
        link = plugins / plugin
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)


QUESTION = "Its /health says that the worker takes requests (it asks its own work thread)."
ready = answers_ok(NAME, QUESTION)


def further_worker(number: int) -> Component:
    """Worker 2 and up, of the same group: when a worker is lost, another has its tasks after the session's 6 s."""
    name = replica_name(NAME, number)

    return Component(
        name=name,
        kind="engine",
        command=lambda stack: command(stack, name),
        ready=answers_ok(name, QUESTION),
        provision_needs=("kafka", "mysql"),
        prepare=lambda stack: prepare(stack, name),
        scrapes=(Scrape("jmx", names=METRICS),),
        start_seconds=120.0,
        stop_seconds=12.0,
        summary="takes over capture's task when another worker is lost",
        nice=STEPS_BACK,
    )


COMPONENTS = (
    Component(
        name="connect",
        kind="engine",
        command=command,
        ready=ready,
        uses=("lag-exporter",),
        provision_needs=("kafka", "mysql"),
        prepare=prepare,
        hooks=(Hook.PROVISION,),
        # Connect's alerts wait 1 m, in drills 5 s: each wait must be at least four scrapes long.
        scrapes=(Scrape("jmx", names=METRICS),),
        start_seconds=120.0,
        stop_seconds=12.0,
        image="quay.io/debezium/connect:3.5.0.Final",
        summary="change capture: the databases' logs into Kafka",
        nice=STEPS_BACK,
        replicas=Replicas(further_worker, "its tasks go on on the workers that stay"),
    ),
)
