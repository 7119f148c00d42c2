"""A wrong fix: have the job read the value that it refuses as nothing, and go on. The lake then lacks that value, the
database still has it, and the next such value stops the job again.

The right repair has the job read past the value in the same way, but only once the database row is right again.
"""

from lakeproof.errors import InvalidInput
from lakeproof.lake.job.unreadable import finish_pass, pass_unreadable
from lakeproof.lake.of_database import OfDatabase
from lakeproof.mitigations.pass_unreadable_value import refused_column, typed
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep


def run(stack: Stack, arguments: OfDatabase) -> str:
    """Have the job read the refused value as NULL. Raises: InvalidInput where there is none; as `pass_unreadable`."""
    column = refused_column(stack, arguments)
    if column is None:
        raise InvalidInput("it refuses no value", where=arguments.source.job, next_action="lakeproof diagnose")
    pass_unreadable(stack, arguments.source, *column)
    return f"{arguments.source.job} has read a value of {'.'.join(column)} as NULL"


def undo(stack: Stack, arguments: OfDatabase) -> None:
    """Have the job read as declared again, where `run` was interrupted. Removing the fault corrects the row."""
    finish_pass(stack, arguments.source)


WRONG_STEP = WrongStep(
    "skip_unreadable_value",
    "have the job read a value that it refuses as NULL (hides what is wrong)",
    typed,
    run,
    OfDatabase,
    undo,
)
