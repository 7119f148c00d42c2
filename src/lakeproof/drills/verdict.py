"""The verdict on a drill: the outcomes of its phases, and whether cause and repair agree with the truth."""

from collections.abc import Sequence
from itertools import chain, product

from lakeproof.checks.verdict import Outcome
from lakeproof.diagnosis.cause import Step
from lakeproof.drills.journal import Journal
from lakeproof.drills.report import DrillReport
from lakeproof.proof.outcome import worst
from lakeproof.scenarios.truth import Truth


def against_truth(report: DrillReport, truths: Sequence[Truth]) -> list[str]:
    """In words, where the drill's causes and repairs differ from the truths of its scenarios."""
    wrong = []
    named = set(report.named_causes)
    true = {truth.root_cause for truth in truths}
    if named and named != true:
        wrong.append(f"the diagnosis named {', '.join(sorted(named))}, the root cause was {', '.join(sorted(true))}")
    done = {done.in_words: Step(done.action, tuple(sorted(done.arguments.items()))) for done in report.mitigations}
    steps = set(done.values())
    unmended = [
        truth.root_cause
        for truth in truths
        if done and not any(steps.issuperset(repair) for repair in truth.accepted_repairs)
    ]
    wrong += [f"{', '.join(sorted(done))} is no accepted repair of {cause}" for cause in unmended]
    # One repair of each truth, and nothing beside them.
    of_each = product(*(truth.accepted_repairs for truth in truths))
    if done and not unmended and not any(steps == set(chain(*repairs)) for repairs in of_each):
        wrong.append(f"{', '.join(sorted(done))} is more than a repair of {', '.join(sorted(true))}")
    return wrong


def conclude(report: DrillReport, journal: Journal, *outcomes: Outcome) -> None:
    """Set the verdict: the worst of the outcomes, and unknown at best where the journal is not whole on disk."""
    if journal.unwritten:
        report.reasons.append(journal.unwritten)
        outcomes = (*outcomes, Outcome.UNKNOWN)
    report.verdict = worst(outcomes)
    journal.write("end", f"verdict: {report.verdict.value}", reasons=report.reasons)
