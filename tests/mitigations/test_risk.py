from tests.doubles.plugins import OURS

from lakeproof.mitigations.mitigation import all_mitigations
from lakeproof.mitigations.risk import all_risks, risk_of


def test_every_step_says_what_it_may_cost_in_both_languages() -> None:
    assert set(all_risks()) == set(all_mitigations(OURS))
    for risk in all_risks().values():
        assert risk.level in ("low", "medium", "high")
        assert risk.en and risk.vi


def test_a_step_that_nobody_judged_is_said_to_be_so() -> None:
    assert risk_of("a_strangers_step").level == "unknown"
