"""Faults of the scenario connector-failure."""

import secrets
import time
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from lakeproof.arguments import OfAccount, OfConnector
from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture import gap, missed, rewriting, topic_gap
from lakeproof.lake.capture.commands import await_state, restart, send, state_of
from lakeproof.lake.capture.connector import Connector, find_connector
from lakeproof.lake.capture.registered import TABLES_KEY, as_registered, changed_keys
from lakeproof.lake.capture.registration import live_config, register
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.engine import ASK_SECONDS
from lakeproof.lake.sources.source import OLTP, SOURCES, find_source
from lakeproof.lake.topic_settings import MISSING, POLICY, alter, is_enough, live_settings, needs
from lakeproof.lake.topics import find_topic, of_capture
from lakeproof.probes.binlog_place import THERE, binlog_place
from lakeproof.probes.connect import PARTIAL_ROWS, SERVER_ID_TAKEN, task_failure
from lakeproof.probes.kafka import admin
from lakeproof.processes import detached
from lakeproof.stack.engines.mysql_accounts import REPORT
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import CDC_TOPIC
from lakeproof.written import read_if_there, write_file


class RevokedGrant(OfConnector, OfAccount, Fault):
    """Take a privilege from the capture's account.

    `privilege`: a global one, as SHOW GRANTS spells it.
    """

    privilege: Literal["REPLICATION SLAVE", "BINLOG MONITOR", "SELECT", "RELOAD"] = "REPLICATION SLAVE"

    def inject(self, stack: Stack) -> None:
        """Revoke the privilege, end the account's connections, restart the connector's task."""
        mariadb.revoke(stack, self.user, self.privilege)
        mariadb.end_connections(stack, self.user)
        restart(stack, self.connector, only_failed=False)

    def remove(self, stack: Stack) -> None:
        """Grant everything that the account is meant to have, and restart the task: it may fail only a moment
        later.
        """
        mariadb.grant(stack, self.user)
        restart(stack, self.connector, only_failed=False)

    def sign(self, stack: Stack) -> Sign:
        """The database's own list of the account's privileges lacks the privilege."""
        held = mariadb.holds(stack, self.user, self.privilege)
        return Sign(not held, f"{self.user} {'still has' if held else 'lacks'} {self.privilege}")


VALUES = {"binlog_row_image": "MINIMAL", "binlog_format": "STATEMENT"}

WRITER = "order_service"


class ChangedBinlog(Fault):
    """Have MariaDB write only parts of rows, or statements, into its binlog.

    Somebody changes how MariaDB writes its binlog, to save room or because another replica likes it better.

    A session keeps the setting that it began with, so the order service gets new sessions, as by its next restart.
    With the default argument the binlog has only a row's changed columns, from which no connector of Debezium's can
    read on.

    `setting`: the one that is changed, to a value (VALUES) by which the binlog no longer has whole rows.
    """

    setting: Literal["binlog_row_image", "binlog_format"] = "binlog_row_image"

    def inject(self, stack: Stack) -> None:
        """Change the setting, and have the order service open its sessions anew. Raises: NotReady."""
        with mariadb.as_root(stack, ASK_SECONDS) as cursor:
            cursor.execute(f"SET GLOBAL {self.setting} = '{VALUES[self.setting]}'")
        mariadb.end_connections(stack, WRITER)

    def remove(self, stack: Stack) -> None:
        """Set it back, and bring the rows that the connector could not read, if it may have come to any.

        A second call finds all well. Raises: as mariadb.restore_log and gap.bridge.
        """
        was_in = self.sign(stack).holds
        mariadb.restore_log(stack, _connector())
        marked = missed.is_noted(stack, OLTP, missed.BY_LOG)
        if was_in or marked or task_failure(stack, ASK_SECONDS, OLTP) == PARTIAL_ROWS:
            gap.bridge(stack, OLTP.connector)

    def sign(self, stack: Stack) -> Sign:
        """The server's own setting, which every new session takes."""
        told = mariadb.log_lacks(stack, _connector(), ASK_SECONDS)
        wanted = f"{self.setting}={VALUES[self.setting]}"
        return Sign(wanted in told, f"MariaDB's binlog: {', '.join(told) or 'as the capture needs it'}")


