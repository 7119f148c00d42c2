"""What the runbook's scripts share: whatever happens, they print one JSON object, which an incident can keep.

`ok` says whether the script succeeded, `problem` in words what was wrong. The other keys are what the script did or
saw until then.
"""

import argparse
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from lakeproof.cli.output import fail, print_json
from lakeproof.errors import LakeproofError

type Told = dict[str, Any]


class Arguments(argparse.ArgumentParser):
    """The parser of a script's arguments; wrong arguments are reported as JSON as well (exit 2)."""

    def __init__(self, description: str | None) -> None:
        super().__init__(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """Print the problem as JSON on stdout, then usage and problem on stderr."""
        print_json({"ok": False, "problem": message})
        super().error(message)


def told(work: Callable[[Told], int]) -> int:
    """Run `work`, print the object that it filled, and give the exit code.

    work: puts what it does and sees into its argument as it goes, and gives the exit code; 0 is `ok`. SIGTERM ends
    `work` as Ctrl-C does (exit 130), so that it can undo on the way out what it broke.
    """
    found: Told = {}
    before = {how: signal.signal(how, _interrupt_once) for how in (signal.SIGINT, signal.SIGTERM)}
    try:
        code, problem = work(found), ""
    except KeyboardInterrupt:
        code, problem = 130, "interrupted"
    except LakeproofError as error:
        code, problem = fail(error), error.message
    except Exception as error:  # noqa: BLE001 - the top of a script
        traceback.print_exc(file=sys.stderr)
        code, problem = 1, f"{type(error).__name__}: {error}"
    finally:
        for how, handler in before.items():
            signal.signal(how, handler)
    print_json({"ok": code == 0} | found | ({"problem": problem} if problem else {}))
    return code


def _interrupt_once(*_: object) -> NoReturn:
    """End `work`, and ignore further signals: they must not cut off the undoing that the first one began."""
    for how in (signal.SIGINT, signal.SIGTERM):
        signal.signal(how, signal.SIG_IGN)
    raise KeyboardInterrupt
