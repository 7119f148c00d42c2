import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.console.conftest import PATIENT
from tests.incidents.kept_jobs import keep_job
from tests.published_commit import published_commit

from lakeproof.console.lake_look import Branch, DataCheck, LakeLook, look_at_lake, newest_check
from lakeproof.console.lake_pages import add_lake_pages
from lakeproof.lake.publish.commit import DatabaseState, PublishedCommit
from lakeproof.pages.page import Pages
from lakeproof.proof.findings import Finding, Wrong
from lakeproof.proof.report import CheckReport, TableReport
from lakeproof.stack.stack import Stack

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def counted_from_the_test_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash's time would be over where the suite takes longer than that until it comes to this file."""
    monkeypatch.setattr(sys.modules[__name__], "NOW", datetime.now(UTC))


Show = Callable[[LakeLook], str]


def commit(
    hash_: str, age: timedelta = timedelta(seconds=3), readable: timedelta = timedelta(minutes=10)
) -> PublishedCommit:
    at = NOW - age
    shop = DatabaseState(5, "shop-1", int(at.timestamp() * 1e6), {"payments": 77}, at)
    return published_commit(
        hash_ * 8, at, 12, "0-1-99", int(at.timestamp() * 1e6), {"orders": 41}, NOW + readable, {"shop": shop}
    )


@pytest.fixture
def show(stack: Stack) -> Show:
    def shown(look: LakeLook) -> str:
        app = FastAPI()
        add_lake_pages(app, Pages("lakeproof.console"), stack, lambda: look, first_wait=PATIENT)
        return str(TestClient(app).get("/lake").text)

    return shown


def test_the_newest_state_is_shown_with_its_tables_and_ages(show: Show) -> None:
    page = show(LakeLook(NOW, (commit("ab12cd34"),)))
    assert "oltp.orders" in page and "41" in page and "shop.payments" in page and "77" in page
    assert "ab12cd34ab12cd34" in page and "0-1-99" in page


def test_a_row_of_the_history_tells_of_the_database_whose_tables_it_moved(show: Show) -> None:
    of_shop = replace(commit("ab12cd34"), moved="shop")
    page = show(LakeLook(NOW, (of_shop, commit("cd34ab12"))))
    rows = re.findall(r'<tr><td><code>(.{8}).*?<td>(oltp|shop)</td>.*?>(\d+)</td><td class="mono">(.*?)</td>', page)
    assert rows == [("ab12cd34", "shop", "5", "shop-1"), ("cd34ab12", "oltp", "12", "0-1-99")]


def test_each_hash_says_until_when_it_can_be_read(show: Show) -> None:
    old = commit("ffff0000", timedelta(hours=1), timedelta(minutes=-45))
    page = show(LakeLook(NOW, (commit("ab12cd34"), old)))
    assert re.search(r"\(for \d+(\.\d)? min\)", re.sub(r"</?span[^>]*>", "", page))
    assert f"expired {old.readable_until:%H:%M:%S}" in page


def test_branches_audits_and_a_freeze_are_told(show: Show) -> None:
    state = DatabaseState(11, None, None, {}, NOW)
    look = LakeLook(
        NOW,
        (commit("ab12cd34"),),
        (Branch("backup", "e" * 64, {"oltp": state}),),
        NOW - timedelta(seconds=40),
        {"passed": 7, "failed": 1},
        ("shop",),
        DataCheck("replication-lag", "passed", NOW, {"acknowledged": 5046, "lost": 0, "oversold": None}),
    )
    page = show(look)
    for text in ("backup", "oltp 11", "keeps new states", "<b>shop</b>", "5046", "not judged"):
        assert text in page, text
    assert re.search(r"<dd>\d+(\.\d)? (s|min) ago", page)


@pytest.mark.parametrize(
    ("drill", "links"),
    [
        ("replication-lag", ["replication-lag"]),
        ("replication-lag:paused_connector", ["replication-lag"]),
        ("schema-drift+trino-backlog", ["schema-drift", "trino-backlog"]),
        ("healthy", []),
    ],
)
def test_the_newest_drill_links_to_the_pages_of_its_scenarios(show: Show, drill: str, links: list[str]) -> None:
    page = show(LakeLook(NOW, check=DataCheck(drill, "passed", NOW, {})))
    assert re.findall(r'href="/runbook/([^"]+)"', page) == links
    assert all(part in page for part in drill.split("+"))


def test_nessie_that_does_not_answer_is_said(stack: Stack) -> None:
    look = look_at_lake(stack.at("nessie", "http://127.0.0.1:9").at("prometheus", "http://127.0.0.1:9"))
    assert len(look.unseen) == 2 and look.commits == () and look.check is None


def test_the_newest_report_that_can_be_read_is_the_last_check(stack: Stack) -> None:
    assert newest_check(stack) is None
    for name, text in (
        ("a", json.dumps({"scenario": "s", "verdict": "failed", "data": {"lost": 2, "engines": {}}})),
        ("b", "{"),
    ):
        (stack.reports_dir / name).mkdir(parents=True)
        (stack.reports_dir / name / "report.json").write_text(text)
    found = newest_check(stack)
    assert found is not None and (found.verdict, found.data) == ("failed", {"lost": 2})


def test_a_report_that_is_deleted_while_reports_are_listed_does_not_hide_the_last_check(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, gone = stack.reports_dir / "report.json", stack.reports_dir / "gone" / "report.json"
    stack.reports_dir.mkdir(parents=True)
    kept.write_text(json.dumps({"scenario": "s", "verdict": "passed", "data": {}}))
    monkeypatch.setattr(Path, "rglob", lambda *_: iter((gone, kept)))
    found = newest_check(stack)
    assert found is not None and found.verdict == "passed"


def test_what_was_compared_on_the_page_of_an_incident_counts_where_it_is_newer_than_the_last_drill(
    stack: Stack, show: Show
) -> None:
    def table(engine: str, lost: int) -> TableReport:
        found = Finding("orders", Wrong.LOST, "order 7", "")
        return TableReport("orders", engine, 9, (found,) * lost)

    def compare(at: datetime, **more: Any) -> None:
        report = CheckReport(at, None, acknowledged=41, orders=9, unclear=1, refused=0, **more)
        folder = keep_job(stack, "check", "INC-000012", at=at)
        (folder / "0.json").write_text(json.dumps(report.as_json()))

    (stack.reports_dir / "a").mkdir(parents=True)
    told = {"scenario": "replication-lag", "verdict": "passed", "data": {"lost": 0}}
    (stack.reports_dir / "a" / "report.json").write_text(json.dumps(told))
    compare(NOW - timedelta(hours=1))
    found = newest_check(stack)
    assert found is not None and (found.scenario, found.incident) == ("replication-lag", "")
    compare(NOW + timedelta(minutes=1), tables=(table("trino", 2), table("mysql", 1), table("trino", 1)))
    keep_job(stack, "check", "INC-000013", at=NOW + timedelta(minutes=2))  # it still runs
    found = newest_check(stack)
    assert found is not None and found.at == NOW + timedelta(minutes=1)
    expected = {"acknowledged": 41, "oversold": None, "unclear": 1, "lost": 3}
    assert found.data == expected | dict.fromkeys(("duplicated", "stale", "phantom"), 0)
    page = show(LakeLook(NOW, check=found))
    assert 'failed</span> compared for <a href="/incidents/INC-000012">INC-000012</a>' in page
    compare(NOW + timedelta(minutes=3))
    found = newest_check(stack)
    assert found is not None and (found.verdict, found.data["lost"]) == ("passed", None)
