"""`python -m lakeproof.provisioning COMPONENT prepare|provision|before_stop`: one hook, in a process of its own.

So a hook may import heavy clients, hang or crash without touching the supervisor, and can be killed when its time is
over. Exit 0 when it succeeded, else 1 and the reason as the last line.
"""

import logging
import sys
import traceback
from collections.abc import Callable

from lakeproof.errors import LakeproofError
from lakeproof.processes.hooks import REASON
from lakeproof.provisioning import Step, step_of
from lakeproof.stack.component import Hook
from lakeproof.stack.stack import load_stack


def run(arguments: list[str], find: Callable[[str, Hook], Step]) -> int:
    """Run the hook that the arguments name (COMPONENT HOOK), as `find` gives it. Gives the exit code."""
    name, hook = arguments
    logging.basicConfig(
        level="INFO", format=f"%(asctime)s %(levelname)s {hook} %(name)s %(message)s", stream=sys.stderr
    )
    logging.getLogger("httpx").setLevel("WARNING")  # else httpx logs a line for every look of every wait
    try:
        find(name, Hook(hook))(load_stack())
    except LakeproofError as error:
        sys.stderr.write(f"{REASON}{hook} of {name} failed: {error.message}\n")
        return 1
    except Exception as error:  # noqa: BLE001 - the top of a process: everything is reported
        traceback.print_exc()
        sys.stderr.write(f"{REASON}{hook} of {name} failed: {type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], step_of))
