"""The command `lakeproof`: its entry point, and the calls that need no parser (all others: commands.py)."""

import logging
import os
import sys
from collections.abc import Sequence

from lakeproof.cli.output import fail
from lakeproof.errors import InvalidInput, LakeproofError, TerminalError

PS_FLAGS = frozenset({"--json", "--slow"})


def run_quickly(arguments: Sequence[str]) -> bool:
    """Run `ps`, which is called again and again, without Typer: loading Typer takes four times as long.

    False for another command, or where `ps` has other words than its flags: Typer must then answer.
    """
    command, *flags = arguments or ("",)
    if command != "ps" or not PS_FLAGS.issuperset(flags):
        return False
    from lakeproof.cli.process_table import show

    show(as_json="--json" in flags, slow="--slow" in flags)
    return True


def main() -> None:
    """Entry point. A LakeproofError or an OSError becomes one line on stderr and an exit code."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        # Python sets a stream to None where the caller closed it (`<&-`). The next opened file would get its number.
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115
    level = os.environ.get("LOG_LEVEL", "WARNING").upper()
    form = "%(asctime)s %(levelname)s %(name)s %(message)s"
    known = logging.getLevelNamesMapping()
    # No Pydantic plugin is used here. To look for one, Pydantic would read the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        if level not in known:
            raise InvalidInput(f"no level {level!r}", where="LOG_LEVEL", next_action=f"one of {', '.join(known)}")
        logging.basicConfig(level=level, format=form, stream=sys.stderr)
        if known[level] >= logging.WARNING:
            # Cassandra's driver logs a traceback for each refused connection, beside the command's own message.
            logging.getLogger("cassandra").setLevel(logging.CRITICAL)
        if not run_quickly(sys.argv[1:]):
            from lakeproof.cli.commands import build

            build()(prog_name="lakeproof")
    except LakeproofError as error:
        sys.exit(fail(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        where = str(error.filename or "this machine")
        what = error.strerror or str(error)
        sys.exit(fail(TerminalError(what, where=where, next_action="free or mend that place, then try again")))


if __name__ == "__main__":
    main()
