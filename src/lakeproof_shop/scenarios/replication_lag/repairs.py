"""Repairs of the scenario replication-lag."""

import subprocess

from lakeproof.arguments import OfConnector
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.install import artifacts, java
from lakeproof.lake.capture.backlog import bytes_left
from lakeproof.lake.capture.commands import await_running, send
from lakeproof.lake.sources.source import OLTP
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.kafka import LARGE_ROWS, broker_ids, transaction_rows
from lakeproof.probes.transactions import is_capture_topic
from lakeproof.processes.ours import our_processes
from lakeproof.processes.states import State
from lakeproof.stack.engines.connect import NAME, WORKERS
from lakeproof.stack.stack import Stack

TOOL = "org.apache.kafka.tools.TransactionsCommand"

TOOL_SECONDS = 120.0

BROKER_SECONDS = 10.0

# In minutes: the tool looks at no younger transaction. Its own default of 15 would let capture hang for as long.
YOUNGEST = ("--max-transaction-timeout", "1")

COLUMNS = (
    *("Topic", "Partition", "ProducerId", "ProducerEpoch"),
    *("CoordinatorEpoch", "StartOffset", "LastTimestamp", "Duration(min)"),
)


class AbortHangingTransactions(Mitigation):
    """Abort transactions that no coordinator knows, in the capture's topics.

    Abort transactions that the capture's topics hold open and the coordinator knows no more, by Kafka's own tool.

    Nothing is lost by an abort: no reader of committed records ever saw such a transaction, and the capture kept no
    place after it, so the capture writes its records again. The topics of offsets come last. Capture goes on as soon
    as its offsets can be read, and its next transaction in a topic that still holds the old one open would end both
    as one.
    """

    def typed(self, stack: Stack) -> str:
        """By Kafka's own tool, broker by broker, then topic by topic."""
        tool = f"kafka-transactions --bootstrap-server {stack.address('kafka', 'tcp')}"
        find = f"{tool} find-hanging --broker-id … {' '.join(YOUNGEST)}"
        return f"for each broker: {find}; for each found: {tool} abort --topic … --partition … --start-offset …"

    def run(self, stack: Stack) -> str:
        """Find the hanging transactions on every broker, and abort each.

        Raises: CouldNotLook where the brokers do not answer or the tool says something unknown; TerminalError,
        MissingArtifact.
        """
        tables = [
            _tool(stack, "find-hanging", "--broker-id", str(broker), *YOUNGEST)
            for broker in broker_ids(stack, BROKER_SECONDS)
        ]
        # The brokers of all replicas of a partition report the same transaction.
        found = {one for table in tables for one in hanging(table)}
        offsets_last = sorted(found, key=lambda one: (one[0].startswith("_"), one))
        for topic, partition, offset in offsets_last:
            _tool(stack, "abort", "--topic", topic, "--partition", partition, "--start-offset", offset)
        return f"aborted: {', '.join(topic for topic, _, _ in offsets_last)}" if found else "no transaction hangs"


def hanging(table: str) -> list[tuple[str, str, str]]:
    """(topic, partition, first offset) of the capture's topics in the tool's table.

    Raises: CouldNotLook for anything but that table: what cannot be read is not "none hangs".
    """
    lines = [tuple(line.split()) for line in table.splitlines() if line.strip()]
    if COLUMNS not in lines:
        raise CouldNotLook(
            f"its tool answered without its table: {table.strip()[:200]!r}", where="kafka, find-hanging"
        )
    # Lines of the tool's log may stand before its table.
    rows = lines[lines.index(COLUMNS) + 1 :]
    for row in rows:
        if len(row) != len(COLUMNS) or not (row[1].isdigit() and row[5].isdigit()):
            raise CouldNotLook(
                f"its tool's table has an unknown row: {' '.join(row)[:200]!r}", where="kafka, find-hanging"
            )
    return [(row[0], row[1], row[5]) for row in rows if is_capture_topic(row[0])]


