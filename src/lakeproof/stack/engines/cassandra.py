"""Cassandra 5.0.4, a ring of three or four on one machine: stock and reservations by conditional writes, projections.

The newest version that Maven has with everything it needs. The nodes share one address and differ by port (since 4.0
nodes know each other by both), so the port shift moves all of them, and they stay on loopback. Traps: nodes must join
one after another; a node whose data are gone may not simply come back (`lakeproof ring replace`); roles are made
while only the first node is there, since later a change of roles needs all three.
"""

import contextlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from lakeproof.errors import NotReady
from lakeproof.install import artifacts, java
from lakeproof.stack import provisioned
from lakeproof.stack.component import Command, Component, Hook, Scrape
from lakeproof.stack.engines import cassandra_config, cassandra_socket, jvm
from lakeproof.stack.engines.cassandra_config import ALL_NODES, FURTHER, NODES
from lakeproof.stack.engines.cassandra_roles import FACTORY_ROLE, SUPERUSER, SUPERUSER_SECRET
from lakeproof.stack.engines.class_archive import archive_flags
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

if TYPE_CHECKING:
    from cassandra.cluster import NoHostAvailable

SEED = NODES[0]
PEER_SECONDS = 0.5  # on loopback a peer answers at once, or is not there
MAIN = "org.apache.cassandra.service.CassandraDaemon"
# Metrics that Prometheus keeps.
METRICS = (
    "cassandra_clientrequest_latency_count",
    "cassandra_clientrequest_latency_99thpercentile",
    "cassandra_clientrequest_timeouts_count",
    "cassandra_clientrequest_unavailables_count",
    "cassandra_storage_totalhintsinprogress",
    "cassandra_downendpointcount",
    "cassandra_upendpointcount",
)


def replace_mark(stack: Stack, name: str) -> Path:
    """A file that is there from before the node replaces the dead one of its address until the repair after that.

    Once the node has joined, the file changes nothing about the node's starts.
    """
    return stack.etc_dir(name) / "replaces-dead-node"


def joining_mark(stack: Stack, name: str) -> Path:
    """A file that is there from before a further node joins until the others have dropped the data it took over."""
    return stack.etc_dir(name) / "joins-the-ring"


def leaving_mark(stack: Stack, name: str) -> Path:
    """A file that is there from before a further node leaves until its data are deleted, since it may not come back
    with them.
    """
    return stack.etc_dir(name) / "leaves-the-ring"


def storage_dir(stack: Stack, name: str) -> Path:
    """A node's data, commit log and hints."""
    return stack.data_dir(name) / "storage"


def has_data(stack: Stack, name: str) -> bool:
    """True where the node has been a member and still has the data that say so: it can simply be started again."""
    return any((storage_dir(stack, name) / "data").glob("system/local-*/*-Data.db"))


def is_member(stack: Stack, name: str) -> bool:
    """True where it has data and is not leaving: `up` starts it with the others."""
    return has_data(stack, name) and not leaving_mark(stack, name).exists()


def command(stack: Stack, name: str) -> Command:
    """The node in the foreground."""
    replaces = replace_mark(stack, name).exists()
    program = java.find_java_17()
    return Command(
        (
            str(program),
            *archive_flags("cassandra", program, class_path()),
            jvm.agent_flag(stack, name),
            *cassandra_config.jvm_options(stack, name, storage_dir(stack, name), replaces=replaces),
            "-cp",
            class_path(),
            MAIN,
        ),
        env={"MALLOC_ARENA_MAX": "4"},
        cwd=stack.data_dir(name),
    )


def class_path() -> str:
    """Cassandra's jars. Raises: MissingArtifact."""
    return f"{artifacts.path('cassandra') / 'libs'}/*"


def prepare(stack: Stack, name: str) -> None:
    """Before each start: folders, configuration, the password of JMX (mode 600)."""
    etc = stack.etc_dir(name)
    storage = storage_dir(stack, name)
    (storage / "tmp").mkdir(parents=True, exist_ok=True)
    replaces = replace_mark(stack, name).exists()
    settings = cassandra_config.cassandra_yaml(stack, name, _tokens(stack), replaces=replaces)
    write_file(etc / "cassandra.yaml", settings)
    write_file(etc / "cassandra-rackdc.properties", cassandra_config.rackdc_properties(name))
    write_file(etc / "logback.xml", cassandra_config.logback())
    jvm.write_agent_rules(stack, name, "cassandra")
    write_file(etc / "jmx.password", f"{SUPERUSER} {stack.secret('cassandra-jmx')}\n", mode=0o600)


def _tokens(stack: Stack) -> int:
    """How many tokens each node has. A node refuses to start with another number than the one that it joined with.

    The number is noted in the first node's folder. Where the note is lost, or the ring is older than such notes, a
    member's configuration file, which is written before each start, has the number.
    """
    noted = provisioned.recall(stack, SEED, "tokens")
    if noted:
        return int(noted)
    members = [name for name in ALL_NODES if has_data(stack, name)]
    written = (cassandra_config.written_tokens(stack, name) for name in members)
    usual = cassandra_config.EARLIER_TOKENS if members else cassandra_config.TOKENS
    tokens = next(filter(None, written), usual)
    provisioned.remember(stack, SEED, "tokens", str(tokens))
    return tokens


