"""The verdict on a drill: what its phases came to, and whether cause and repair were the true ones."""

from lakeproof.checks.verdict import Outcome
from lakeproof.drills.report import DrillReport
from lakeproof.scenarios.truth import Truth


def worst_of(*outcomes: Outcome) -> Outcome:
    """failed before unknown before passed."""
    for outcome in (Outcome.FAILED, Outcome.UNKNOWN):
        if outcome in outcomes:
            return outcome
    return Outcome.PASSED


def against_truth(report: DrillReport, truth: Truth) -> list[str]:
    """What the drill found or did that the truth does not bear out, in words."""
    wrong = []
    if report.root_cause is not None and report.root_cause != truth.root_cause:
        wrong.append(f"the diagnosis named {report.root_cause}, the root cause was {truth.root_cause}")
    done = {step.action for step in report.mitigations}
    if done and not done & set(truth.accepted_repairs):
        wrong.append(f"{', '.join(sorted(done))} is no accepted repair")
    return wrong
