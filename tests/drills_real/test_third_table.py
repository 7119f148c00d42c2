"""A table is added to a running stack, under load, by one SQL file and one line of capture: nothing is lost.

One of MariaDB, and one of PostgreSQL.

Done as a person does it: the files of a source tree are edited, here of a copy of this one.
"""

import json
import os
import shutil
import subprocess
import sysconfig
import threading
import time
import venv
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack import postgres_session
from lakeproof.stack.engines import mysql
from lakeproof.stack.stack import Stack, load_stack

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]

type Run = Callable[..., subprocess.CompletedProcess[str]]

SQL_FILE = """
CREATE TEMPORARY TABLE oltp_coupons (id BIGINT, code STRING, discount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'transaction-aligner', 'table' = 'oltp.coupons');

CREATE TABLE IF NOT EXISTS coupons (id BIGINT, code STRING, discount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('bucket' = '2', 'deletion-vectors.enabled' = 'true', 'deletion-vectors.bitmap64' = 'true');

INSERT INTO coupons SELECT id, code, discount FROM oltp_coupons;
"""


SHOP_SQL_FILE = (
    SQL_FILE.replace("oltp.coupons", "support.vouchers").replace("oltp_", "shop_").replace("coupons", "vouchers")
)


class Writer(threading.Thread):
    """Writes, changes and deletes coupons until told to stop."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self._stack = stack
        self.stop = threading.Event()
        self.written = 0

    def run(self) -> None:
        with mysql.connect(self._stack, "root", "mysql-root", 10) as connection, connection.cursor() as cursor:
            while not self.stop.wait(0.02):
                number = self.written
                cursor.execute(
                    "INSERT INTO oltp.coupons (code, discount) VALUES (%s, %s)", (f"C{number}", number % 50)
                )
                made = cursor.lastrowid
                cursor.execute("UPDATE oltp.coupons SET discount = discount + 1 WHERE id = %s", (made - 7,))
                cursor.execute("DELETE FROM oltp.coupons WHERE id = %s AND id %% 5 = 0", (made - 20,))
                connection.commit()
                self.written += 1


class ShopWriter(threading.Thread):
    """The same with vouchers in PostgreSQL."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self._stack = stack
        self.stop = threading.Event()
        self.written = 0

    def run(self) -> None:
        with postgres_session.connection(self._stack, "postgres", "postgres-root", 900.0, "shop") as session:
            while not self.stop.is_set():
                with session.transaction():
                    ((made,),) = session.rows(
                        "INSERT INTO support.vouchers (code, discount) VALUES ($1, $2) RETURNING id",
                        f"V{self.written}",
                        self.written % 50,
                    )
                    session.rows("UPDATE support.vouchers SET discount = discount + 1 WHERE id = $1", made - 7)
                    session.rows("DELETE FROM support.vouchers WHERE id = $1 AND id % 5 = 0", made - 20)
                self.written += 1
                time.sleep(0.02)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this source tree's package, with what it finds beside itself, to be edited."""
    copy = tmp_path_factory.mktemp("tree")
    for part in ("src", "third_party", "java"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", "target"))
    return copy / "src" / "lakeproof"


@pytest.fixture(scope="module")
def python(tree: Path) -> Path:
    """A Python that imports the copy, with the packages that this one has; components are started by it."""
    home = tree.parent.parent / "venv"
    venv.create(home, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
    (packages / "tree.pth").write_text(f"{tree.parent}\n{sysconfig.get_path('purelib')}\n")
    return home / "bin" / "python"


@pytest.fixture(scope="module")
def of_the_copy(whole_stack: Stack, python: Path) -> Iterator[Run]:
    """`lakeproof` run from the copy, on a stack of its own that takes the ports of the drills' one."""
    state_dir = Path(f"{whole_stack.state_dir}-third")
    own = {"LAKEPROOF_NAME": "third", "LAKEPROOF_STATE_DIR": str(state_dir)}

    def run(*arguments: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(python), "-c", "from lakeproof.cli.app import main; main()", *arguments],
            env=os.environ | own,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    SupervisorClient(whole_stack).down()
    state_dir.mkdir(mode=0o755)
    try:
        started = run("up")
        assert started.returncode == 0, started.stderr
        yield run
    finally:
        run("down")
        shutil.rmtree(state_dir, ignore_errors=True)


def rows_in_lake(run: Run, table: str = "coupons") -> dict[int, tuple[str, int]]:
    """Raises: NotReady with what the command said."""
    done = run("query", f"SELECT id, code, discount FROM {table}", "--json", seconds=60)
    if done.returncode != 0:
        raise NotReady(done.stderr, where="query")
    return {row[0]: (row[1], row[2]) for row in json.loads(done.stdout)["rows"]}


def test_one_file_and_one_line_add_a_table_under_load(
    whole_stack: Stack, tree: Path, of_the_copy: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEPROOF_NAME", "third")
    monkeypatch.setenv("LAKEPROOF_STATE_DIR", f"{whole_stack.state_dir}-third")
    stack = load_stack()
    with mysql.connect(stack, "root", "mysql-root", 10) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE oltp.coupons (id BIGINT AUTO_INCREMENT PRIMARY KEY, code VARCHAR(32), discount INT)"
        )
        writer = Writer(stack)
        writer.start()
        background = ThreadPoolExecutor()
        traffic = background.submit(of_the_copy, "traffic", "--rate", "20", "--seconds", "45", "--json")
        Deadline(30).wait_for("rows from before", lambda: True if writer.written > 100 else None)

        connector = tree / "lakeproof_shop/connectors/orders.json"
        text = connector.read_text()
        connector.write_text(text.replace('    "cdc_heartbeat"\n', '    "cdc_heartbeat",\n    "coupons"\n', 1))
        too_early = of_the_copy("capture", "register")
        assert (too_early.returncode, "oltp.coupons" in too_early.stderr) == (2, True), too_early.stderr

        (tree / "lake/jobs/oltp/coupons.sql").write_text(SQL_FILE)
        redeployed = of_the_copy("lake", "redeploy")
        assert redeployed.returncode == 0, redeployed.stderr
        registered = of_the_copy("capture", "register")
        assert registered.returncode == 0, registered.stderr

        so_far = writer.written
        Deadline(30).wait_for("later rows", lambda: True if writer.written > so_far + 100 else None)
        shopped = traffic.result(timeout=120)
        assert (shopped.returncode, json.loads(shopped.stdout)["acknowledged"] > 500) == (0, True), shopped.stderr
        writer.stop.set()
        writer.join()
        cursor.execute("SELECT id, code, discount FROM oltp.coupons")
        wanted = {row[0]: (row[1], row[2]) for row in cursor.fetchall()}

    def all_there() -> bool | None:
        found = rows_in_lake(of_the_copy)
        if found != wanted:
            raise NotReady(f"{len(found)} of {len(wanted)} rows", where="coupons")
        return True

    Deadline(120).wait_for("the lake to hold every coupon", all_there)
    checked = of_the_copy("check", "--json", "--wait-seconds", "120")
    report: dict[str, Any] = json.loads(checked.stdout)
    assert (checked.returncode, report["verdict"]) == (0, "passed"), checked.stderr + checked.stdout[-3000:]
    assert "coupons" in {table["table"] for table in report["tables"]}
    print(f"a third table under load: {writer.written} written, {len(wanted)} left, all in the lake")


def test_a_table_of_postgresql_is_added_the_same_way_and_refused_in_another_order(
    whole_stack: Stack, tree: Path, of_the_copy: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEPROOF_NAME", "third")
    monkeypatch.setenv("LAKEPROOF_STATE_DIR", f"{whole_stack.state_dir}-third")
    stack = load_stack()
    started = of_the_copy("up", "shop-capture")
    assert started.returncode == 0, started.stderr

    connector = tree / "lakeproof_shop/connectors/shop.json"
    last = '    "capture.cdc_heartbeat"\n'
    connector.write_text(connector.read_text().replace(last, last[:-1] + ',\n    "support.vouchers"\n', 1))
    too_early = of_the_copy("capture", "register", "shop")
    assert (too_early.returncode, "support.vouchers" in too_early.stderr) == (2, True), too_early.stderr
    assert "lakeproof lake redeploy --database shop" in " ".join(too_early.stderr.split())

    (tree / "lake/jobs/shop/vouchers.sql").write_text(SHOP_SQL_FILE)
    redeployed = of_the_copy("lake", "redeploy", "--database", "shop")
    assert redeployed.returncode == 0, redeployed.stderr
    too_early = of_the_copy("capture", "register", "shop")
    assert (too_early.returncode, "CREATE TABLE first" in too_early.stderr) == (2, True), too_early.stderr

    def root(sql: str) -> list[tuple[Any, ...]]:
        return postgres_session.select(stack, "postgres", "postgres-root", sql, database="shop")

    root("CREATE TABLE support.vouchers (id bigserial PRIMARY KEY, code text, discount int)")
    root("INSERT INTO support.vouchers (code, discount) SELECT 'old' || g, g % 50 FROM generate_series(1, 5000) g")
    writer = ShopWriter(stack)
    writer.start()
    Deadline(30).wait_for("rows from before", lambda: True if writer.written > 100 else None)
    registered = of_the_copy("capture", "register", "shop")
    assert registered.returncode == 0, registered.stderr
    so_far = writer.written
    Deadline(60).wait_for("later rows", lambda: True if writer.written > so_far + 100 else None)
    writer.stop.set()
    writer.join(30)
    wanted = {row[0]: (row[1], row[2]) for row in root("SELECT id, code, discount FROM support.vouchers")}

    def all_there() -> bool | None:
        found = rows_in_lake(of_the_copy, "lake.shop.vouchers")
        if found != wanted:
            raise NotReady(f"{len(found)} of {len(wanted)} rows", where="vouchers")
        return True

    Deadline(180).wait_for("the lake to hold every voucher", all_there)
    checked = of_the_copy("check", "--json", "--wait-seconds", "120")
    report: dict[str, Any] = json.loads(checked.stdout)
    assert (checked.returncode, report["verdict"]) == (0, "passed"), checked.stderr + checked.stdout[-3000:]
    assert "shop.vouchers" in {table["table"] for table in report["tables"]}
    print(f"a table of PostgreSQL under load: {writer.written} written, {len(wanted)} left, all in the lake")
