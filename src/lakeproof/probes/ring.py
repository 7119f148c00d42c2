"""Cassandra's ring as `nodetool status` shows it. Read-only; nodetool asks a node over JMX, on loopback.

A diagnosis asks for the same by the nodes' metrics, since each call of nodetool starts a JVM: how many other nodes a
node believes to be down. Two nodes can believe different things.
"""

import re
import subprocess
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from lakeproof.errors import CouldNotLook
from lakeproof.install import java
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.exporters import sample
from lakeproof.probes.http import get
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.stack.engines import cassandra
from lakeproof.stack.engines.cassandra_config import ALL_NODES, MODULES, NODES, storage_address
from lakeproof.stack.engines.cassandra_roles import SUPERUSER
from lakeproof.stack.stack import Stack

KEYSPACE = "inventory"
NODETOOL_SECONDS = 15.0
NODETOOL = "org.apache.cassandra.tools.NodeTool"

_STATES = {"N": "normal", "L": "leaving", "J": "joining", "M": "moving", "R": "replacing", "S": "stopped"}
_LINE = re.compile(
    r"^(?P<up>[UD?])(?P<state>[NLJMRS?])\s+(?P<address>\S+)\s+(?P<load>\?|[\d.,]+ \w+)\s+(?P<tokens>\d+)\s+"
    r"(?P<owns>\?|[\d.,]+%)\s+(?P<host_id>[0-9a-f-]{36})\s+(?P<rack>\S+)\s*$"
)


@dataclass(frozen=True)
class RingNode:
    """One line of `nodetool status`. `name` is the component, empty where it is none of ours; `state` as UN, DN, UJ.

    `owns_percent`: its share of the keyspace inventory, copies included: 100 with three nodes, 75 with four.
    """

    name: str
    state: str
    address: str
    load: str
    tokens: int
    owns_percent: float | None
    host_id: str
    rack: str

    @property
    def up(self) -> bool:
        """True where the node that was asked sees this one alive."""
        return self.state.startswith("U")

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self) | {"up": self.up, "doing": _STATES.get(self.state[1:], "unknown")}


def parse_status(text: str, names: dict[str, str]) -> list[RingNode]:
    """The nodes in the output of `nodetool -pp status`. `names`: address → component."""
    nodes: list[RingNode] = []
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        owns = found["owns"].rstrip("%").replace(",", ".")
        nodes.append(
            RingNode(
                name=names.get(found["address"], ""),
                state=found["up"] + found["state"],
                address=found["address"],
                load=found["load"],
                tokens=int(found["tokens"]),
                owns_percent=None if owns == "?" else float(owns),
                host_id=found["host_id"],
                rack=found["rack"],
            )
        )
    return sorted(nodes, key=lambda node: (node.rack, node.address))


def ring(stack: Stack, *, ask: str | None = None) -> list[RingNode]:
    """The ring as node `ask` sees it; without it, as the first node that answers does.

    Raises: CouldNotLook where none answers, with what each of them said.
    """
    names = {storage_address(stack, name): name for name in ALL_NODES}
    said: list[str] = []
    for name in (ask,) if ask is not None else NODES:
        try:
            nodes = parse_status(nodetool(stack, name, "status", KEYSPACE), names)
        except CouldNotLook as error:
            said.append(error.message)
            continue
        if nodes:
            return nodes
        said.append(f"{name}: told no node")
    raise CouldNotLook("; ".join(said), where="ring", next_action="lakeproof ps; lakeproof up cassandra-node3")


def nodetool(stack: Stack, name: str, *arguments: str, seconds: float = NODETOOL_SECONDS) -> str:
    """What nodetool prints when it asks that node. The password comes from a file. Raises: CouldNotLook."""
    host, port = stack.host_port(name, "rmi")
    etc = stack.etc_dir(name)
    if not (etc / "jmx.password").exists():
        raise CouldNotLook("it was never started here", where=name)
    argv = (
        str(java.find_java_17()),
        "-Xmx64m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        *MODULES,
        f"-Duser.home={etc}",  # nodetool keeps a history of commands there
        f"-Dlogback.configurationFile={etc / 'logback.xml'}",
        "-cp",
        cassandra.class_path(),
        NODETOOL,
        *("-h", host, "-p", str(port)),
        *("-u", SUPERUSER, "-pwf", str(etc / "jmx.password")),
        "-pp",
        *arguments,
    )
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise CouldNotLook(f"nodetool had no answer within {seconds:.0f} s", where=name) from error
    if done.returncode != 0:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise CouldNotLook(f"nodetool: {lines[-1] if lines else 'said nothing'}", where=name)
    return done.stdout


DOWN_METRIC = "cassandra_downendpointcount"


def sees_down(stack: Stack, timeout: float, node: str) -> Value:
    """How many other nodes that node believes to be down: the lines of its `nodetool status` that begin with D.

    Raises: CouldNotLook without an answer.
    """
    url = f"{stack.url(node, 'jmx')}/metrics?name[]={DOWN_METRIC}"
    response = get(url, timeout)
    value = sample(response.text, DOWN_METRIC) if response.status_code == 200 else None
    if value is None:
        raise CouldNotLook(f"answered {response.status_code} without {DOWN_METRIC}", where=url)
    return round(value)


def _sees_down(node: str) -> Probe:
    return Probe(
        f"{node}-sees-down",
        node,
        f"{DOWN_METRIC} of GET /metrics on its port jmx (nodetool status: lines with D)",
        "nodes",
        partial(sees_down, node=node),
        Condition(Operator.IS, 0),
        about=tuple(other for other in ALL_NODES if other != node),
    )


def hints_of(stack: Stack, node: str) -> int:
    """How many files of hints that node keeps for nodes that were away: rows that those do not have yet.

    Its folder is read: the table system_views.pending_hints and `nodetool listpendinghints` leave out the file that
    is still written, and while a node is away there is no other. Hints are written out every ten seconds.
    Raises: CouldNotLook where the node is somebody else's, and where the folder may not be read.
    """
    if stack.settings.mode == "external":
        raise CouldNotLook("its hints lie on another machine", where=node, next_action="nodetool listpendinghints")
    try:
        return sum(file.stat().st_size > 0 for file in (cassandra.storage_dir(stack, node) / "hints").glob("*.hints"))
    except OSError as error:
        raise CouldNotLook(f"its hints cannot be read: {error.strerror}", where=node) from error


def hints_waiting(stack: Stack, timeout: float) -> Value:
    """The sum of `hints_of` over all nodes, those too that are down. Raises: CouldNotLook."""
    return sum(hints_of(stack, node) for node in NODES)


THERE, GONE = "there", "gone"


def data_of(stack: Stack, timeout: float, node: str) -> Value:
    """there, or gone: whether the node has what it must know to come back by itself.

    Raises: CouldNotLook where the node is somebody else's.
    """
    if stack.settings.mode == "external":
        raise CouldNotLook("its data lie on another machine", where=node)
    return THERE if cassandra.has_data(stack, node) else GONE


def _data(node: str) -> Probe:
    # Without a healthy range: a node that has just been started for the first time has none yet.
    return Probe(f"{node}-data", node, f"ls {node}/storage/data/system", "", partial(data_of, node=node))


PROBES = (
    *(_sees_down(node) for node in NODES),
    *(_data(node) for node in NODES),
    # Without a healthy range: a slow answer under load leaves a hint for some seconds, and nothing is wrong then.
    Probe("hints-waiting", NODES[0], "ls NODE/storage/hints, all nodes", "files", hints_waiting, about=ALL_NODES[1:]),
)
