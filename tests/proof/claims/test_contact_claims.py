"""Timelines, complaints, files and preferences that are not as told: each breaks the claim that is for it."""

from dataclasses import replace

import pytest
from tests.proof.claims.shop_in_order import ENTRY, FILE, IN_ORDER, OLD, TIMELINE, claims_broken_by

from lakeproof_shop.customers.kept import PreferenceFact, ToldFact
from lakeproof_shop.proof.claims.catalog import CLAIMS
from lakeproof_shop.proof.claims.facts import ShopFacts


def with_preference(one: PreferenceFact) -> ShopFacts:
    return replace(IN_ORDER, preferences=(one,))


def with_file(**changes: object) -> ShopFacts:
    return replace(IN_ORDER, attachments=(replace(FILE, **changes),))  # type: ignore[arg-type]


FAULTS: list[tuple[str, ShopFacts, str]] = [
    ("a timeline that lacks", replace(IN_ORDER, timelines=(replace(TIMELINE, shown=(OLD,)),)), "timelines"),
    ("a timeline that is old", replace(IN_ORDER, timelines=(replace(TIMELINE, held=(OLD,)),)), "timelines"),
    ("an entry twice", replace(IN_ORDER, timelines=(replace(TIMELINE, shown=(OLD, ENTRY, ENTRY)),)), "timelines"),
    ("a complaint lost", replace(IN_ORDER, told=(ToldFact("k", 31, ()),)), "complained"),
    ("a complaint twice", replace(IN_ORDER, told=(ToldFact("k", 31, (31, 32)),)), "complained"),
    ("a complaint in another case", replace(IN_ORDER, told=(ToldFact("k", 31, (32,)),)), "complained"),
    ("a file with another byte", with_file(found_sha256="dee"), "what was uploaded"),
    ("a file cut off", with_file(found_size=3), "what was uploaded"),
    ("a file that is gone", with_file(found_size=-1, found_sha256=""), "what was uploaded"),
    ("a row that was changed", with_file(sha256="abc"), "what was uploaded"),
    ("unclear, and twice", replace(IN_ORDER, told=(ToldFact("k", None, (31, 31)),)), "complained"),
    ("never made, and there", replace(IN_ORDER, told=(ToldFact("k", 0, (31,)),)), "complained"),
    ("one version acknowledged for two", with_preference(PreferenceFact(7, 2, (), 2, "order/email")), "opted out"),
    ("an opt-out lost", with_preference(PreferenceFact(7, 2, ("order/email",), 1, "")), "opted out"),
    ("an opt-out changed", with_preference(PreferenceFact(7, 2, ("order/email",), 2, "")), "opted out"),
    ("an opt-out undone by nobody", with_preference(PreferenceFact(7, 2, ("order/email",), 3, "")), "opted out"),
]


@pytest.mark.parametrize(("facts", "claim"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])
def test_a_fault_of_contacts_breaks_the_claim_that_is_for_it(facts: ShopFacts, claim: str) -> None:
    broken = claims_broken_by(facts)
    assert any(claim in name for name in broken), broken


def test_of_how_many_files_some_were_read_is_told() -> None:
    claim = CLAIMS["shop: each attachment is what was uploaded"]
    assert (claim.report("", [], IN_ORDER).judged, claim.aside(IN_ORDER)) == (2, "")
    assert claim.aside(replace(IN_ORDER, all_attachments=900, seed=7)) == "of 900; the newest, and others by seed 7"