def _connector() -> Connector:
    return find_connector(OLTP.connector)


RUN_SECONDS = 60.0

WITHOUT_EVENTS = "oltp.orders,oltp.order_items,oltp.cdc_heartbeat"


class ChangedConnector(OfConnector, Fault):
    """Change one key of a connector's configuration over REST, by default to leave a table out.

    Somebody changes one key of a connector's configuration by Kafka Connect's REST API.

    With the default arguments the connector is registered from an old template that lacks a table: it runs on, its
    delay stays small, and what changes in that table never comes into the topic.

    `key`: the one that is changed, of those that decide what the connector delivers. `value`: its new value.
    """

    through_capture = True

    key: str = Field(TABLES_KEY, pattern=r"^[a-z][A-Za-z0-9._-]+$")
    value: str = WITHOUT_EVENTS

    def inject(self, stack: Stack) -> None:
        """Change the key, and return once connector and task run with it. A second call changes nothing.

        Raises: InvalidInput where Kafka Connect has no such connector, where it was registered with that value, or
        for a key that a person may change; TerminalError with what Kafka Connect refused; DeadlineExpired where it
        stays down.
        """
        name = self.connector
        config = live_config(stack, name)
        if config is None:
            raise InvalidInput("Kafka Connect has no such connector", where=name, next_action="lakeproof diagnose")
        changed = config | {self.key: self.value}
        if self.key not in changed_keys(changed, as_registered(stack, find_connector(name))):
            raise InvalidInput(
                "it was registered so, or a person may change that",
                where=f"{name}: {self.key}",
                next_action="another key or value",
            )
        if changed != config:
            send(stack, "PUT", f"/connectors/{name}/config", body=changed)
        await_state(stack, name, "RUNNING", seconds=RUN_SECONDS)

    def remove(self, stack: Stack) -> None:
        """Bring what was not delivered, take out what came twice, and register the connector from its file.

        Where the configuration was set right meanwhile, a mark tells of the rows that are still missing. For
        PostgreSQL, `lakeproof mitigate` has all rows read anew; here only the tables that come back are read.
        """
        connector = find_connector(self.connector)
        source = find_source(connector.database)
        missing = self.sign(stack).holds or missed.is_noted(stack, source, missed.BY_CONNECTOR)
        if connector.engine == "mysql" and missing and topic_gap.bridge(stack, connector.name).twice:
            rewriting.remove_second_rows(stack, source)
        register(stack, connector.name)
        send(stack, "PUT", f"/connectors/{connector.name}/resume", absent_is_fine=True)

    def sign(self, stack: Stack) -> Sign:
        """The value that Kafka Connect itself has under that key."""
        found = (live_config(stack, self.connector) or {}).get(self.key)
        return Sign(found == self.value, f"{self.key} of connector {self.connector} is {found!r}")


TOPIC_ASK_SECONDS = 5.0

LARGEST_RECORD, SMALLEST = "max.message.bytes", 100


