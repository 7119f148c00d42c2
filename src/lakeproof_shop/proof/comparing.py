"""Compares the digests of every engine with the ledger's and each other's, and judges the buckets that differ."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lakeproof.proof.findings import Finding
from lakeproof.proof.report import AGREE, ClaimReport, TableReport
from lakeproof.proof.tables.accounting import Account, unlike_digests
from lakeproof.proof.tables.buckets import Digests, LedgerDigests, differing, rows_in
from lakeproof.proof.tables.canonical import TABLES
from lakeproof.proof.tables.ranges import in_words
from lakeproof.proof.tables.readers import DATABASE, Rows
from lakeproof_shop.customers.ledger import Expectations
from lakeproof_shop.proof.contents import contents_of
from lakeproof_shop.proof.differences import differences
from lakeproof_shop.proof.ledger_rules import Judge
from lakeproof_shop.proof.order_claims import CLAIMS, BrokenOrder

# The rows of some buckets in some engine, by table; None where they could not be read.
type Open = Callable[[str, set[int]], Mapping[str, Rows] | None]


@dataclass(frozen=True)
class Shown:
    """What one engine showed at one instant. cut_us: whatever was acknowledged before that time must be there.

    broken: orders that break a claim across tables; None where the engine was not asked for them.
    """

    cut_us: int
    digests: Digests
    broken: tuple[BrokenOrder, ...] | None = None


def compare(
    expectations: Expectations,
    shown: Mapping[str, Shown],
    width: int,
    open_buckets: Open,
    *,
    whole: bool = True,
) -> tuple[list[TableReport], list[ClaimReport], list[str]]:
    """Every table in every engine, the claims across tables and engines, and what differs without an explanation.

    Where two engines of the lake give the same digests at the same hash, their rows are the same, and are judged only
    once. `open_buckets` is called at most once per engine. whole: as in `Judge`.
    """
    lake = [engine for engine in shown if engine != DATABASE]
    to_open = _to_open(expectations, shown, width)
    disagreeing = _disagreeing(shown, lake)
    judged: dict[str, list[Finding]] = {}
    opened: dict[str, Mapping[str, Rows]] = {}
    unknown: list[str] = []
    not_ours: dict[str, Mapping[str, int]] = {}
    for engine in ([DATABASE] if DATABASE in shown else []) + lake:
        if engine in lake[1:] and not disagreeing:
            judged[engine], not_ours[engine] = judged[lake[0]], not_ours[lake[0]]
            continue
        rows = open_buckets(engine, to_open) if to_open else dict.fromkeys((table.name for table in TABLES), ())
        if rows is None:
            judged[engine], not_ours[engine] = [], {}
            continue
        opened[engine] = rows
        found = contents_of(rows)
        judge = Judge(expectations, shown[engine].cut_us, whole=whole)
        wrong = judge.findings(found, to_open, width)
        not_ours[engine] = judge.not_ours
        if engine != DATABASE and DATABASE in opened:
            told = {(finding.table, finding.key) for finding in wrong}
            extra = differences(contents_of(opened[DATABASE]), found, judge)
            wrong += [finding for finding in extra if (finding.table, finding.key) not in told]
        account = Account(expectations, shown[engine].cut_us, [*wrong, *judged.get(DATABASE, ())], whole=whole)
        unknown += unlike_digests(engine, shown[engine].digests, rows, to_open, width)
        unknown += account.unexplained(engine, found, to_open, width)
        if engine != DATABASE and DATABASE in opened:
            unknown += account.unlike_database(engine, opened[DATABASE], rows, to_open, width)
        judged[engine] = wrong
    tables = [
        TableReport(
            table.name,
            engine,
            rows_in(shown[engine].digests, table.name),
            tuple(finding for finding in judged[engine] if finding.table == table.name),
            not_ours[engine].get(table.name, 0),
        )
        for table in TABLES
        for engine in judged
    ]
    return tables, [*_claims(expectations, shown), *_agreement(lake, disagreeing, width)], unknown


def _to_open(expectations: Expectations, shown: Mapping[str, Shown], width: int) -> set[int]:
    """Buckets in which an engine differs from the ledger, or the lake from the database."""
    ledger = LedgerDigests(expectations, width)
    opened: set[int] = set()
    for one in shown.values():
        opened |= ledger.to_open(one.digests)
    if DATABASE in shown:
        for engine, one in shown.items():
            if engine != DATABASE:
                for table in TABLES:
                    opened |= differing(shown[DATABASE].digests[table.name], one.digests[table.name])
    return opened


def _disagreeing(shown: Mapping[str, Shown], lake: list[str]) -> set[tuple[str, int]]:
    return {
        (table.name, bucket)
        for engine in lake[1:]
        for table in TABLES
        for bucket in differing(shown[lake[0]].digests[table.name], shown[engine].digests[table.name])
    }


def _agreement(lake: list[str], disagreeing: set[tuple[str, int]], width: int) -> list[ClaimReport]:
    if len(lake) < 2:
        return []
    keys = tuple(f"{table}, {in_words(bucket, width)}" for table, bucket in sorted(disagreeing))
    return [ClaimReport(f"{AGREE} ({', '.join(lake)})", keys)]


def _claims(expectations: Expectations, shown: Mapping[str, Shown]) -> list[ClaimReport]:
    name_of = Judge(expectations, 0).name_of
    claims = []
    for engine, one in shown.items():
        if one.broken is None:
            continue
        for claim in CLAIMS:
            broken = [each for each in one.broken if each.claim == claim]
            keys = tuple(
                f"{'order id NULL' if each.key is None else name_of(each.key)}: {each.detail}" for each in broken
            )
            claims.append(ClaimReport(f"{claim} ({engine})", keys))
    return claims
