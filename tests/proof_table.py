"""`make proof-table` writes docs/proof/README.md from the record (tests/proof_rows.py).

The committed page holds what record and files decide: the newest result of each test, and of how many test functions
on real engines there is none. What every commit changes is printed and not committed: how many commits each result is
behind; so are the names of the tests without a result. `--json` prints both for scripts.

`lakeproof bench NAME --json | python -m tests.proof_table --add` adds the row of one benchmark, then writes the page.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from tests.proof_rows import FILE, FOLDER, THE_CODE, Code, RecordFile, Row, code_of, git, this_machine

ROOT = Path(__file__).parent.parent
PAGE = FOLDER / "README.md"
HEAD = f"""# What was proven, where, and at which commit

Made by `make proof-table` from [{FILE.name}]({FILE.name}); what is typed into this page is lost. What each proof is
for stands in [proofs.md](../proofs.md).

Each row is the newest result of its test or benchmark, green or red. *Commit* is the newest commit that had changed
the code then (what only touches this folder does not count). A commit with `+changed` was run with changes that were
never committed; such a result is shown only while there is none of a clean commit. A test without a row has no result
on record: how many these are stands at the end. `make proof-table` prints their names, and how many commits each
result is behind what is checked out.
"""
# Where the tests on real engines lie.
ON_ENGINES = ("tests/drills_real", "tests/engines")


def is_test(row: Row) -> bool:
    """Not a benchmark's command."""
    return "::" in row.what


def still_there(row: Row, root: Path) -> bool:
    """Whether a test's function is still in its file. A benchmark's command stays."""
    if not is_test(row):
        return True
    name, _, rest = row.what.partition("::")
    function = rest.partition("[")[0].rpartition("::")[2]
    file = root / name
    return file.is_file() and re.search(rf"\bdef {re.escape(function)}\b", file.read_text()) is not None


def newest(rows: Sequence[Row]) -> list[Row]:
    """The newest row of each test and benchmark by its name; one of a clean commit goes before all that are not."""
    found: dict[str, Row] = {}
    for row in rows:
        old = found.get(row.what)
        # Not by their place in the file: a merge of two branches keeps the lines of both, in any order.
        if old is None or (row.clean, row.at) >= (old.clean, old.at):
            found[row.what] = row
    return [found[what] for what in sorted(found)]


def without_result(rows: Sequence[Row], root: Path) -> Iterator[tuple[str, int, int]]:
    """Each file of tests on real engines of which some test function has no row: how many, and of how many."""
    seen = {row.what.partition("[")[0] for row in rows}
    for path in sorted(path for folder in ON_ENGINES for path in (root / folder).rglob("test_*.py")):
        name = path.relative_to(root).as_posix()
        functions = re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
        missing = [function for function in functions if f"{name}::{function}" not in seen]
        if missing:
            yield name, len(missing), len(functions)


def page(rows: Sequence[Row], without: Sequence[tuple[str, int, int]] = ()) -> str:
    """The text of docs/proof/README.md. without: as `without_result` gives it."""
    return "\n".join([HEAD, *_sections(rows), *_gaps(without)]).rstrip() + "\n"


def _gaps(without: Sequence[tuple[str, int, int]]) -> Iterator[str]:
    if not without:
        return
    yield "## Without a result on record\n"
    missing = sum(missing for _, missing, _ in without)
    yield f"{missing} test functions on real engines. Nothing here says that they pass.\n"
    yield _line("File", "Without", "Of")
    yield "| --- " * 3 + "|"
    for cells in without:
        yield _line(*cells)


def _sections(rows: Sequence[Row]) -> Iterator[str]:
    tests: dict[str, list[Row]] = {}
    for row in filter(is_test, rows):
        tests.setdefault(row.what.partition("::")[0], []).append(row)
    benchmarks = [row for row in rows if not is_test(row)]
    passed = sum(row.outcome == "passed" for row in rows)
    yield f"On record: {passed} passed, {len(rows) - passed} not.\n" if rows else "No result is on record yet.\n"
    if benchmarks:
        yield _heading("Benchmarks", "Command", "Ratios")
        for row in benchmarks:
            yield _line(f"`{row.what}`", row.outcome, "; ".join(row.figures), row.code, row.machine, row.at)
        yield ""
    for file, of_file in tests.items():
        yield _heading(file, "Test", "Seconds")
        for row in of_file:
            what = row.what.partition("::")[2]
            yield _line(f"`{what}`", row.outcome, f"{row.seconds:g}", row.code, row.machine, row.at)
        yield ""