class ChangedTopic(Fault):
    """Change one setting of a topic, by default so that it takes no record of the capture.

    Somebody changes one setting of a topic, by Kafka's own admin calls.

    With the default arguments no record of the capture is small enough for the topic any more: its task fails, and
    fails again after each restart.

    Trap: a record that ends a transaction has 78 bytes with its batch. By Kafka 4.3.1's code a broker that cannot
    write it ends itself, and again at each start; so nothing smaller than 100 is allowed here (not tried).

    The topic's old value is noted first, since its owner may have it keep more than Lakeproof needs.

    `key`: a setting that decides which records `topic` keeps and takes. `value`: its new value.
    """

    topic: str = CDC_TOPIC
    key: str = Field(LARGEST_RECORD, pattern=r"^[a-z][a-z.]+$")
    value: str = Field(str(SMALLEST), pattern=r"^(-1|0|[1-9][0-9]*|compact|delete)$")

    def inject(self, stack: Stack) -> None:
        """Change the setting.

        Raises: InvalidInput for a key that decides nothing about records, a value that does no harm or too much, a
        topic that is not there, and in mode "external", where nobody would put back the settings of a topic's owner;
        NotReady.
        """
        topic = find_topic(self.topic)
        known, key = needs(topic), self.key
        where = f"{topic.name}: {key}={self.value}"
        if stack.settings.mode == "external":
            raise InvalidInput(
                "its owner's settings would be lost", where=where, next_action="a stack of Lakeproof's own"
            )
        if key not in known:
            next_action = f"one of {', '.join(known)}"
            raise InvalidInput("it decides nothing about the records", where=where, next_action=next_action)
        if is_enough(key, self.value, known[key]):
            raise InvalidInput("by that nothing is lost", where=where, next_action=f"it has to be {known[key]}")
        if (key == POLICY) != self.value.isalpha():
            raise InvalidInput("it has no such values", where=where, next_action=f"it has to be {known[key]}")
        if key == LARGEST_RECORD and int(self.value) < SMALLEST:
            next_action = f"{SMALLEST} at least"
            raise InvalidInput(
                "a broker that cannot end a transaction ends itself", where=where, next_action=next_action
            )
        live = live_settings(admin(stack), topic, TOPIC_ASK_SECONDS)
        if live is None:
            raise InvalidInput(MISSING, where=topic.name, next_action="lakeproof diagnose")
        note = self._note(stack)
        # A value that is changed already was noted before, also where a repair has set it since.
        if live[key] != self.value and not note.exists():
            write_file(note, live[key])
        alter(admin(stack), topic.name, {key: self.value})

    def remove(self, stack: Stack) -> None:
        """Give that key back its old value, or without a note the value that is needed, and restart what has failed
        of the connector that writes there. Other changed settings stay.

        Raises: NotReady; CouldNotLook.
        """
        topic, note = find_topic(self.topic), self._note(stack)
        live, needed = live_settings(admin(stack), topic, TOPIC_ASK_SECONDS), needs(topic).get(self.key)
        before = read_if_there(note)
        if live and needed and before is None and not is_enough(self.key, live[self.key], needed):
            before = needed
        if live and before is not None and live[self.key] != before:
            alter(admin(stack), topic.name, {self.key: before})
        note.unlink(missing_ok=True)
        for source in SOURCES:
            if topic in of_capture(source):
                restart(stack, source.connector, only_failed=True, absent_is_fine=True)

    def sign(self, stack: Stack) -> Sign:
        """The value that Kafka itself has for that key. Raises: CouldNotLook."""
        topic = find_topic(self.topic)
        live = live_settings(admin(stack), topic, TOPIC_ASK_SECONDS) or {}
        found = live.get(self.key, MISSING)
        return Sign(found == self.value, f"{self.key} of topic {topic.name} is {found}")

    def _note(self, stack: Stack) -> Path:
        """Keeps the key's old value. In no component's folder: Kafka's own data may be made anew."""
        return stack.data_dir("topic-settings") / f"before-{self.topic}-{self.key}"


class DeletedConnector(OfConnector, Fault):
    """Delete the connector from Kafka Connect."""

    def inject(self, stack: Stack) -> None:
        """Delete the connector; safe where it is gone."""
        send(stack, "DELETE", f"/connectors/{self.connector}", absent_is_fine=True)

    def remove(self, stack: Stack) -> None:
        """Register the connector from its file; it goes on from its old offsets."""
        register(stack, self.connector)

    def sign(self, stack: Stack) -> Sign:
        """Kafka Connect knows no connector of that name."""
        seen = state_of(stack, self.connector)
        return Sign(seen is None, f"connector {self.connector} is {seen or 'not there'}")


