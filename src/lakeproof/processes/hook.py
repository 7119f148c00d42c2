"""`python -m lakeproof.processes.hook COMPONENT provision|before_stop`: one hook, in a process of its own.

So a hook may import heavy clients, hang or crash without touching the daemon, and can be killed when its time is
over. Exit 0 when it succeeded (or the component has no such hook), else 1 and the reason as the last line.
"""

import logging
import sys
import traceback
from collections.abc import Mapping

from lakeproof.errors import LakeproofError
from lakeproof.stack.component import Component
from lakeproof.stack.stack import load_stack

REASON = "lakeproof: "


def run(arguments: list[str], components: Mapping[str, Component]) -> int:
    """Run the hook of that component from the given table. Gives the exit code."""
    name, hook = arguments
    logging.basicConfig(
        level="INFO", format=f"%(asctime)s %(levelname)s {hook} %(name)s %(message)s", stream=sys.stderr
    )
    logging.getLogger("httpx").setLevel("WARNING")  # else a line for every look of every wait
    try:
        component = components[name]
        step = {"provision": component.provision, "before_stop": component.before_stop}[hook]
        if step is not None:
            step(load_stack())
    except LakeproofError as error:
        sys.stderr.write(f"{REASON}{hook} of {name} failed: {error.message}\n")
        return 1
    except Exception as error:  # noqa: BLE001 - the top of a process: everything is reported
        traceback.print_exc()
        sys.stderr.write(f"{REASON}{hook} of {name} failed: {type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    from lakeproof.stack.components import all_components

    sys.exit(run(sys.argv[1:], all_components()))