def _tool(stack: Stack, *arguments: str) -> str:
    jars = artifacts.path("kafka") / "libs"
    argv = (str(java.find_java_17()), "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*", TOOL)
    command = (*argv, "--bootstrap-server", stack.address("kafka", "tcp"), *arguments)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TOOL_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise TerminalError(f"no answer within {TOOL_SECONDS:.0f} s", where=f"kafka, {arguments[0]}") from error
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise TerminalError(" | ".join(said[-2:]), where=f"kafka, {arguments[0]}")
    return done.stdout


# What a capture reads of the binlog in a second on two busy cores, at the least.
BYTES_PER_SECOND = 100_000

LEAST_SECONDS = 60.0

ASK_SECONDS = 5.0

# With less than this left to read, the capture counts as caught up: the shop writes as much in a few seconds.
NEAR_BYTES = 1_000_000


def bound_seconds(left_bytes: int) -> float:
    """The longest time that reading so many bytes may take."""
    return LEAST_SECONDS + left_bytes / BYTES_PER_SECOND


class AwaitCapture(Mitigation):
    """Wait until the capture has read a large transaction.

    Wait until the capture has come through a large transaction, for no longer than a bound that is stated before.

    Nothing is broken: the rows are on their way, in order. Whatever else one does makes the capture begin the
    transaction anew. Where the bound passes, something else is wrong.
    """

    def typed(self, stack: Stack) -> str:
        """The two places in the binlog that a person would compare, again and again."""
        offsets = f"{stack.url('connect')}/connectors/{OLTP.connector}/offsets"
        return (
            f"SHOW MASTER STATUS against curl {offsets}; wait, at most {LEAST_SECONDS:.0f} s and a second for each "
            f"{BYTES_PER_SECOND:,} bytes between them"
        )

    def run(self, stack: Stack) -> str:
        """Wait. Raises: CouldNotLook where the capture's place is not known at first, DeadlineExpired past the
        bound.
        """
        left = bytes_left(stack, OLTP.connector)
        bound = bound_seconds(left)
        deadline = Deadline(bound)
        seen = ""

        def through() -> bool | None:
            nonlocal seen
            rows, behind = transaction_rows(stack, ASK_SECONDS, OLTP), bytes_left(stack, OLTP.connector)
            seen = f"{rows} rows of one transaction so far, {behind:,} bytes of binlog before it"
            return True if isinstance(rows, int) and rows < LARGE_ROWS and behind < NEAR_BYTES else None

        deadline.wait_for(
            "the capture to come through the transaction",
            through,
            every=1.0,
            seen=lambda: seen,
            unseen_is_not_yet=True,
        )
        return f"read {left:,} bytes of binlog in {deadline.elapsed:.0f} s, of at most {bound:.0f} s"


RUN_SECONDS = 60.0


class RestartWorkers(OfConnector, Mitigation):
    """Restart every worker of Kafka Connect.

    Restart every worker of Kafka Connect that runs, one after the other, for a task that is nobody's.

    A worker that holds a task for its own and does not run it lets go of the task only when it ends. Connect does not
    tell which worker that is, and no restart of the task over REST reaches it.
    """

    def typed(self, stack: Stack) -> str:
        """The same by hand."""
        return f"lakeproof restart {NAME}, and so each of {', '.join(WORKERS[1:])} that `lakeproof ps` shows"

    def run(self, stack: Stack) -> str:
        """Restart the workers, and return once connector and task stay RUNNING.

        Raises: InvalidInput in mode "external"; as SupervisorClient.restart and await_running.
        """
        client = our_processes(stack, "restart the workers of Kafka Connect")
        running = [row.name for row in client.ps() if row.name in WORKERS and row.state is not State.STOPPED]
        for name in running:
            client.restart(name)
        runs = await_running(stack, self.connector, seconds=RUN_SECONDS)
        return f"restarted: {', '.join(running) or 'none, for none ran'}; {runs}"


class ResumeConnector(OfConnector, Mitigation):
    """Resume the connector."""

    def typed(self, stack: Stack) -> str:
        """PUT, since Connect 4 has no POST for it."""
        return f"curl -X PUT {stack.url('connect')}/connectors/{self.connector}/resume"

    def run(self, stack: Stack) -> str:
        """Resume and return once connector and task stay RUNNING."""
        send(stack, "PUT", f"/connectors/{self.connector}/resume")
        return await_running(stack, self.connector)
