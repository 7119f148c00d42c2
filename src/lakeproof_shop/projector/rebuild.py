"""Makes the projection anew: nothing of it stays, and the topic, which keeps the newest record of each key, is read
from its beginning.
"""

from collections.abc import Callable

from cassandra import DriverException
from cassandra.cluster import NoHostAvailable

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, InvalidInput, NotReady
from lakeproof.lake.capture.backfill import read_existing_rows
from lakeproof.lake.capture.columns import look, require_none_missing
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.sources.source import find_source
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.engines import cassandra_session
from lakeproof.stack.stack import Stack
from lakeproof_shop.projector.statements import PROJECTION

COMPONENT = "projector"
GROUP = "projector"
CONNECTOR = "orders"
SOURCE = "oltp.orders"
EMPTY_SECONDS = 30.0
TRUNCATE_SECONDS = 60.0


def rebuild(stack: Stack, say: Callable[[str], None], *, from_database: bool = False) -> None:
    """Returns once the projector runs again; it then reads some thousand records a second. Safe to repeat.

    from_database: have the connector read all orders once more, for a topic that is younger than the orders.
    Meanwhile services see what is projected already, and its age. Raises: InvalidInput where somebody else runs the
    projector, or where the database lacks a column of the orders that would be read; CouldNotLook where Kafka or a
    node of the ring does not answer (TRUNCATE needs all three).
    """
    if stack.settings.mode == "external":
        raise InvalidInput(
            "its projector is not ours to stop",
            where="projector",
            next_action=f"stop it, delete group {GROUP}, truncate projections.{PROJECTION} and progress, start it",
        )
    client = SupervisorClient(stack)
    if from_database:
        require_none_missing(look(stack, find_source(CONNECTOR, by="connector")), [SOURCE])
    client.require_ours()  # before the projection is emptied: a supervisor that is not ours refuses the start
    say("stopping the projector")
    client.stop(COMPONENT, watched=True)  # killed before the start below, it would else stay away unnoticed
    say("forgetting how far it had read")
    _forget_offsets(stack)
    say("emptying the projection")
    _truncate(stack)
    say(
        "starting the projector: it reads the topic from its beginning (projector_lag_records tells how much is left)"
    )
    client.start(COMPONENT)
    if from_database:
        say("asking change capture to read every order once more")
        read_existing_rows(stack, find_connector(CONNECTOR), [SOURCE])


def _forget_offsets(stack: Stack) -> None:
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": stack.address("kafka", "tcp")})

    def look() -> bool | None:
        try:
            admin.delete_consumer_groups([GROUP], request_timeout=5)[GROUP].result(timeout=10)
        except KafkaException as error:
            code = error.args[0].code()
            if code == KafkaError.GROUP_ID_NOT_FOUND:
                return True
            # A killed projector counts as a member until its session ends.
            raise NotReady(error.args[0].str(), where="kafka") from error
        return True

    Deadline(EMPTY_SECONDS).wait_for(f"group {GROUP} to be left by its last member", look, every=1.0)


def _truncate(stack: Stack) -> None:
    try:
        with cassandra_session.session(
            stack, "projector", stack.secret("cassandra-projector"), seconds=TRUNCATE_SECONDS
        ) as ring:
            for table in ("progress", PROJECTION):
                ring.execute(f"TRUNCATE projections.{table}")
    except (DriverException, NoHostAvailable) as error:
        raise CouldNotLook(
            f"not emptied: {type(error).__name__}",
            where="cassandra",
            next_action="all three nodes must be up (lakeproof ring); then run this again",
        ) from error
