"""A wrong fix: raise the limit of an alert in Prometheus' rules, above what is measured. Nobody hears of it any more.

The alert ends, as after a repair, and what it told of goes on. A silence does not end it (silence_alert.py).
"""

import re
from contextlib import suppress
from dataclasses import replace

from pydantic import Field

from lakeproof.arguments import Arguments
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
# The number with which the expression of a rule is compared; it follows the rule's name.
LIMIT = re.compile(r"(?<=> )\d+(?:\.\d+)?$", re.MULTILINE)
# In a drill's windows an alert whose condition holds fires within this time.
SPEAKS_AGAIN_SECONDS = 40.0


class RaiseThreshold(Arguments):
    """`alert`: its name; `limit`: the number with which each of its rules compares from now on."""

    alert: str = Field("KafkaConsumerLagHigh", pattern=r"^\w+$")
    limit: int = Field(1_000_000, ge=1)


def typed(stack: Stack, arguments: RaiseThreshold) -> str:
    """In an editor, and a reload."""
    lines, files = f"/alert: {arguments.alert}$/,/annotations:/", f"{rules_dir(stack)}/*.yml"
    reload = f"curl -X POST {stack.url(PROMETHEUS)}/-/reload"
    return f"sed -i '{lines} s/> [0-9.]*$/> {arguments.limit}/' {files}; {reload}"


def run(stack: Stack, arguments: RaiseThreshold) -> str:
    """Write it into the rules that Prometheus goes by, and have it read them; fine where they say so.

    Raises: InvalidInput for somebody else's Prometheus, or where no rule of that name compares with a number;
    CouldNotLook, TerminalError, with the rules as they were.
    """
    if stack.settings.mode == "external":
        raise InvalidInput("these rules belong to somebody else's Prometheus", where=arguments.alert)
    now = files_now(stack)
    raised = {name: _raised(text, arguments) for name, text in now.rules.items()}
    limits = [limit for _, found in raised.values() for limit in found]
    if not limits:
        raise InvalidInput("no rule of that name compares with a number", where=arguments.alert)
    go_by(stack, replace(now, rules={name: text for name, (text, _) in raised.items()}))
    return f"{arguments.alert} fires above {arguments.limit} from now on, not above {', '.join(sorted(set(limits)))}"


def undo(stack: Stack, arguments: RaiseThreshold) -> None:
    """Have Prometheus go by the scenarios' own rules again. What they say of a trouble that goes on is waited for:
    else the alert would fire anew a moment after a drill has seen that none does.

    Raises: CouldNotLook, TerminalError.
    """
    renew(stack, timing_now(stack))
    with suppress(DeadlineExpired):  # in windows of production that takes minutes
        Deadline(SPEAKS_AGAIN_SECONDS).wait_for("the alert to speak", lambda: _speaks(stack, arguments.alert))


def _raised(text: str, arguments: RaiseThreshold) -> tuple[str, list[str]]:
    """The rules file with the new limit, and the limits that it had; none where it has no rule of that alert."""
    rules, before = RULE.split(text), list[str]()
    for number, rule in enumerate(rules):
        name, limit = NAME.match(rule), LIMIT.search(rule)
        if name is not None and name[1] == arguments.alert and limit is not None:
            rules[number] = f"{rule[: limit.start()]}{arguments.limit}{rule[limit.end() :]}"
            before.append(limit[0])
    return "".join(rules), before


def _speaks(stack: Stack, alert: str) -> bool | None:
    """True once it fires, or its condition does not hold; None while it is pending or was not evaluated yet."""
    with suppress(CouldNotLook):
        if firing(stack, alert) or alert not in alert_states(stack):
            return True
    return None


WRONG_STEP = WrongStep(
    "raise_threshold",
    "raise the limit of an alert above what is measured (mends nothing)",
    typed,
    run,
    RaiseThreshold,
    undo,
)
