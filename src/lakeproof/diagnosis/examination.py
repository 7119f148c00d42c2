"""A look at a live stack and what it comes to: every probe of its components asked, every cause judged."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lakeproof.diagnosis.causes import Cause, load_causes
from lakeproof.diagnosis.diagnosis import Diagnosis, asked_by, diagnose, part_of
from lakeproof.errors import CouldNotLook
from lakeproof.probes.looking import Observation, observe
from lakeproof.probes.probe import Probe, all_probes
from lakeproof.processes.parts import Parts, parts_of
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.stack.stack import Stack


@dataclass(frozen=True)
class Examination:
    """The diagnosis and the observations that it rests on.

    absent: components that are not part of the stack, and were not asked. in_doubt: why nobody could tell which
    components are part of it; then those were asked that `lakeproof up` starts. "" where that was known.
    """

    diagnosis: Diagnosis
    observations: Mapping[str, Observation]
    absent: frozenset[str]
    in_doubt: str = ""


def examine(stack: Stack) -> Examination:
    """With the causes and probes that the settings name.

    Raises: InvalidInput for a scenario folder that is wrong; CouldNotLook as `examined`.
    """
    more = tuple(stack.settings.scenario_dirs)
    probes = all_probes(tuple(scenario_folders(more).values()))
    return examined(load_causes(probes, more), probes, lambda asked: observe(stack, asked), lambda: parts_of(stack))


def examined(
    causes: Iterable[Cause],
    probes: Mapping[str, Probe],
    look: Callable[[Iterable[Probe]], Mapping[str, Observation]],
    parts: Callable[[], Parts],
) -> Examination:
    """With these causes and probes. Raises: CouldNotLook where nothing could be asked: that is not healthy."""
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
    observations = look(asked)
    return Examination(diagnose(part_of(known, asked), observations), observations, away, found.unknown)
