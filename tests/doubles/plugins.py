"""Plugins whose methods are a test's own functions: each is called with the stack (or the check's context) and with
the plugin itself, whose fields are its arguments.
"""

import types
from collections.abc import Callable, Sequence
from typing import Any

from lakeproof.arguments import Arguments
from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Verdict
from lakeproof.faults.fault import Fault, Sign
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.plugin import Plugin
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep

# The folders of the package's own scenarios.
OURS = tuple(scenario_folders().values())


def made[T: Plugin](
    kind: type[T], name: str, summary: str, body: dict[str, Any], arguments: type[Arguments]
) -> type[T]:
    """A class of that kind under this id, with the fields of `arguments`."""
    bases = (kind,) if issubclass(kind, arguments) else (kind, arguments)
    namespace = {"__doc__": f"{summary}.", "__module__": __name__, **body}
    found: type[T] = types.new_class(
        "".join(map(str.capitalize, name.split("_"))), bases, {}, lambda ns: ns.update(namespace)
    )
    return found


def fault(
    name: str,
    inject: Callable[[Stack, Any], None],
    remove: Callable[[Stack, Any], None],
    sign: Callable[[Stack, Any], Sign],
    arguments: type[Arguments] = Arguments,
    kind: type[Fault] = Fault,
) -> type[Fault]:
    """A fault, or (kind) that one with other methods."""
    body = {
        "inject": lambda self, stack: inject(stack, self),
        "remove": lambda self, stack: remove(stack, self),
        "sign": lambda self, stack: sign(stack, self),
    }
    return made(kind, name, "break it", body, arguments)


def mitigation(
    name: str,
    run: Callable[[Stack, Any], str],
    arguments: type[Arguments] = Arguments,
    kind: type[Mitigation] = Mitigation,
    typed: str = "by hand",
) -> type[Mitigation]:
    """A step of repair that says it is typed so; or (kind) that one with another `run`."""
    body: dict[str, Any] = {"run": lambda self, stack: run(stack, self)}
    if kind is Mitigation:
        body["typed"] = lambda self, stack: typed
    return made(kind, name, "mend it", body, arguments)


def wrong_step(
    name: str,
    run: Callable[[Stack, Any], str],
    undo: Callable[[Stack, Any], None] | None = None,
    stops: Callable[[Stack], Sequence[str]] = lambda stack: (),
) -> type[WrongStep]:
    """A step that mends nothing."""
    body: dict[str, Any] = {
        "typed": lambda self, stack: "by hand",
        "run": lambda self, stack: run(stack, self),
        "stops": lambda self, stack: stops(stack),
    }
    if undo is not None:
        body["undo"] = lambda self, stack: undo(stack, self)
    return made(WrongStep, name, "do it", body, Arguments)


def check(
    name: str,
    baseline: Callable[[CheckContext], Baseline],
    verify: Callable[[CheckContext, Baseline], Verdict],
    *,
    claim: str = "all is well",
    watched: bool = False,
    judges_rows: bool = False,
    acts: bool = False,
) -> type[Check]:
    """A check that judges by these functions."""
    body = {
        "baseline": lambda self, context: baseline(context),
        "verify": lambda self, context, before: verify(context, before),
        "watched": watched,
        "judges_rows": judges_rows,
        "acts": acts,
    }
    return made(Check, name, claim, body, Arguments)
