"""All known causes: those of the scenarios' folders, and those of every component.

The caller hands in the scenarios' folders: this room knows no fault, truth, journal, repair or incident, and
import-linter keeps it so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from lakeproof.diagnosis.cause import AnyOf, Cause, Evidence
from lakeproof.diagnosis.cause_file import CAUSES_FILE, CauseModel, CausesModel
from lakeproof.diagnosis.component_causes import NOTHING_RUNS, cause_ids, component_causes, upstream
from lakeproof.diagnosis.default_masks import masking_components
from lakeproof.diagnosis.for_each import expanded
from lakeproof.diagnosis.nouns import Subject
from lakeproof.errors import InvalidInput
from lakeproof.probes.probe import Probe
from lakeproof.stack.components import all_components
from lakeproof.yaml_file import read_yaml

# The file that an error names where the faulty cause was made for a component and stands in no causes.yaml.
GENERATED = Path(__file__).with_name("component_causes.py")


def load_causes(probes: Mapping[str, Probe], folders: Mapping[str, Path]) -> tuple[Cause, ...]:
    """The causes of all scenarios and of all components, checked against each other and against the probes.

    folders: scenario → its folder, which may hold a causes.yaml.
    Raises: InvalidInput for an unknown probe, cause or component, one id twice, two causes with the same necessary
    evidence, or a cause that holds wherever another one does and is not masked by that one.
    """
    components = {name: one for name, one in all_components().items() if not one.on_demand}
    entries = [
        (scenario, path, subject, model)
        for scenario, path, template in _entries(folders)
        for subject, model in expanded(template, str(path))
    ]
    generated = component_causes(components, probes)
    causes = (*(_cause(scenario, model, subject) for scenario, _, subject, model in entries), *generated)
    paths = [*(path for _, path, _, _ in entries), *(GENERATED for _ in generated)]
    _check(causes, paths, probes)
    masked_by = {cause.id: set(cause.masked_by) for cause in causes}
    above = upstream(components)
    for (_, path, _, model), cause in zip(entries, causes, strict=False):
        for other in (*model.masks, *model.masked_by):
            if other not in masked_by:
                raise InvalidInput(f"{model.id}: no cause {other!r}", where=str(path), next_action="correct the id")
        by_default = masking_components(cause.necessary, probes, above) & components.keys()
        for name in by_default if model.masked_by_components is None else model.masked_by_components:
            if name not in components:
                known = ", ".join(components)
                raise InvalidInput(
                    f"{model.id}: no component {name!r}", where=str(path), next_action=f"one of {known}"
                )
            masked_by[model.id].update(set(cause_ids(name)) - set(model.masks))
        for other in model.masks:
            masked_by[other].add(model.id)
    for name, others in masked_by.items():
        others.update({NOTHING_RUNS} - {name})
    causes = tuple(replace(cause, masked_by=tuple(sorted(masked_by[cause.id]))) for cause in causes)
    _check_contained(causes, dict(zip((cause.id for cause in causes), paths, strict=True)))
    return causes


def _entries(folders: Mapping[str, Path]) -> Iterable[tuple[str, Path, CauseModel]]:
    """Every entry as it stands in its file."""
    for scenario, folder in folders.items():
        path = folder / CAUSES_FILE
        if path.is_file():
            for model in read_yaml(path, CausesModel).causes:
                yield scenario, path, model


def _cause(scenario: str, model: CauseModel, subject: Subject) -> Cause:
    return Cause(
        id=model.id,
        scenario=scenario,
        says={"vi": model.says.vi, "en": model.says.en},
        necessary=tuple(item.evidence() for item in model.necessary),
        supporting=tuple(item.evidence() for item in model.supporting),
        contradicting=tuple(item.evidence() for item in model.contradicting),
        masked_by=tuple(model.masked_by),
        explains=tuple(model.explains),
        repairs=tuple(item.step() for item in model.repairs),
        subject=subject,
    )


def _check(causes: tuple[Cause, ...], paths: list[Path], probes: Mapping[str, Probe]) -> None:
    homes: dict[str, Path] = {}
    needs: dict[frozenset[Evidence | AnyOf], str] = {}
    for cause, path in zip(causes, paths, strict=True):
        if cause.id in homes:
            raise InvalidInput(
                f"cause {cause.id!r} is also in {homes[cause.id]}", where=str(path), next_action="give one another id"
            )
        homes[cause.id] = path
        for name in sorted(cause.asked):
            if name not in probes:
                raise InvalidInput(
                    f"{cause.id}: no probe {name!r}", where=str(path), next_action=f"one of {', '.join(probes)}"
                )
        necessary = frozenset(cause.necessary)
        if necessary in needs:
            raise InvalidInput(
                f"{cause.id} and {needs[necessary]} have the same necessary evidence: nothing tells them apart",
                where=str(path),
                next_action="add evidence that only one of them has",
            )
        needs[necessary] = cause.id


def _check_contained(causes: tuple[Cause, ...], paths: Mapping[str, Path]) -> None:
    """Refuse a cause that holds wherever another one does: both would be named each time, or one always be hidden.

    Raises: InvalidInput unless the other cause masks this one, or implies evidence that contradicts this one.
    """
    needing: dict[str, list[Cause]] = {}
    for cause in causes:
        for probe in {item.probe for item in cause.alternatives}:
            needing.setdefault(probe, []).append(cause)
    for cause in causes:
        first = {item.probe for item in cause.necessary[0].alternatives}
        for other in {other.id: other for probe in sorted(first) for other in needing[probe]}.values():
            if (
                other is cause
                or other.id in cause.masked_by
                or not all(_implied(item, other) for item in cause.necessary)
                or any(_implied(item, other) for item in cause.contradicting)
            ):
                continue
            raise InvalidInput(
                f"{cause.id} holds wherever {other.id} does: its necessary evidence is contained in the other's",
                where=str(paths[cause.id]),
                next_action=f"let {other.id} mask it, or add evidence that only one of them has",
            )


def _implied(item: Evidence | AnyOf, cause: Cause) -> bool:
    """True where this evidence holds whenever the cause does."""
    return any(all(_implies(one, item) for one in own.alternatives) for own in cause.necessary)


def _implies(one: Evidence, item: Evidence | AnyOf) -> bool:
    return any(one.probe == other.probe and one.condition.implies(other.condition) for other in item.alternatives)
