"""Repairs of what the capture missed."""

from lakeproof.arguments import OfConnector
from lakeproof.errors import InvalidInput
from lakeproof.lake.capture import gap, missed, new_slot, reading_anew, rewriting, topic_gap
from lakeproof.lake.capture.connector import Connector, find_connector
from lakeproof.lake.capture.difference import in_words
from lakeproof.lake.job.writer import writer_of
from lakeproof.lake.of_database import OfDatabase
from lakeproof.lake.sources.source import Source, find_source
from lakeproof.lake.topic_settings import ANEW
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes import connect, flink, kafka
from lakeproof.stack.stack import Stack


class BridgeCaptureGap(OfConnector, Mitigation):
    """Bring what the capture missed into the lake as one transaction, and go on from there."""

    def typed(self, stack: Stack) -> str:
        """Nobody types all of it: what the lake lacks is written into the topic."""
        there = f"{stack.url('connect')}/connectors/{self.connector}"
        return (
            f"curl -X PUT {there}/stop, and once main shows all that was captured, what the lake lacks of the"
            " database at one instant, written into the topic as one transaction, together with the connector's"
            f" place; then curl -X PUT {there}/resume"
        )

    def run(self, stack: Stack) -> str:
        """Bridge the gap, and take out the rows that came twice; gives the rows by table. Raises: as gap.bridge and
        rewriting.remove_second_rows.
        """
        found = gap.bridge(stack, self.connector)
        told = f"{in_words(found)}; connector {self.connector} goes on from there"
        if found.twice:
            source = find_source(find_connector(self.connector).database)
            told += f"; second rows taken out: {rewriting.in_counts(rewriting.remove_second_rows(stack, source))}"
        return told


ASK_SECONDS = 10.0


class BridgeTopicGap(OfConnector, Mitigation):
    """Have the job pass over what it cannot read, and bring that into the lake from the database."""

    def typed(self, stack: Stack) -> str:
        """Nobody types all of it: what the lake lacks is written into the topic."""
        there = f"{stack.url('connect')}/connectors/{self.connector}"
        connector = find_connector(self.connector)
        job = find_source(connector.database).job
        passed_over = (
            f"curl -X PUT {there}/stop, and {there}/config as it was registered; {job} to the end of"
            f" {connector.topic}, of which it takes nothing"
        )
        if not _is_compared(connector):
            anew = "; ".join(new_slot.steps(connector))
            return (
                f"{passed_over}; {job} as ever; {anew}; once all rows are read, what is there twice taken out, and"
                " what the database has no more"
            )
        return (
            f"{passed_over}; what the lake lacks of the database at one instant, written"
            f" into that topic as one transaction, together with the connector's place; {job} as ever; then"
            f" curl -X PUT {there}/resume"
        )

    def run(self, stack: Stack) -> str:
        """Bridge the gap; gives how many rows of which table the lake lacked. Raises: as topic_gap.bridge or
        reading_anew.read_anew; InvalidInput where the job reads its topic without trouble, and nothing of
        the capture was changed.
        """
        name = self.connector
        connector = find_connector(name)
        source = find_source(connector.database)
        _require_gap(stack, connector, source)
        if not _is_compared(connector):
            taken = reading_anew.read_anew(stack, name)
            twice, gone = rewriting.in_counts(taken.second), rewriting.in_counts(taken.gone)
            return (
                f"all rows of {source.name} were read anew; second rows taken out: {twice}; deleted meanwhile: {gone}"
            )
        found = topic_gap.bridge(stack, name)
        told = f"{in_words(found)}; {source.job} and connector {name} go on from there"
        if found.twice:
            told += f"; second rows taken out: {rewriting.in_counts(rewriting.remove_second_rows(stack, source))}"
        return told


def _require_gap(stack: Stack, connector: Connector, source: Source) -> None:
    """Raises: InvalidInput where nothing tells that the lake lacks something of the topic, or of the database."""
    seen = flink.topic_gap(stack, ASK_SECONDS, source)
    if seen not in (None, flink.NO_EXCEPTION):
        return
    if missed.is_noted(stack, source, missed.BY_LOG) or connect.changed(stack, ASK_SECONDS, source):
        return
    if f"{source.topic}: {ANEW}" in kafka.changed_settings(stack, ASK_SECONDS, source):
        return
    if seen is None and not _is_compared(connector):
        raise InvalidInput(
            "its job is not there, so nothing tells of a gap",
            where=connector.name,
            next_action=f"lakeproof mitigate INCIDENT --action resubmit_job --arg database={source.name}",
        )
    if seen == flink.NO_EXCEPTION:
        bridged = (
            "; where the lake lacks rows: lakeproof mitigate INCIDENT --action bridge_capture_gap"
            f" --arg connector={connector.name}"
        )
        raise InvalidInput(
            f"{source.job} did not stop at a gap in {source.topic} in the last minute",
            where=connector.name,
            next_action=f"lakeproof diagnose{bridged if _is_compared(connector) else ''}",
        )


def _is_compared(connector: Connector) -> bool:
    """True where the difference can be written as one transaction; else all rows are read anew."""
    return connector.engine == "mysql"


class ForgetMissed(OfDatabase, Mitigation):
    """Take away the mark of what a capture missed, once a person has brought it.

    Take away the mark that the lake lacks what a capture missed: for a person who has brought that by hand.

    Where no bridge can compare (MySQL, a key that is no whole number, DDL since), by hand means a new snapshot or
    stack.
    """

    def typed(self, stack: Stack) -> str:
        """In words: there is no other command for it."""
        return f"bring what the lake lacks of {self.source.server} by hand, look with lakeproof check, then this"

    def run(self, stack: Stack) -> str:
        """Take the mark away; safe where there is none."""
        missed.is_brought(stack, self.source)
        return f"nothing is known to be missing of {self.database} any more; lakeproof check tells whether that is so"


class RemoveSecondRows(OfDatabase, Mitigation):
    """Take out of the append-only tables what they hold twice."""

    def typed(self, stack: Stack) -> str:
        """By hand, for each table without a primary key that holds rows twice."""
        source = self.source
        table = f"store.{source.name}.TABLE"
        return (
            f"{source.job} stopped with a savepoint; in Flink's SQL client, with SET 'execution.runtime-mode' ="
            f" 'batch', SET 'pipeline.name' = '{writer_of(source)}' and the lake's Paimon catalog as store, for each"
            f" table without a key that holds rows twice: INSERT OVERWRITE {table} SELECT DISTINCT * FROM {table};"
            f" once that has ended, {source.job} from its savepoint"
        )

    def run(self, stack: Stack) -> str:
        """Take the second rows out; gives how many. Raises: as rewriting.remove_second_rows."""
        return f"second rows taken out: {rewriting.in_counts(rewriting.remove_second_rows(stack, self.source))}"
