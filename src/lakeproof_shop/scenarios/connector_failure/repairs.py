"""Repairs of the scenario connector-failure."""

from shlex import join
from typing import Annotated

from pydantic import AfterValidator

from lakeproof.arguments import OfConnector
from lakeproof.errors import InvalidInput, LakeproofError, NotReady, TerminalError
from lakeproof.lake import topic_ids
from lakeproof.lake.capture import missed, topic_gap
from lakeproof.lake.capture.commands import await_running, restart_failed, send
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.registration import live_config
from lakeproof.lake.of_database import OfAccountOfDatabase, OfDatabase
from lakeproof.lake.result_topics import result_topics
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.engine import ASK_SECONDS
from lakeproof.lake.sources.source import SOURCES, Source
from lakeproof.lake.topic_settings import ANEW, MISSING, changes, needs, restore
from lakeproof.lake.topics import find_topic, of_capture, others
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.connect import task_state
from lakeproof.probes.exporters import LATE_MILLIS, source_lag
from lakeproof.probes.kafka import admin
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import Topic


class RestoreGrant(OfAccountOfDatabase, Mitigation):
    """Grant the capture's account what it needs."""

    def typed(self, stack: Stack) -> str:
        """The statements. Raises: InvalidInput for an account of which nothing is known."""
        return "; ".join(self.source.module.grant_statements(stack, self.user))

    def run(self, stack: Stack) -> str:
        """Grant. Connections that still use the old privileges are ended. Raises: as `typed`; NotReady."""
        module = self.source.module
        ended = module.grant(stack, self.user)
        name = module.account_name(stack, self.user)
        return f"account {name} of {self.database} has all its privileges; {ended} connections ended"


class RestoreLog(OfDatabase, Mitigation):
    """Have the database write its log as the capture needs it.

    Have a database write its log as the capture needs it: MariaDB's settings of the binlog, PostgreSQL's
    publication.

    What was written meanwhile stays in the log as it is, so that rows are missing in the lake, or a task cannot read
    on. Another step brings the rows: bridge_capture_gap, or bridge_topic_gap for PostgreSQL. Until then a mark tells
    of them.
    """

    def typed(self, stack: Stack) -> str:
        """The statements."""
        source = self.source
        found = "; ".join(source.module.log_statements(find_connector(source.connector)))
        ending = "; -- then end the sessions of every account that writes: they go by the old settings"
        return found + (ending if source.engine == "mysql" else "")

    def run(self, stack: Stack) -> str:
        """Set the wrong settings right. Raises: as Engine.restore_log."""
        source = self.source
        connector = find_connector(source.connector)
        before = source.module.log_lacks(stack, connector, ASK_SECONDS)
        if before:
            missed.note(stack, source, missed.BY_LOG)
        ended = source.module.restore_log(stack, connector)
        return f"set right in {source.server}: {', '.join(before) or 'nothing'}; {ended} sessions ended"


LOOK_SECONDS = 3.0


class RestorePassword(OfAccountOfDatabase, Mitigation):
    """Set the capture's password in the database to the connector's."""

    def typed(self, stack: Stack) -> str:
        """The statement, without the password itself."""
        source = self.source
        return source.module.password_statement(stack, self.user, f"(secret {source.secret(self.user)})")

    def run(self, stack: Stack) -> str:
        """Set the password.

        Raises: TerminalError in mode "external" while the capture keeps up, CouldNotLook where nobody can tell.
        """
        source = self.source
        if stack.settings.mode == "external":
            _require_behind(stack, source)
        source.module.set_password(stack, self.user, stack.secret(source.secret(self.user)))
        name = source.module.account_name(stack, self.user)
        return f"account {name} of {self.database} has the connector's password again"


def _require_behind(stack: Stack, source: Source) -> None:
    """Somebody else's Connect reads its passwords from a file of its own. Where the capture keeps up, that file has
    the right one, and ours would lock the connector out.
    """
    if task_state(stack, LOOK_SECONDS, source) != "RUNNING":
        return
    lag = source_lag(stack, LOOK_SECONDS, source)
    if isinstance(lag, int) and lag < LATE_MILLIS:
        raise TerminalError(
            f"the task of {source.connector} runs, {lag} ms behind: the connector's password is right",
            where=source.secret("cdc"),
            next_action="set that secret in lakeproof.toml to the password that the database has now",
        )


OTHERS = "others"

TOPIC_SECONDS = 10.0


def _known(name: str) -> str:
    try:
        return name if name in ("", OTHERS) else find_topic(name).name
    except InvalidInput as error:
        raise ValueError(f"{error.message}: {error.next_action}") from error