FAIL_SECONDS = 30.0


class FailedTask(RevokedGrant):
    """Make the connector's task fail, by what is right again."""

    def inject(self, stack: Stack) -> None:
        """Take a privilege from the account, wait until the task has failed for it, and give the privilege back.

        Raises: DeadlineExpired where the task does not fail; the privilege is given back then too.
        """
        if self._state(stack) == "FAILED":
            mariadb.grant(stack, self.user)
            return
        try:
            mariadb.revoke(stack, self.user, self.privilege)
            mariadb.end_connections(stack, self.user)
            restart(stack, self.connector, only_failed=False)
            Deadline(FAIL_SECONDS).wait_for(
                f"the task of {self.connector} to fail", lambda: self._state(stack) == "FAILED" or None
            )
        finally:
            mariadb.grant(stack, self.user)

    def sign(self, stack: Stack) -> Sign:
        """The task says FAILED while its account has the privilege."""
        state, held = self._state(stack), mariadb.holds(stack, self.user, self.privilege)
        told = f"the task is {state}, {self.user} {'has' if held else 'lacks'} {self.privilege}"
        return Sign(state == "FAILED" and held, told)

    def _state(self, stack: Stack) -> str:
        status = send(stack, "GET", f"/connectors/{self.connector}/status")
        return next((str(task["state"]) for task in status["tasks"]), "not there")


SECONDS = 10.0

# The connector stands still for this long, while shoppers buy what it will not find any more.
MISSED_SECONDS = 5.0

PURGE_SECONDS = 30.0

PURGED_SECONDS = 60.0

LOST = "position lost"


class PurgedBinlog(OfConnector, Fault):
    """Purge the binlog before the connector has read it."""

    def inject(self, stack: Stack) -> None:
        """Stop the connector for some seconds, purge every binlog but the newest, and start it again."""
        send(stack, "PUT", f"/connectors/{self.connector}/stop")
        await_state(stack, self.connector, "STOPPED")
        time.sleep(MISSED_SECONDS)
        purge(stack, self)

    def remove(self, stack: Stack) -> None:
        """Bridge the gap where nobody has: what was purged does not come back.

        The task alone does not tell: the task of a connector that stands still, or was just resumed, has not failed
        yet.
        Raises: as gap.bridge; CouldNotLook, also where MariaDB does not answer.
        """
        if self.sign(stack).holds or binlog_place(stack, SECONDS, OLTP) not in (None, THERE):
            gap.bridge(stack, self.connector)
        else:
            send(stack, "PUT", f"/connectors/{self.connector}/resume", absent_is_fine=True)

    def sign(self, stack: Stack) -> Sign:
        """What the failed task says of its failure."""
        seen = task_failure(stack, SECONDS, OLTP)
        return Sign(seen == LOST, f"the task of {self.connector} says: {seen}")


def purge(stack: Stack, fault: PurgedBinlog) -> None:
    """Purge every binlog but the newest under a stopped connector, and start it; return once its task has failed."""
    with mariadb.as_root(stack, SECONDS) as cursor:
        cursor.execute("FLUSH BINARY LOGS")
        newest = _logs(cursor)[-1]

        def purged() -> bool | None:
            # The server passes over a file that somebody reads, and a reader may stay in the server for a moment.
            cursor.execute("PURGE BINARY LOGS TO %s", (newest,))
            return True if _logs(cursor)[0] == newest else None

        Deadline(PURGE_SECONDS).wait_for("the older binlogs to go", purged, seen=lambda: f"{_logs(cursor)} are there")
    send(stack, "PUT", f"/connectors/{fault.connector}/resume")
    Deadline(PURGED_SECONDS).wait_for(
        "its task to fail",
        lambda: True if fault.sign(stack).holds else None,
        seen=lambda: fault.sign(stack).seen,
        unseen_is_not_yet=True,
    )


def _logs(cursor: Any) -> list[str]:
    """The files of the binlog, oldest first."""
    cursor.execute("SHOW BINARY LOGS")
    return [str(row[0]) for row in cursor.fetchall()]


