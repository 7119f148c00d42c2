"""What preferences may be, by what was acknowledged. No engine."""

from pathlib import Path
from typing import Any

import pytest

from lakeproof.ledger.calls import Event
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers import kept
from lakeproof_shop.customers.contacts import FOLDER, Contact, Contacts, Kind, read_contacts
from lakeproof_shop.customers.kept import told_in_cases
from lakeproof_shop.proof.claims.contact_claims import complaints_are_kept_once, preferences_are_kept
from lakeproof_shop.proof.claims.facts import ShopFacts, Store
from lakeproof_shop.proof.claims.reading_contacts import read_told


def told(key: str, event: Event, text: str, ref: int = 0, kind: Kind = Kind.PREFERENCES) -> Contact:
    return Contact(1, "r", key, kind, event, 7, 70, text, ref)


def facts(monkeypatch: pytest.MonkeyPatch, rows: list[Any], acked: list[Contact], *unclear: Contact) -> ShopFacts:
    def rows_of(stack: Stack, service: str, statement: str, *args: object) -> list[Any]:
        return [row for row in rows if (len(row) == 3) is (service == "notification")]

    monkeypatch.setattr(kept, "rows_of", rows_of)
    contacts = Contacts({one.key: one for one in acked}, {one.key: one for one in unclear})
    return ShopFacts(**read_told(object.__new__(Stack), contacts, Store))


OUT, IN = told("out", Event.SETTLED, "order/email", 2), told("in", Event.OK, "", 2)


def test_a_repeated_opt_out_that_was_done_before_a_newer_opt_in_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was done as version 1, and its repeat was answered with version 2, the opt-in's."""
    for acked in ([OUT, IN], [IN, OUT]):
        assert preferences_are_kept(facts(monkeypatch, [(7, 2, "[]")], acked)) == []
    open_in = told("in", Event.INVOKE, "")
    assert preferences_are_kept(facts(monkeypatch, [(7, 2, "[]")], [OUT], open_in)) == []


def test_a_repeated_opt_out_does_not_hide_what_nobody_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert preferences_are_kept(facts(monkeypatch, [(7, 2, "[]")], [OUT]))
    assert preferences_are_kept(facts(monkeypatch, [(7, 2, '["support/email"]')], [OUT, IN]))
    assert preferences_are_kept(facts(monkeypatch, [(7, 2, '["order/email"]')], [OUT, IN]))


def test_what_was_acknowledged_as_an_older_version_is_not_what_a_repeated_call_may_have_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else an opt-out that was lost would pass once its call had been repeated."""
    first = told("first", Event.OK, "", 1)
    assert preferences_are_kept(facts(monkeypatch, [(7, 2, "[]")], [first, OUT]))
    assert preferences_are_kept(facts(monkeypatch, [(7, 2, '["order/email"]')], [first, OUT])) == []


def test_one_version_that_was_acknowledged_for_two_things_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [told("out", Event.OK, "order/email", 2), IN]
    assert preferences_are_kept(facts(monkeypatch, [(7, 2, "[]")], both))


def test_of_who_never_had_an_answer_nothing_is_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    never = [told("never", Event.SETTLED, "")]
    assert facts(monkeypatch, [], never, told("out", Event.INVOKE, "order/email")).preferences == ()


def test_a_settled_complaint_that_was_never_made_is_in_no_case(monkeypatch: pytest.MonkeyPatch) -> None:
    never = told("c", Event.SETTLED, "late", 0, Kind.COMPLAINT)
    assert complaints_are_kept_once(facts(monkeypatch, [], [never])) == []
    assert complaints_are_kept_once(facts(monkeypatch, [(31, "late")], [never]))
    assert complaints_are_kept_once(facts(monkeypatch, [(31, "late")], [], never)) == []


@pytest.mark.parametrize("kind", [Kind.COMPLAINT, Kind.ATTACHMENT])
def test_a_refused_complaint_or_file_that_was_kept_all_the_same_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: Kind
) -> None:
    """By its lines in the ledger: the shop said no at once."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    lines = [told("c", event, "refused", 0, kind) for event in (Event.INVOKE, Event.REFUSED)]
    (folder / "r.jsonl").write_bytes(b"".join(line.to_bytes() for line in lines))
    contacts = read_contacts(tmp_path)
    assert list(contacts.refused) == ["c"] and not contacts.open and not contacts.acknowledged
    for rows, broken in ([], []), ([(31, "refused")], ["contact c: refused or never made, found in [31]"]):
        monkeypatch.setattr(
            kept,
            "rows_of",
            lambda stack, service, statement, *args, rows=rows: (
                rows if statement is kept._KEPT_IN_CASES[kind] else []
            ),
        )
        found = ShopFacts(told=told_in_cases(object.__new__(Stack), contacts))
        assert complaints_are_kept_once(found) == broken


@pytest.mark.parametrize("again", [Event.INVOKE, Event.OK])
def test_a_refused_complaint_that_was_made_again_under_its_key_is_judged_by_that(
    tmp_path: Path, again: Event
) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir()
    for event in (Event.INVOKE, Event.REFUSED, again):
        with (folder / "r.jsonl").open("ab") as file:
            file.write(told("c", event, "text", 31, Kind.COMPLAINT).to_bytes())
    contacts = read_contacts(tmp_path)
    assert not contacts.refused and [*contacts.acknowledged, *contacts.open] == ["c"]
