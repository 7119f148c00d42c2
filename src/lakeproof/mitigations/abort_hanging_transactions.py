"""Abort transactions that the capture's topics hold open and the coordinator knows no more, by Kafka's own tool.

Nothing is lost by an abort: no reader of committed records ever saw such a transaction, and the capture kept no place
after it, so the capture writes its records again. The topics of offsets come last. Capture goes on as soon as its
offsets can be read, and its next transaction in a topic that still holds the old one open would end both as one.
"""

import subprocess

from lakeproof.arguments import Arguments
from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.install import artifacts, java
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.kafka import broker_ids
from lakeproof.probes.transactions import is_capture_topic
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


def typed(stack: Stack, arguments: Arguments) -> str:
    """By Kafka's own tool, broker by broker, then topic by topic."""
    tool = f"kafka-transactions --bootstrap-server {stack.address('kafka', 'tcp')}"
    find = f"{tool} find-hanging --broker-id … {' '.join(YOUNGEST)}"
    return f"for each broker: {find}; for each found: {tool} abort --topic … --partition … --start-offset …"


def run(stack: Stack, arguments: Arguments) -> str:
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


MITIGATION = Mitigation(
    "abort_hanging_transactions", "abort transactions that no coordinator knows, in the capture's topics", typed, run
)
