"""A probe: one read-only question with its healthy range. It asks an endpoint, never the supervisor.

Only the probes `store-writes`, `lake-writes` (object_store.py), `labels-pending-writes` and `labels-ready-writes`
(labels.py) write: nothing else shows whether a store takes writes. Each deletes its own object again.

One module per kind of server in this folder, each with `PROBES = (...)`.
"""

from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Literal

from lakeproof import probes
from lakeproof.errors import LakeproofError
from lakeproof.lake.sources.source import Source
from lakeproof.modules import NOT_KNOWN_TO_A_DIAGNOSIS, collect
from lakeproof.probes.condition import Condition
from lakeproof.probes.reading import Reading, Value
from lakeproof.stack.stack import Stack

TIMEOUT_SECONDS = 3.0
# What reading an answer of another shape than the expected one raises.
RUBBISH = (ValueError, KeyError, IndexError, TypeError, AttributeError)


@dataclass(frozen=True)
class Probe:
    """One question.

    id: one word, unique among all probes. source: the component asked. query: what a person could type instead.
    ask(stack, timeout): the answer; None means "nothing there". Raises LakeproofError or OSError where there is none.
    healthy: what a healthy stack answers; None: the value alone says nothing.
    inventory: names what exists (topics, tables, processes), joined by spaces; a drill compares it before and after.
    always: asked by every diagnosis, even if no cause names it: out of range, it is at least reported as unknown.
    about: further components whose work it shows, so that trouble of theirs accounts for what it reads.
    liveness: it tells whether the process of `source` answers at all (probes/http.py has the words).
    steady: answers that only somebody's act brings about (a paused connector, a new column). Trouble of a component
    that the probe asks or needs does not change them, or leaves no answer. True: every answer but "nothing there".
    within: the component that the probe belongs to. A stack without it is not asked, even if the source could answer.
    """

    id: str
    source: str
    query: str
    unit: str
    ask: Callable[[Stack, float], Value]
    healthy: Condition | None = None
    inventory: bool = False
    always: bool = False
    about: tuple[str, ...] = ()
    liveness: bool = False
    within: str | None = None
    steady: Literal[True] | tuple[Value, ...] = ()

    def is_steady(self, value: Value) -> bool:
        """True where only somebody's act brings that answer about."""
        return value is not None if self.steady is True else value in self.steady

    def look(self, stack: Stack, timeout: float = TIMEOUT_SECONDS) -> Reading:
        """Ask once. A question without an answer gives a Reading with `error`, never an exception."""
        try:
            return self.reading(self.ask(stack, timeout))
        except LakeproofError as error:
            return self.reading(None, error.message)
        except OSError as error:
            return self.reading(None, f"{type(error).__name__}: {error}")
        except RUBBISH as error:
            return self.reading(None, f"answered something else: {type(error).__name__}: {error}")

    def is_of(self, components: Container[str]) -> bool:
        """True where the probe asks one of these components, or belongs to one: without them nothing answers it."""
        return self.source in components or self.within in components

    def reading(self, value: Value, error: str | None = None) -> Reading:
        """A Reading of this probe, now."""
        return Reading(self.id, value, self.unit, datetime.now(UTC), self.source, self.query, error)


def of_source(
    source: Source,
    kind: str,
    component: str,
    query: str,
    ask: Callable[..., Value],
    unit: str = "",
    healthy: Condition | None = None,
    *,
    about: tuple[str, ...] = (),
    always: bool = False,
    inventory: bool = False,
    within: str | None = None,
    steady: Literal[True] | tuple[Value, ...] = (),
) -> Probe:
    """A source's own probe of that kind, asked where the source's capture (or `within`) is part of the stack.

    ask(stack, timeout, source=…): as Probe.ask.
    """
    return Probe(
        f"{source.name}-{kind}",
        component,
        query,
        unit,
        partial(ask, source=source),
        healthy,
        inventory,
        always,
        about,
        within=within or source.capture,
        steady=steady,
    )


def _probes_in(module: ModuleType) -> tuple[Probe, ...]:
    given: tuple[Probe, ...] = getattr(module, "PROBES", ())
    return given


def all_probes(folders: tuple[Path, ...] = ()) -> dict[str, Probe]:
    """Every probe of this package and of the given scenario folders, by id."""
    return collect(probes, folders, "probes", _probes_in, NOT_KNOWN_TO_A_DIAGNOSIS)