class RotatedPassword(OfConnector, OfAccount, Fault):
    """Change the capture's password in the database only.

    The capture's password is changed in the database only, and its connections end.

    Debezium alone would stay RUNNING and retry for a minute and more; the restart of all tasks makes the failure
    show at once (seen with Debezium 3.5.0).

    `restart`: also restart the connector's task, so that it fails at once.
    """

    restart: bool = True

    def inject(self, stack: Stack) -> None:
        """Change the password to one that nobody knows."""
        database = find_source(self.connector, by="connector").module
        database.set_password(stack, self.user, secrets.token_hex(16))
        database.end_connections(stack, self.user)
        if self.restart:
            restart(stack, self.connector, only_failed=False)

    def remove(self, stack: Stack) -> None:
        """Set the stack's own password again and restart what failed.

        A task that was restarted with the wrong password calls itself RUNNING until its login fails, which may be
        after this call. So the task is restarted whatever it says, unless somebody had mended the password before.
        """
        source = find_source(self.connector, by="connector")
        mended_before = source.module.accepts(stack, self.user)
        source.module.set_password(stack, self.user, stack.secret(source.secret(self.user)))
        restart(stack, self.connector, only_failed=mended_before)

    def sign(self, stack: Stack) -> Sign:
        """The database turns down the password that the stack has for the account."""
        taken = find_source(self.connector, by="connector").module.accepts(stack, self.user)
        return Sign(not taken, f"the password of {self.user} is {'still accepted' if taken else 'rejected'}")


TAKEN_SECONDS = 30.0

SERVER_ASK_SECONDS = 5.0

NAME = "taken_server_id"

PRIVILEGES = ("REPLICATION SLAVE", "BINLOG MONITOR")


class TakenServerId(OfConnector, Fault):
    """Have another replica take the connector's server id.

    Another replica follows MariaDB's binlog by the connector's own server id, so the server cuts the connector off.

    The account is one that no part of the shop uses; it may read the binlog for the time of the fault. A process of
    its own follows the binlog (second_replica.py), since it must outlive the command that makes the fault.
    """

    def inject(self, stack: Stack) -> None:
        """Let the other replica in, and wait until the connector's task has failed for it.

        Raises: DeadlineExpired; InvalidInput, before anything is changed, where Kafka Connect has no such connector,
        or the connector follows no binlog.
        """
        server_id = (live_config(stack, self.connector) or {}).get("database.server.id")
        if server_id is None:
            raise InvalidInput(
                "Kafka Connect has no connector of that name with a server id",
                where=self.connector,
                next_action="lakeproof diagnose; PostgreSQL's connectors have no server id",
            )
        for privilege in PRIVILEGES:
            mariadb.give(stack, REPORT, privilege)
        detached.start(stack, NAME, "lakeproof_shop.scenarios.connector_failure.second_replica", REPORT, server_id)
        Deadline(TAKEN_SECONDS).wait_for(
            f"the task of {self.connector} to be cut off",
            lambda: self.sign(stack).holds or None,
            seen=lambda: self.sign(stack).seen,
            unseen_is_not_yet=True,
        )

    def remove(self, stack: Stack) -> None:
        """End the replica, and have the connector run by its own file again."""
        detached.end(stack, NAME)
        for privilege in PRIVILEGES:
            mariadb.revoke(stack, REPORT, privilege)
        register(stack, find_connector(self.connector).name)
        restart(stack, self.connector, only_failed=False)

    def sign(self, stack: Stack) -> Sign:
        """The replica lives, and the task's own trace names its server id."""
        lives = bool(detached.find(stack, NAME))
        seen = task_failure(stack, SERVER_ASK_SECONDS, find_source(self.connector, by="connector"))
        told = f"the other replica {'runs' if lives else 'does not run'}, the task's failure: {seen}"
        return Sign(lives and seen == SERVER_ID_TAKEN, told)
