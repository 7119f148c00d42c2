"""Steps that look like a repair of kafka-backlog, and are none."""

import re
from contextlib import suppress
from dataclasses import replace

from pydantic import Field

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired, InvalidInput
from lakeproof.observability.drill_windows import timing_now
from lakeproof.observability.prometheus import files_now, rules_dir
from lakeproof.observability.reload import PROMETHEUS, go_by, renew
from lakeproof.probes.prometheus import alert_states, firing
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep

RULE = re.compile(r"^(?= *- (?:alert|record): )", re.MULTILINE)

NAME = re.compile(r" *- alert: (\w+)$", re.MULTILINE)

# The number that the rule's expression is compared with, at the end of a line below the rule's name.
LIMIT = re.compile(r"(?<=> )\d+(?:\.\d+)?$", re.MULTILINE)

# With the windows of a drill, an alert whose condition holds fires within this time.
SPEAKS_AGAIN_SECONDS = 40.0


class RaiseThreshold(WrongStep):
    """Raise the limit of an alert above what is measured (mends nothing).

    A wrong fix: raise the limit of an alert in Prometheus' rules, above what is measured. Nobody hears of it any
    more.

    The alert ends, as after a repair, while its cause goes on. (A silence does not end the alert: silence_alert.py.)

    `alert`: the alert's name. `limit`: the number that each of its rules compares with from now on.
    """

    alert: str = Field("KafkaConsumerLagHigh", pattern=r"^\w+$")
    limit: int = Field(1_000_000, ge=1)

    def typed(self, stack: Stack) -> str:
        """An edit of the rules files, and a reload."""
        lines, files = f"/alert: {self.alert}$/,/annotations:/", f"{rules_dir(stack)}/*.yml"
        reload = f"curl -X POST {stack.url(PROMETHEUS)}/-/reload"
        return f"sed -i '{lines} s/> [0-9.]*$/> {self.limit}/' {files}; {reload}"

    def run(self, stack: Stack) -> str:
        """Write the limit into the rules files in force, and have Prometheus reload them; fine where it is there
        already.

        Raises: InvalidInput for somebody else's Prometheus, or where no rule of that name compares with a number;
        CouldNotLook, TerminalError: then the rules are as they were.
        """
        if stack.settings.mode == "external":
            raise InvalidInput("these rules belong to somebody else's Prometheus", where=self.alert)
        now = files_now(stack)
        raised = {name: self._raised(text) for name, text in now.rules.items()}
        limits = [limit for _, found in raised.values() for limit in found]
        if not limits:
            raise InvalidInput("no rule of that name compares with a number", where=self.alert)
        go_by(stack, replace(now, rules={name: text for name, (text, _) in raised.items()}))
        return f"{self.alert} fires above {self.limit} from now on, not above {', '.join(sorted(set(limits)))}"

    def undo(self, stack: Stack) -> None:
        """Have Prometheus use the scenarios' own rules again, and wait until the alert fires or its condition does
        not hold. Otherwise the alert could fire again just after a drill has seen that none fires.

        Raises: CouldNotLook, TerminalError.
        """
        renew(stack, timing_now(stack))
        with suppress(DeadlineExpired):  # with production windows an alert takes minutes to fire
            Deadline(SPEAKS_AGAIN_SECONDS).wait_for("the alert to speak", lambda: _speaks(stack, self.alert))

    def _raised(self, text: str) -> tuple[str, list[str]]:
        """The text of a rules file with the new limit, and the old limits; none where it has no rule of that
        alert.
        """
        rules, before = RULE.split(text), list[str]()
        for number, rule in enumerate(rules):
            name, limit = NAME.match(rule), LIMIT.search(rule)
            if name is not None and name[1] == self.alert and limit is not None:
                rules[number] = f"{rule[: limit.start()]}{self.limit}{rule[limit.end() :]}"
                before.append(limit[0])
        return "".join(rules), before


def _speaks(stack: Stack, alert: str) -> bool | None:
    """True once the alert fires or its condition does not hold; None while it is pending or not evaluated yet."""
    with suppress(CouldNotLook):
        if firing(stack, alert) or alert not in alert_states(stack):
            return True
    return None
