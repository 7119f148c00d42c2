"""What killed customers left open is settled by what the services keep, never towards a third state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.ledger.calls import Event, now_us
from lakeproof.ledger.writer import Ledger
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.contacts import FOLDER, Contact, Contacts, Kind, read_contacts
from lakeproof_shop.customers.kept import KeptInStack, PreferenceFact, ToldFact, acknowledged
from lakeproof_shop.customers.shoppers.leftover_contacts import settle_contacts

UNWANTED = "order/email"


def line(key: str, kind: Kind, event: Event, text: str = "", ref: int = 0) -> Contact:
    return Contact(now_us() - 60_000_000, "dead", key, kind, event, 42, 7, text, ref)


def preferences_in(told: Mapping[str, Contact]) -> list[Contact]:
    return [one for one in told.values() if one.kind is Kind.PREFERENCES]


@dataclass
class Kept:
    """Services that keep these: key → cases, and the customer's preferences."""

    in_cases: dict[str, tuple[int, ...]]
    version: int = 0
    text: str = ""
    away: bool = False

    async def cases(self, contacts: Contacts) -> Sequence[ToldFact]:
        if self.away:
            raise CouldNotLook("no answer")
        told = (*contacts.acknowledged.values(), *contacts.open.values())
        return [ToldFact(one.key, None, self.in_cases.get(one.key, ())) for one in told]

    async def preferences(self, contacts: Contacts) -> Sequence[PreferenceFact]:
        acked, unclear = preferences_in(contacts.acknowledged), preferences_in(contacts.open)
        texts = tuple(one.text for one in unclear)
        return [PreferenceFact(42, *acknowledged(acked, unclear), self.version, self.text, texts)]


def dead_run(folder: Path, *lines: Contact, torn: bytes = b'{"at_us": 17, "run": "de') -> Path:
    (folder / FOLDER).mkdir()
    path = folder / FOLDER / "dead.jsonl"
    path.write_bytes(b"".join(each.to_bytes() for each in lines) + torn)
    return path


COMPLAINT = line("c", Kind.COMPLAINT, Event.INVOKE, "late")
FILE = line("f", Kind.ATTACHMENT, Event.INVOKE, "sha", 31)
OPT_OUT = line("o", Kind.PREFERENCES, Event.INVOKE, UNWANTED)
OPTED_OUT = line("before", Kind.PREFERENCES, Event.OK, UNWANTED, 1)
OPT_IN = line("in", Kind.PREFERENCES, Event.INVOKE)


@pytest.mark.parametrize(
    ("asked", "kept", "ref"),
    [
        (COMPLAINT, Kept({"c": (31,)}), 31),
        (COMPLAINT, Kept({}), 0),
        (FILE, Kept({"f": (31,)}), 31),
        (FILE, Kept({}), 0),
        (OPT_OUT, Kept({}, 1, UNWANTED), 1),
        (OPT_OUT, Kept({}), 0),
    ],
)
async def test_each_is_settled_by_what_is_kept(tmp_path: Path, asked: Contact, kept: Kept, ref: int) -> None:
    path = dead_run(tmp_path, asked)
    assert read_contacts(tmp_path).unclear == 1
    assert await settle_contacts(tmp_path, kept, 7.0) == 1
    after = read_contacts(tmp_path)
    assert (after.unclear, dict(after.open), after.acknowledged[asked.key].ref) == (0, {}, ref)
    written = path.read_bytes()
    assert await settle_contacts(tmp_path, kept, 7.0) == 0
    assert path.read_bytes() == written


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        ((COMPLAINT,), Kept({"c": (31, 32)})),
        ((FILE,), Kept({"f": (32,)})),
        ((FILE,), Kept({"f": (31, 31)})),
        ((OPTED_OUT, OPT_IN), Kept({})),
        ((OPTED_OUT, OPT_IN), Kept({}, 2, "*/*")),
        ((OPTED_OUT, OPT_IN), Kept({}, 1, "")),
        ((COMPLAINT,), Kept({}, away=True)),
    ],
)
async def test_a_third_state_or_no_look_settles_nothing(
    tmp_path: Path, lines: tuple[Contact, ...], kept: Kept
) -> None:
    dead_run(tmp_path, *lines)
    before = read_contacts(tmp_path)
    assert await settle_contacts(tmp_path, kept, 7.0) == 0
    assert read_contacts(tmp_path) == before
    assert before.unclear == 1


@pytest.mark.parametrize(("version", "text"), [(1, UNWANTED), (2, "")])
async def test_an_opt_in_is_settled_by_the_state_before_or_after_it(tmp_path: Path, version: int, text: str) -> None:
    dead_run(tmp_path, OPTED_OUT, OPT_IN)
    assert await settle_contacts(tmp_path, Kept({}, version, text), 7.0) == 1
    settled = read_contacts(tmp_path).acknowledged["in"]
    assert (settled.ref, settled.text, settled.event) == (version, text, Event.SETTLED)


async def test_a_run_whose_customers_live_is_left_alone(tmp_path: Path) -> None:
    async with Ledger(tmp_path / FOLDER, "alive") as ledger:
        await ledger.append(COMPLAINT)
        assert await settle_contacts(tmp_path, Kept({}), 7.0) == 0
    assert await settle_contacts(tmp_path, Kept({}), 7.0) == 1


def test_a_call_of_a_moment_ago_is_under_way_and_one_that_was_given_up_is_unclear(tmp_path: Path) -> None:
    path = dead_run(tmp_path, Contact(now_us(), "dead", "c", Kind.COMPLAINT, Event.INVOKE, 42, 7, "late"), torn=b"")
    assert (read_contacts(tmp_path).unclear, list(read_contacts(tmp_path).open)) == (0, ["c"])
    path.write_bytes(path.read_bytes() + line("c", Kind.COMPLAINT, Event.UNCLEAR, "late").to_bytes())
    assert read_contacts(tmp_path).unclear == 1


async def test_in_a_stack_whose_database_nobody_named_they_stay_open(tmp_path: Path) -> None:
    dead_run(tmp_path, COMPLAINT, OPT_OUT)
    somebody_elses = Stack(Settings(mode="external", state_dir=tmp_path))
    assert await settle_contacts(tmp_path, KeptInStack(somebody_elses), 7.0) == 0
    assert read_contacts(tmp_path).unclear == 2
