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
