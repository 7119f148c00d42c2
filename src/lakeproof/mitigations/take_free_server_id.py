"""Give the connector of MariaDB a server id that no other replica has. It goes on from its offsets.

The other replica is left alone: it may be somebody's, and only its owner knows. The connector's file keeps the old
id, so the file must be changed as well unless the other replica goes.
"""

from lakeproof.arguments import OfConnector
from lakeproof.errors import TerminalError
from lakeproof.lake.capture.commands import await_running, send
from lakeproof.lake.capture.registration import live_config
from lakeproof.lake.sources import mariadb
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack

KEY = "database.server.id"


def typed(stack: Stack, arguments: OfConnector) -> str:
    """The two calls."""
    path = f"{stack.url('connect')}/connectors/{arguments.connector}/config"
    return f'SHOW SLAVE HOSTS; curl -X PUT --json \'{{… "{KEY}": "an id that is not there"}}\' {path}'


def run(stack: Stack, arguments: OfConnector) -> str:
    """Change the id, and return once connector and task stay RUNNING.

    Raises: TerminalError for a connector that has no such id, NotReady without an answer of the database.
    """
    config = live_config(stack, arguments.connector)
    if config is None or KEY not in config:
        raise TerminalError(
            "it is not there, or follows no binlog", where=arguments.connector, next_action="lakeproof diagnose"
        )
    taken = mariadb.replica_ids(stack)
    free = free_id(int(config[KEY]), taken)
    send(stack, "PUT", f"/connectors/{arguments.connector}/config", body={**config, KEY: str(free)})
    runs = await_running(stack, arguments.connector, seconds=40)
    return f"{runs}, with server id {free} instead of {config[KEY]}; write it into the connector's file"


def free_id(own: int, taken: set[int]) -> int:
    """The next id after its own that is not taken."""
    free = own + 1
    while free in taken:
        free += 1
    return free


MITIGATION = Mitigation(
    "take_free_server_id",
    "give the connector a server id that no other replica has",
    typed,
    run,
    OfConnector,
)
