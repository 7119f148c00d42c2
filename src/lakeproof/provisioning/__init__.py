"""What is made inside a component before it is used: topics, schemas, roles, connectors, jobs, rendered rules.

A module per component, named after it with `_` for `-`. It has the steps that the component lists as its `hooks`:
`prepare` before each start, `provision` once it is ready, `before_stop` as its goodbye. Each is safe to repeat.
"""

import importlib
from collections.abc import Callable

from lakeproof.stack.component import Hook
from lakeproof.stack.stack import Stack

type Step = Callable[[Stack], None]


def step_of(component: str, hook: Hook) -> Step:
    """The function that carries out this hook of the component; loaded when it is asked for."""
    module = importlib.import_module(f"{__name__}.{component.replace('-', '_')}")
    step: Step = getattr(module, hook.value)
    return step


def statements_of(script: str) -> list[str]:
    """The statements of a script in SQL or CQL, without comments. A semicolon at a line's end ends a statement."""
    lines = [line for line in script.splitlines() if line.strip() and not line.lstrip().startswith("--")]
    return [part.strip() for part in "\n".join([*lines, ""]).split(";\n") if part.strip()]
