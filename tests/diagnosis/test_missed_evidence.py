"""A reading without an answer is told where it would have decided what accounts for a trouble, and only there."""

from tests.diagnosis.readings import NO_ANSWER, look


def test_held_labels_that_nobody_could_look_for_are_told_beside_the_lag_that_they_may_account_for() -> None:
    found = look({"fulfillment-lag": 30.0, "labels-held": NO_ANSWER})
    assert found.findings == ()
    told = {seen.reading.probe: (seen.reading.error, seen.condition, seen.expected) for seen in found.unknown}
    assert told["labels-held"] == (NO_ANSWER, "> 0", "")
    assert told.keys() == {"fulfillment-lag", "labels-held"}


def test_where_nothing_is_amiss_or_the_trouble_is_accounted_for_nobody_is_told() -> None:
    assert look({"labels-held": NO_ANSWER}).healthy
    refused = look({"fulfillment-lag": 30.0, "labels-held": NO_ANSWER, "labels-ready-writes": "EACCES"})
    assert [finding.cause.id for finding in refused.findings] == ["ready_refused"]
    assert refused.unknown == ()


def test_what_is_healthy_is_not_claimed_of_a_probe_that_has_no_healthy_range() -> None:
    (finding,) = look({"fulfillment-lag": 30.0, "labels-held": 3}).findings
    told = {seen.reading.probe: (seen.condition, seen.expected) for seen in finding.evidence_for}
    assert told["labels-held"] == ("> 0", "")
    assert told["fulfillment-lag"] == ("> 10", "< 10")
