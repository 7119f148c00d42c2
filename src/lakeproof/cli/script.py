"""What the runbook's scripts share: whatever happens, one JSON object on stdout that an incident's file can keep.

`ok` tells how it ended, `problem` what was wrong, in words; the rest is what was done or seen until then.
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
    """A script's arguments; wrong ones are told in JSON as well (exit 2)."""

    def __init__(self, description: str | None) -> None:
        super().__init__(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """Usage and what is wrong on stderr, the same as JSON on stdout."""
        print_json({"ok": False, "problem": message})
        super().error(message)


def told(work: Callable[[Told], int]) -> int:
    """Do it, and print what it put into its argument; gives the exit code.

    work: puts what it does and sees into the object, as it goes, and gives the exit code; 0 is `ok`. SIGTERM ends it
    as Ctrl-C does, so that what it broke is mended on the way out (exit 130).
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
    """A second signal must not cut off the mending that the first one began."""
    for how in (signal.SIGINT, signal.SIGTERM):
        signal.signal(how, signal.SIG_IGN)
    raise KeyboardInterrupt
