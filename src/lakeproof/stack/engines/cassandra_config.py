"""Cassandra's configuration as text: one node's cassandra.yaml, its log settings, its JVM's options."""

import re
from pathlib import Path

from lakeproof.stack.engines import jvm
from lakeproof.stack.stack import Stack
from lakeproof.written import read_if_there

DATACENTER = "dc1"
NODES = ("cassandra-seed", "cassandra-node2", "cassandra-node3")
# A node that may join (`lakeproof ring scale 4`) and leave again; the stack works without it.
FURTHER = ("cassandra-node4",)
ALL_NODES = NODES + FURTHER

# A node that joins waits this long to hear of the other nodes. The default is 30 s; on loopback 3 s are enough.
RING_DELAY_MS = 3000
# A node that takes a dead node's place needs the default: with 3 s and with 10 s it did not find the seeds.
REPLACE_RING_DELAY_MS = 30_000

# Tokens per node. Each join, repair and scan goes through them one by one. With 16 the paxos repair before a join
# took 40 s.
TOKENS = 4
# Tokens per node of a ring that was made before the number was noted, if no member's configuration has it any more.
EARLIER_TOKENS = 16

# Small on two shared cores. With 64 MB of direct memory the third node ran out of it while it joined, and hung.
_MEMORY = (
    "-Xms256m",
    "-Xmx320m",
    "-Xss384k",
    "-XX:MaxDirectMemorySize=256m",
    "-XX:ReservedCodeCacheSize=64m",
    *jvm.FLAGS,
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
)
_EXPORTED = (
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.management/com.sun.jmx.remote.security",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.rmi/sun.rmi.transport",
    "java.rmi/sun.rmi.transport.tcp",
    "java.sql/java.sql",
)
_OPENED = (
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.io",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "jdk.management/com.sun.management.internal",
    "jdk.management.jfr/jdk.management.jfr",
)
MODULES = (
    *(f"--add-exports={package}=ALL-UNNAMED" for package in _EXPORTED),
    *(f"--add-opens={package}=ALL-UNNAMED" for package in _OPENED),
)


def storage_address(stack: Stack, name: str) -> str:
    """The `host:port` by which the ring knows a node: all nodes share one host."""
    return f"{stack.settings.host}:{stack.port(name, 'storage')}"


def seeds(stack: Stack, name: str, *, replaces: bool) -> tuple[str, ...]:
    """The nodes that this one asks first. Only the first node may be its own seed, unless it replaces a dead one: a
    node that is its own seed takes over no data from the others.
    """
    others = [storage_address(stack, each) for each in NODES if each != name]
    alone = name == NODES[0] and not replaces
    return (storage_address(stack, name), *others) if alone else tuple(others)


def written_tokens(stack: Stack, name: str) -> int | None:
    """The number of tokens in the node's configuration file; None where there is no file."""
    text = read_if_there(stack.etc_dir(name) / "cassandra.yaml") or ""
    found = re.search(r"^num_tokens: (\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else None


def cassandra_yaml(stack: Stack, name: str, tokens: int, *, replaces: bool = False) -> str:
    """One node's configuration. tokens: as many as each node of this ring has."""
    host = stack.settings.host
    return f"""\
cluster_name: lakeproof-{stack.name}
num_tokens: {tokens}
allocate_tokens_for_local_replication_factor: 3
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: GossipingPropertyFileSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "{",".join(seeds(stack, name, replaces=replaces))}"
listen_address: {host}
storage_port: {stack.port(name, "storage")}
rpc_address: {host}
native_transport_port: {stack.port(name, "tcp")}
native_transport_max_threads: 32
authenticator: PasswordAuthenticator
authorizer: CassandraAuthorizer
role_manager: CassandraRoleManager
# every node has all roles, so that a login needs no other node
auth_read_consistency_level: LOCAL_ONE
# a new version's roles are made while the first node is alone; the others get them as hints once they are up
auth_write_consistency_level: LOCAL_ONE
roles_validity: 5s
permissions_validity: 5s
credentials_validity: 5s
# with v1 a conditional write that timed out could be applied as well as its retry, and one row took 0.8 writes/s
paxos_variant: v2
paxos_state_purging: repaired
# after kill -9 the kernel has what was written; a power cut may lose the last seconds on all three nodes at once
commitlog_sync: periodic
commitlog_sync_period: 2s
commitlog_segment_size: 8MiB
read_request_timeout: 2s
range_request_timeout: 5s
write_request_timeout: 2s
cas_contention_timeout: 1800ms
request_timeout: 5s
internode_tcp_connect_timeout: 2s
# small
key_cache_size: 8MiB
counter_cache_size: 8MiB
row_cache_size: 0MiB
file_cache_size: 32MiB
memtable_heap_space: 48MiB
memtable_offheap_space: 48MiB
concurrent_reads: 8
concurrent_writes: 8
concurrent_counter_writes: 4
concurrent_compactors: 1
auto_snapshot: false
# the projector's batches have 20 partitions; since every node has every row, they ask no more nodes than one would
unlogged_batch_across_partitions_warn_threshold: 50
"""


def rackdc_properties(name: str) -> str:
    """Each node is a rack of its own, so that three copies are three nodes."""
    return f"dc={DATACENTER}\nrack=rack{ALL_NODES.index(name) + 1}\n"


def logback() -> str:
    """Everything to standard output, which the supervisor keeps."""
    return """\
<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{ISO8601} %p %m \\(%logger{0}\\)%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="OUT"/></root>
  <logger name="org.apache.cassandra.config.DatabaseDescriptor" level="WARN"/>
  <logger name="org.apache.cassandra.db.compaction" level="WARN"/>
  <logger name="org.apache.cassandra.db.ColumnFamilyStore" level="WARN"/>
  <logger name="org.apache.cassandra.utils.FBUtilities" level="WARN"/>
</configuration>
"""


def jvm_options(stack: Stack, name: str, data: Path, *, replaces: bool) -> tuple[str, ...]:
    """Everything between `java` and the class path. JMX asks for a password, and stays on loopback."""
    etc = stack.etc_dir(name)
    rmi = stack.port(name, "rmi")
    properties = {
        "cassandra-foreground": "yes",
        "cassandra.config": f"file:{etc / 'cassandra.yaml'}",
        "cassandra.storagedir": str(data),
        "cassandra.logdir": str(data / "log"),
        "cassandra-rackdc.properties": f"file:{etc / 'cassandra-rackdc.properties'}",
        "logback.configurationFile": str(etc / "logback.xml"),
        "java.io.tmpdir": str(data / "tmp"),
        "cassandra.jmx.local.port": str(rmi),
        "com.sun.management.jmxremote.rmi.port": str(rmi),
        "com.sun.management.jmxremote.authenticate": "true",
        "com.sun.management.jmxremote.password.file": str(etc / "jmx.password"),
        "java.rmi.server.hostname": stack.settings.host,
        "cassandra.skip_wait_for_gossip_to_settle": "0",
        "cassandra.ring_delay_ms": str(REPLACE_RING_DELAY_MS if replaces else RING_DELAY_MS),
        # A slow hash protects short passwords. Ours are long and random, and a slow hash would slow down each login.
        "cassandra.auth_bcrypt_gensalt_log2_rounds": "4",
        "cassandra.superuser_setup_delay_ms": "500",
        # How long a node that stops waits for the others to hear of it; 2 s by default.
        "cassandra.shutdown_announce_in_ms": "300",
    }
    if replaces:
        properties["cassandra.replace_address_first_boot"] = storage_address(stack, name)
    return (*_MEMORY, *MODULES, *(f"-D{key}={value}" for key, value in properties.items()))
