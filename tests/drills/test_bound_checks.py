"""A claim that cannot be looked at is neither held nor broken."""

from typing import NoReturn

from tests.doubles import plugins

from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.drills.bound_checks import BoundCheck, take_baselines, verify
from lakeproof.errors import CouldNotLook
from lakeproof.stack.stack import Stack


def test_a_check_that_gets_no_answer_is_unknown_and_says_why(stack: Stack) -> None:
    def silent(*_: object) -> NoReturn:
        raise CouldNotLook("no answer", where="nessie")

    bound = BoundCheck(plugins.check("history", silent, silent, claim="it is whole")(), "history")
    context, said = CheckContext(stack, Deadline(5)), list[str]()
    taken = take_baselines([bound], context, said.append)
    assert taken["history"].verdict == Verdict("it is whole", Outcome.UNKNOWN, "nessie: no answer")
    before = {"history": Baseline(Verdict("it is whole", Outcome.PASSED, ""))}
    (judged,) = verify([bound], context, before, said.append)
    assert judged.verdict.outcome is Outcome.UNKNOWN
    assert said == ["history: unknown, nessie: no answer"] * 2