class RestoreTopic(OfDatabase, Mitigation):
    """Give topics back the settings by which they keep and take records.

    Give topics back the settings by which they keep and take their records, and make anew what is gone.

    The step does not bring back records that a short retention, a compaction or a deletion of the topic has removed.
    Where a capture's topic was made anew, whoever made it, `diagnose` says so until bridge_topic_gap has compared the
    lake with the database. Before this step makes one, it ends the lake's job. Of other topics the step says what is
    missing, and after that nothing tells of it any more.

    `topic`: one topic by its name, or `others`: all topics that belong to no capture. Without it: the topics of
    the capture of `database`.
    """

    topic: Annotated[str, AfterValidator(_known)] = ""

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The topics that are meant."""
        if self.topic == OTHERS:
            return others()
        return (find_topic(self.topic),) if self.topic else of_capture(self.source)

    def typed(self, stack: Stack) -> str:
        """Kafka's own tool, with every setting that counts; the step itself leaves values that are longer or
        larger.
        """
        server = stack.address("kafka", "tcp")
        commands = []
        for topic in self.topics:
            settings = ",".join(f"{key}={value}" for key, value in needs(topic).items())
            alter = ["--alter", "--topic", topic.name, "--add-config", settings]
            commands.append(join(["kafka-configs.sh", "--bootstrap-server", server, *alter]))
        return (
            f"of each that is otherwise, without the keys that are longer or larger: {'; '.join(commands)};"
            " of one that is gone kafka-topics.sh --create with the same, and of a capture's the lake's job ended"
            " before"
        )

    def run(self, stack: Stack) -> str:
        """Set the topics right, then restart what has failed of the connectors that write there.

        Raises: NotReady, after every topic was tried, with all that failed and all that was done.
        """
        told, failed, wrong = [], [], set()
        for topic in self.topics:
            try:
                told += _restored(stack, topic)
            except LakeproofError as error:
                failed.append(f"{topic.name}: {error.message}")
                wrong.add(topic.name)
        for source in SOURCES:
            # Not where its topic is still wrong: a task that starts without the topic makes one, and the lake's job
            # would go on in that.
            if source.topic not in wrong and any(topic in of_capture(source) for topic in self.topics):
                try:
                    restart_failed(stack, source.connector)
                except LakeproofError as error:
                    failed.append(error.message)
        done = "; ".join(told) or "nothing was otherwise"
        if failed:
            raise NotReady(f"{'; '.join(failed)} ({done})", where="kafka", next_action="lakeproof diagnose")
        return done


def _restored(stack: Stack, topic: Topic) -> list[str]:
    """What was done, in words. Raises: as topic_settings.restore and topic_gap.make_anew."""
    client = admin(stack)
    source = next((source for source in SOURCES if source.topic == topic.name), None)
    found = changes(stack, client, [topic], TOPIC_SECONDS).get(topic.name, [])
    if source is not None and found == [MISSING] and stack.settings.mode != "external":
        topic_gap.make_anew(stack, source)
        return [f"{topic.name} was made anew; what it held comes by bridge_topic_gap"]
    restore(stack, client, topic)
    if source is not None and ANEW in found:
        found.remove(ANEW)
        bridge = [f"{topic.name} was made anew before; what it lacks comes by bridge_topic_gap"]
        return [f"set right of {topic.name}: {', '.join(found)}", *bridge] if found else bridge
    told = f"set right of {topic.name}: {', '.join(found)}"
    if set(found).isdisjoint((MISSING, ANEW)):
        return [told] if found else []
    # Nothing compares this topic with another place, so the answer has to tell a person.
    topic_ids.note(stack, topic, topic_ids.ids(client, [topic], TOPIC_SECONDS).get(topic.name, ""))
    by = "lakeproof projector rebuild --from-database" if topic in result_topics() else "nothing in Lakeproof"
    return [f"{told} (what it held is not brought back; what brings it: {by})"]


KEY = "database.server.id"


class TakeFreeServerId(OfConnector, Mitigation):
    """Give the connector a server id that no other replica has.

    Give the connector of MariaDB a server id that no other replica has. It goes on from its offsets.

    The other replica is left alone: it may be somebody's, and only its owner knows. The connector's file keeps the
    old id, so the file must be changed as well unless the other replica goes.
    """

    def typed(self, stack: Stack) -> str:
        """The two calls."""
        path = f"{stack.url('connect')}/connectors/{self.connector}/config"
        return f'SHOW SLAVE HOSTS; curl -X PUT --json \'{{… "{KEY}": "an id that is not there"}}\' {path}'

    def run(self, stack: Stack) -> str:
        """Change the id, and return once connector and task stay RUNNING.

        Raises: TerminalError for a connector that has no such id, NotReady without an answer of the database.
        """
        config = live_config(stack, self.connector)
        if config is None or KEY not in config:
            raise TerminalError(
                "it is not there, or follows no binlog", where=self.connector, next_action="lakeproof diagnose"
            )
        taken = mariadb.replica_ids(stack)
        free = free_id(int(config[KEY]), taken)
        send(stack, "PUT", f"/connectors/{self.connector}/config", body={**config, KEY: str(free)})
        runs = await_running(stack, self.connector, seconds=40)
        return f"{runs}, with server id {free} instead of {config[KEY]}; write it into the connector's file"


def free_id(own: int, taken: set[int]) -> int:
    """The next id after its own that is not taken."""
    free = own + 1
    while free in taken:
        free += 1
    return free
