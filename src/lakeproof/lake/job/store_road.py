"""Giving one of Flink's processes another address of the object store, which it reads at its start."""

from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines.flink_config import other_road, road_of, store_url
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file


def take_road(stack: Stack, component: str, url: str | None) -> bool:
    """Have the component reach the object store at that URL (None: the stack's own), and restart it; False where it
    reaches the store there already.

    Returns once it is healthy. Safe to repeat, after a crash half-way too. Raises: LakeproofError.
    """
    client = our_processes(stack, f"restart {component}")
    if url is None:
        other_road(stack, component).unlink(missing_ok=True)
    else:
        write_file(other_road(stack, component), url)
    if road_of(stack, component) == store_url(stack, component):
        return False
    if client.running():
        client.restart(component)
    return True