def _heading(title: str, what: str, measured: str) -> str:
    names = _line(what, "Outcome", measured, "Commit", "Machine", "At")
    return f"## {title}\n\n{names}\n{'| --- ' * 6}|"


def _line(*cells: object) -> str:
    return f"| {' | '.join(str(cell).replace('|', '\\|') for cell in cells)} |"


def rows_to_show(root: Path) -> list[Row]:
    """What the page of that clone lists."""
    return [row for row in newest(RecordFile(root).rows()) if still_there(row, root)]


def write_page(root: Path) -> list[Row]:
    """Write docs/proof/README.md of that clone; its rows."""
    rows = rows_to_show(root)
    (root / PAGE).parent.mkdir(parents=True, exist_ok=True)
    (root / PAGE).write_text(page(rows, [*without_result(rows, root)]))
    return rows


@cache
def commits_behind(root: Path, commit: str) -> int | None:
    """How many commits after that one, up to HEAD, change the code; None where HEAD does not have that commit."""
    try:
        git(root, "merge-base", "--is-ancestor", commit, "HEAD")
        return int(git(root, "rev-list", "--count", "--full-history", "--no-merges", f"{commit}..HEAD", *THE_CODE))
    except subprocess.CalledProcessError:
        return None


def recorded_tests(root: Path) -> list[str]:
    """The node ids of the three tiers, as pytest collects them now."""
    command = (sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "engines or drills or proof", "tests")
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"pytest could not list the tests:\n{done.stdout}{done.stderr}")
    return sorted({line for line in done.stdout.splitlines() if "::" in line})


def benchmark_row(result: dict[str, Any], code: Code) -> Row:
    """The row of what `lakeproof bench NAME --json` printed."""
    judged = "failed" if result["failed"] else "unknown" if result["unknown"] else "passed"
    figures = [
        f"{ratio['value']:g} {ratio['what']}" + (f" (aim {ratio['aim']})" if ratio["aim"] else "")
        for ratio in result["ratios"]
    ]
    return Row(
        what=result["command"],
        outcome=judged,
        seconds=None,
        commit=code.commit,
        clean=code.clean,
        machine=this_machine(),
        at=result["at"],
        figures=tuple(figures),
    )


def add_benchmark(root: Path) -> None:
    """Append the benchmark that is piped in. Raises: SystemExit where this command did not see its whole end."""
    begun, start = datetime.now(UTC).replace(microsecond=0), code_of(root)
    result = json.load(sys.stdin)
    if datetime.fromisoformat(result["at"]) < begun:
        raise SystemExit(
            f"this result is of {result['at']}, nobody knows of which code: pipe the benchmark itself into here"
        )
    code = start if code_of(root) == start else Code(start.commit, clean=False)
    RecordFile(root).append(benchmark_row(result, code))


def main() -> None:
    """Exit 0 once the page is written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--add", action="store_true", help="first add the benchmark whose JSON comes by the pipe")
    parser.add_argument(
        "--json", action="store_true", help="print rows, commits behind and tests without a result as JSON"
    )
    given = parser.parse_args()
    if given.add:
        add_benchmark(ROOT)
    rows = write_page(ROOT)
    known = recorded_tests(ROOT)
    told = [row.model_dump() | {"behind": commits_behind(ROOT, row.commit)} for row in rows]
    without = sorted({*known} - {row.what for row in rows})
    gone = [row.what for row in rows if is_test(row) and row.what not in known]
    code = code_of(ROOT)
    if given.json:
        print(json.dumps({"code": str(code), "rows": told, "without_result": without, "gone": gone}, indent=2))
        return
    print(f"Behind {code}, in commits that change the code ('?': a commit that is not of this history):")
    for row in told:
        behind = "?" if row["behind"] is None else row["behind"]
        print(f"{behind:>6}  {row['outcome']:8}{'' if row['clean'] else '(changed) '}{row['what']}")
    print(f"\nOn record, though pytest does not know this name any more: {len(gone)}", *gone, sep="\n        ")
    print(f"\nWithout a result: {len(without)} of {len(known)} tests", *without, sep="\n        ")
    print(f"\n{PAGE} is written.")


if __name__ == "__main__":
    main()
