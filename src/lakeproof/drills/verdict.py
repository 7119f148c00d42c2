"""The verdict on a drill: the outcomes of its phases, and whether cause and repair were the true ones."""

from collections.abc import Sequence

from lakeproof.checks.verdict import Outcome
from lakeproof.diagnosis.cause import Step
from lakeproof.drills.journal import Journal
from lakeproof.drills.report import DrillReport
from lakeproof.proof.outcome import worst
from lakeproof.scenarios.truth import Truth


def against_truth(report: DrillReport, truths: Sequence[Truth]) -> list[str]:
    """In words: what the drill named or did that differs from the truth of its scenarios."""
    wrong = []
    named = set(report.named_causes)
    true = {truth.root_cause for truth in truths}
    if named and named != true:
        wrong.append(f"the diagnosis named {', '.join(sorted(named))}, the root cause was {', '.join(sorted(true))}")
    done = {done.in_words: Step(done.action, tuple(sorted(done.arguments.items()))) for done in report.mitigations}
    whole = [
        [repair for repair in truth.accepted_repairs if set(repair) <= set(done.values())] if done else [()]
        for truth in truths
    ]
    for truth, repairs in zip(truths, whole, strict=True):
        if not repairs:
            wrong.append(f"{', '.join(sorted(done))} is no accepted repair of {truth.root_cause}")
    accepted = {step for repairs in whole for repair in repairs for step in repair}
    beside = sorted(words for words, step in done.items() if step not in accepted)
    if beside and all(whole):
        wrong.append(f"{', '.join(beside)} was done beside the repair of {', '.join(sorted(true))}")
    return wrong


def conclude(report: DrillReport, journal: Journal, *outcomes: Outcome) -> None:
    """Set the verdict: the worst of these outcomes, and unknown at best where the journal is not on disk."""
    if journal.unwritten:
        report.reasons.append(journal.unwritten)
        outcomes = (*outcomes, Outcome.UNKNOWN)
    report.verdict = worst(outcomes)
    journal.write("end", f"verdict: {report.verdict.value}", reasons=report.reasons)
