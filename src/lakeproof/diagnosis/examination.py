"""A look at a live stack: asks every probe of its components, and judges every cause by the answers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lakeproof.diagnosis.cause import Cause
from lakeproof.diagnosis.causes import load_causes
from lakeproof.diagnosis.diagnosis import Diagnosis, asked_by, diagnose, undecided, within_reach
from lakeproof.errors import CouldNotLook
from lakeproof.probes.looking import Again, Observation, observe
from lakeproof.probes.probe import Probe, all_probes
from lakeproof.processes.parts import Parts, parts_of
from lakeproof.stack.stack import Stack


@dataclass(frozen=True)
class Examination:
    """The diagnosis and the observations that it rests on.

    absent: components that are not part of the stack, and were not asked. in_doubt: why it could not be told which
    components are part of it; then the components that `lakeproof up` starts were asked. "" where it was known.
    """

    diagnosis: Diagnosis
    observations: Mapping[str, Observation]
    absent: frozenset[str]
    in_doubt: str = ""


type Look = Callable[[Iterable[Probe], Again], Mapping[str, Observation]]
"""How probes are asked: each one once, and those that `Again` names a second time. Gives the readings by probe id."""


def examine(stack: Stack, folders: Mapping[str, Path]) -> Examination:
    """Look at this stack now. folders: scenario → its folder, whose causes and probes count as well.

    Raises: InvalidInput for a scenario folder that is wrong; CouldNotLook as `examined`.
    """
    probes = all_probes(tuple(folders.values()))
    causes = load_causes(probes, folders)
    return examined(causes, probes, lambda asked, again: observe(stack, asked, again), lambda: parts_of(stack))


def examined(
    causes: Iterable[Cause],
    probes: Mapping[str, Probe],
    look: Look,
    parts: Callable[[], Parts],
) -> Examination:
    """Ask, through `look`, the probes that these causes need, and judge the causes.

    Raises: CouldNotLook where no probe could be asked: a stack that was not looked at is not healthy.
    """
    found = parts()
    away = found.absent
    known = tuple(causes)
    asked = asked_by(known, probes, away)
    if not asked:
        raise CouldNotLook(
            "nothing was asked, no component is part of the stack",
            where="diagnosis",
            next_action="lakeproof up; in mode external, name its servers under endpoints (docs/external.md)",
        )
    reached = within_reach(known, asked)
    observations = look(asked, lambda first: undecided(reached, asked, first))
    return Examination(diagnose(reached, observations), observations, away, found.unknown)
