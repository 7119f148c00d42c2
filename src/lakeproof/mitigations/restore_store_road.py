"""Have a TaskManager reach the object store at the stack's own address again."""

from lakeproof.arguments import Arguments
from lakeproof.errors import TerminalError
from lakeproof.lake.job.store_road import take_road
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.engines.flink import TASKMANAGER
from lakeproof.stack.engines.flink_config import other_road
from lakeproof.stack.stack import Stack


class RestoreStoreRoad(Arguments):
    """`component`: the process of Flink to restart."""

    component: str = TASKMANAGER


def typed(stack: Stack, arguments: RestoreStoreRoad) -> str:
    """The same by hand."""
    name = arguments.component
    return f"rm {other_road(stack, name)}; lakeproof stop {name}; lakeproof start {name}"


def run(stack: Stack, arguments: RestoreStoreRoad) -> str:
    """Restart the process with the stack's address; its jobs go on from their newest complete checkpoint.

    Raises: TerminalError where it has that address already: then the store itself, or the network, is slow.
    """
    if not take_road(stack, arguments.component, None):
        raise TerminalError(
            f"it reaches the store at {stack.url('minio')} already",
            where=arguments.component,
            next_action="look at the store itself: its disk, its processor time",
        )
    return f"{arguments.component} reaches the store at {stack.url('minio')} again"


MITIGATION = Mitigation(
    "restore_store_road",
    "have a TaskManager reach the object store at the stack's own address",
    typed,
    run,
    RestoreStoreRoad,
)