def ready(stack: Stack, timeout: float, name: str) -> None:
    """It answers CQL and sees itself as a normal member of the ring (UN).

    A refused password is an answer too: whose fault that is, provision says.
    """
    host, port = stack.host_port(name)
    try:
        rows = _ask_about_itself(stack, name, timeout)
    except cassandra_socket.CqlError as error:
        if error.code == cassandra_socket.BAD_CREDENTIALS and not is_new(stack):
            return
        raise NotReady(str(error), where=name) from error
    except (OSError, EOFError) as error:
        raise NotReady(f"no answer at {host}:{port}: {type(error).__name__} {error}".strip(), where=name) from error
    status = (rows[0][0] or "") if rows else ""
    if not status.startswith("NORMAL"):
        raise NotReady(f"it sees itself as {status.split(',')[0] or 'unknown'}, not as NORMAL", where=name)


def is_new(stack: Stack) -> bool:
    """True before the ring's first provision: the ring has at most the role that it came with."""
    return stack.settings.mode == "local" and not provisioned.is_made(stack, SEED, "superuser", SUPERUSER)


def _ask_about_itself(stack: Stack, name: str, timeout: float) -> list[tuple[str | None, ...]]:
    host, port = cassandra_config.storage_address(stack, name).rsplit(":", 1)
    statement = f"SELECT status FROM system_views.gossip_info WHERE address = '{host}' AND port = {port}"
    address = stack.host_port(name)
    ours = (SUPERUSER, stack.secret(SUPERUSER_SECRET))
    if not is_new(stack):
        return cassandra_socket.ask(address, *ours, statement, timeout)
    try:
        return cassandra_socket.ask(address, FACTORY_ROLE, FACTORY_ROLE, statement, timeout)
    except cassandra_socket.CqlError as error:
        if error.code != cassandra_socket.BAD_CREDENTIALS:
            raise
        # Provision was cut off after it had taken the factory role's login away. It goes on once the node is ready.
        return cassandra_socket.ask(address, *ours, statement, timeout)


def is_refused_login(error: "NoHostAvailable") -> bool:
    """True where at least one node answered, and refused the role or its password."""
    from cassandra import AuthenticationFailed

    return any(isinstance(each, AuthenticationFailed) for each in error.errors.values())


def lacks_account(error: "NoHostAvailable") -> bool:
    """True where the node could not look the role up, since the nodes that hold the role's row are down. For
    `is_refused_login` this is a refused login too.
    """
    return any("Cannot achieve consistency level" in str(each) for each in error.errors.values())


def awaited(stack: Stack, name: str) -> tuple[str, ...]:
    """The node that must be healthy before this one starts; empty: none.

    Nodes join one after another. A node that is a member already needs one peer that answers; where none does, the
    whole ring is being started, and the first node, which needs no other, comes first.
    """
    number = ALL_NODES.index(name)
    if not number or (is_member(stack, name) and _some_peer_answers(stack, name)):
        return ()
    return (SEED if is_member(stack, name) else ALL_NODES[number - 1],)


def _some_peer_answers(stack: Stack, name: str) -> bool:
    for peer in ALL_NODES:
        with contextlib.suppress(OSError):
            if peer != name:
                socket.create_connection(stack.host_port(peer, "storage"), timeout=PEER_SECONDS).close()
                return True
    return False


def _node(name: str, summary: str, *, needs: tuple[str, ...] = ()) -> Component:
    def node_ready(stack: Stack, timeout: float) -> None:
        """It answers CQL and sees itself as a normal member of the ring (UN)."""
        ready(stack, timeout, name)

    return Component(
        name=name,
        kind="engine",
        command=lambda stack: command(stack, name),
        ready=node_ready,
        needs=needs,
        waits_for=lambda stack: awaited(stack, name),
        prepare=lambda stack: prepare(stack, name),
        hooks=(Hook.PROVISION,) if name == SEED else (),
        scrapes=(Scrape("jmx", names=METRICS),),
        start_seconds=180.0,
        stop_seconds=20.0,
        in_plain_up=False,
        image="cassandra:5.0.4",
        summary=summary,
        one_because="a node is itself; lakeproof ring scale lets a fourth one join and leave",
        after_outage=("repair_node",),
        replica_of=SEED if name in FURTHER else None,
        lasting=(lambda stack: is_member(stack, name)) if name in FURTHER else None,
    )


COMPONENTS = (
    _node("cassandra-seed", "stock and reservations: the ring's first node"),
    _node("cassandra-node2", "the ring's second node", needs=("cassandra-seed",)),
    _node("cassandra-node3", "the ring's third node", needs=("cassandra-node2",)),
    _node("cassandra-node4", "a fourth node, where the ring was scaled", needs=("cassandra-node3",)),
)
