"""Checks of the scenario connection-saturation."""

import time
from typing import Literal

from pydantic import Field

from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.tries import ask_again
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.errors import CouldNotLook
from lakeproof.lake.sources.engine import READER
from lakeproof.probes.databases import PROBES
from lakeproof.probes.http import ANSWERS
from lakeproof.stack.database_sessions import UNLIMITED, Sessions, limit_of, sessions
from lakeproof.stack.stack import Stack

LOOK_SECONDS = 5.0


class ConnectionsSpare(Check):
    """A login is answered at once, sessions are left, and an account that leaked is limited.

    `database`: the server.
    `account`: the account whose sessions may leak; None where the fault is a lock, for which nobody is limited.
    `percent`: less than this share of the server's sessions must be taken.
    `seconds`: a login must take less than this; the quickest of a few tries counts.
    """

    database: Literal["mysql", "postgres"] = "mysql"
    account: str | None = Field(None, min_length=1)
    percent: float = Field(60.0, gt=0, le=100)
    seconds: float = Field(1.0, gt=0, le=LOOK_SECONDS)

    def baseline(self, context: CheckContext) -> Baseline:
        """A login is answered and sessions are left; no account has to be limited yet."""
        return Baseline(self._judge(context, limited=False))

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """The same; and where a fault was made, the account has a limit that its sessions keep to."""
        return self._judge(context, limited=context.fault_made)

    def _judge(self, context: CheckContext, *, limited: bool) -> Verdict:
        stack = context.stack
        logins = ask_again(
            lambda: _log_in(stack, self.database),
            lambda one: one[0] == ANSWERS and one[1] >= self.seconds,
            context.deadline,
        )
        login, took = logins[-1][0], min(seconds for _, seconds in logins)
        try:
            seen = sessions(stack, self.database, LOOK_SECONDS)
            account = self.account if limited else None
            limit = None if account is None else limit_of(stack, self.database, account, LOOK_SECONDS)
        except CouldNotLook as error:
            # A login that was refused has failed, even where the sessions could not be counted.
            outcome = Outcome.UNKNOWN if login == ANSWERS else Outcome.FAILED
            return Verdict(self.summary, outcome, f"a login of {READER}: {login}; {error.message}")
        return judge(seen, self, login, took, limit)


def judge(seen: Sessions, arguments: ConnectionsSpare, login: str, took: float, limit: int | None) -> Verdict:
    """login: what the probe `DATABASE-answers` says. took: its seconds. limit: None if none is demanded."""
    held = None if arguments.account is None else seen.by_account.get(arguments.account)
    count = held.sessions if held else 0
    numbers = {"login_seconds": round(took, 3), "taken_percent": seen.percent}
    if arguments.account is not None:
        numbers["sessions_of_account"] = float(count)
    wrong = [] if login == ANSWERS else [f"a login of {READER}: {login}"]
    if login == ANSWERS and took >= arguments.seconds:
        wrong.append(f"a login took {took:.3f} s, not less than {arguments.seconds:g} s")
    if seen.percent >= arguments.percent:
        wrong.append(f"{seen.percent:g} % of {seen.most} sessions are taken, not fewer than {arguments.percent:g} %")
    if limit == UNLIMITED or (limit is not None and limit >= seen.most):
        wrong.append(f"{arguments.account} may have as many sessions as there are")
    elif limit is not None:
        numbers["limit"] = float(limit)
        if count > limit:
            wrong.append(f"{arguments.account} has {count} sessions, and may have {limit}")
    if wrong:
        return Verdict(ConnectionsSpare.summary, Outcome.FAILED, "; ".join(wrong), numbers)
    kept = "" if limit is None else f"; {arguments.account} has {count} of the {limit} that it may have"
    words = f"a login took {took:.3f} s; {seen.percent:g} % of {seen.most} sessions are taken{kept}"
    return Verdict(ConnectionsSpare.summary, Outcome.PASSED, words, numbers)


def _log_in(stack: Stack, database: str) -> tuple[str, float]:
    """The probe's answer (or error) to a login of an ordinary account, and the seconds it took."""
    probe = next(probe for probe in PROBES if probe.id == f"{database}-answers")
    began = time.monotonic()
    reading = probe.look(stack, LOOK_SECONDS)
    return str(reading.value if reading.answered else reading.error), time.monotonic() - began
