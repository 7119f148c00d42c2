"""The captured tables have the columns that the job's SQL declares, of types that it can read, and no others."""

from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.lake.capture.columns import look
from lakeproof.lake.job.unreadable import reads_as_text
from lakeproof.lake.of_database import OfDatabase

CLAIM = "database and lake agree on the columns"


def baseline(context: CheckContext, arguments: OfDatabase) -> Baseline:
    """Database and lake agree before the fault."""
    return Baseline(_judge(context, arguments))


def verify(context: CheckContext, arguments: OfDatabase, before: Baseline) -> Verdict:
    """Database and lake agree again."""
    return _judge(context, arguments)


def _judge(context: CheckContext, arguments: OfDatabase) -> Verdict:
    found = look(context.stack, arguments.source)
    numbers = {"unexpected": float(len(found.unexpected)), "unreadable": float(len(found.unreadable))}
    problems = [f"{each} is not declared" for each in found.unexpected]
    problems += [
        f"{each} is {each.kind or 'gone'}, the lake's SQL wants {each.declared}" for each in found.unreadable
    ]
    if (text := reads_as_text(context.stack, arguments.source)) is not None:
        problems.append(f"the job reads {text} as text, since a repair was cut off")
    if problems:
        return Verdict(CLAIM, Outcome.FAILED, "; ".join(problems), numbers)
    return Verdict(CLAIM, Outcome.PASSED, f"all columns of {arguments.database} are as declared", numbers)


CHECK = Check("columns_agree", CLAIM, baseline, verify, OfDatabase, watched=True)
