"""A stack of the benchmark's own: a fresh state folder, ports beside the given ones, gone afterwards."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack

PORTS_BESIDE = 1_530  # no port + this is another port, and all stay below those of outgoing connections


@contextmanager
def own_stack(stack: Stack) -> Iterator[Stack]:
    """A stack with `stack`'s settings and no data; what runs in it is ended, and its data deleted, at the end."""
    state_dir = Path(tempfile.mkdtemp(prefix="lakeproof-bench-"))
    state_dir.chmod(0o755)
    changed = {
        "name": f"bench-{os.getpid()}",
        "state_dir": state_dir,
        "port_shift": stack.settings.port_shift + PORTS_BESIDE,
    }
    own = Stack(stack.settings.model_copy(update=changed))
    try:
        yield own
    finally:
        SupervisorClient(own).down()
        shutil.rmtree(state_dir, ignore_errors=True)
