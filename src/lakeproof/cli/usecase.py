"""`lakeproof usecase`: what the lake is used for: the questions, their tables, and how fresh the data are now."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeproof.cli.check import LakeEngine
from lakeproof.cli.output import print_json, print_table, say
from lakeproof.cli.query import query
from lakeproof.errors import InvalidInput
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.stack.stack import load_stack

if TYPE_CHECKING:
    from lakeproof.use_cases.state import Freshness
    from lakeproof.use_cases.use_case import UseCase

JsonOption = Annotated[bool, typer.Option("--json", help="As JSON on stdout.")]
NameArgument = Annotated[str, typer.Argument(help="a use case, see `usecase list`")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Use cases of the lake: questions, tables, freshness.")
    group.command("list")(list_all)
    group.command("show")(show)
    group.command("run")(run)
    group.command("write")(write)
    app.add_typer(group, name="usecase")


def list_all(as_json: JsonOption = False) -> None:
    """Every use case with the age of its data now, its target, and the incidents that hit it.

    Exit 0 all fresh, 1 one is late, 3 none is late and of one it is not known.
    """
    from lakeproof.use_cases.state import look
    from lakeproof.use_cases.use_case import use_cases

    stack = load_stack()
    looks = [(use_case, look(stack, use_case)) for use_case in use_cases().values()]
    if as_json:
        print_json([_as_json(use_case, seen) for use_case, seen in looks])
    else:
        print_table(
            ("Use case", "State", "Age", "Target", "Incidents that hit it"),
            [
                (each.id, seen.state, _age(seen), f"{seen.target_seconds} s", " ".join(_hitting(each.id)))
                for each, seen in looks
            ],
        )
    _exit_by([seen for _, seen in looks])


def show(
    name: NameArgument, lang: Annotated[str, typer.Option(help="vi or en")] = "en", as_json: JsonOption = False
) -> None:
    """One use case: its question, tables and query, and how fresh they are now.

    Exit 0 fresh, 1 late, 3 not known.
    """
    from lakeproof.use_cases.state import look
    from lakeproof.use_cases.use_case import find_use_case

    if lang not in ("vi", "en"):
        raise InvalidInput(f"no language {lang!r}", where="--lang", next_action="vi or en")
    use_case = find_use_case(name)
    seen = look(load_stack(), use_case)
    if as_json:
        print_json(_as_json(use_case, seen))
    else:
        print(f"{use_case.titles[lang]}: {use_case.asks[lang]}")
        print(
            f"  state:      {seen.state}, {_age(seen)} old, target {seen.target_seconds} s ({use_case.service_level})"
        )
        if seen.why:
            print(f"              {seen.why}")
        print(f"  tables:     {', '.join(use_case.tables)}")
        if use_case.beside:
            print(f"  not in the lake: {', '.join(use_case.beside)}")
        print(f"  incidents:  {', '.join(_hitting(use_case.id))}")
        print(f"  freshness:  {use_case.freshness}")
        print(f"\n{use_case.query}")
    _exit_by([seen])


def run(
    name: NameArgument,
    engine: Annotated[LakeEngine, typer.Option(help="The engine that answers.")] = LakeEngine.TRINO,
    at: Annotated[str | None, typer.Option(help="A published hash, or its beginning; default: the newest.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the lake the use case's query, all its tables at one published hash: `lakeproof query` with that SQL.

    Exit 0 answered, 1 refused by the engine, 2 a hash that is not there or no longer readable, 3 no engine, no answer
    in time, or nothing published.
    """
    from lakeproof.use_cases.use_case import find_use_case

    query(find_use_case(name).query, engine=engine, at=at, as_json=as_json)


def write(to: Annotated[Path, typer.Option(help="the folder for the page")] = Path("docs/usecases")) -> None:
    """Write the page of all use cases in both languages, as the repository keeps it."""
    from lakeproof.scenarios.catalog import load_catalog
    from lakeproof.scenarios.use_case_pages import write_page

    for path in write_page(list(load_catalog().scenarios.values()), to):
        say(str(path))


def _hitting(use_case: str) -> list[str]:
    from lakeproof.scenarios.scenario import read_scenario
    from lakeproof.scenarios.use_case_pages import hitting

    folders = scenario_folders(tuple(load_stack().settings.scenario_dirs)).values()
    return [each.id for each in hitting(use_case, map(read_scenario, folders))]


def _as_json(use_case: "UseCase", seen: "Freshness") -> dict[str, Any]:
    return {
        "id": use_case.id,
        "titles": dict(use_case.titles),
        "asks": dict(use_case.asks),
        "tables": use_case.tables,
        "beside": use_case.beside,
        "service_level": use_case.service_level,
        "query": use_case.query,
        "freshness_promql": use_case.freshness,
        "incidents": _hitting(use_case.id),
        "freshness": asdict(seen),
    }


def _age(seen: "Freshness") -> str:
    return "?" if seen.age_seconds is None else f"{seen.age_seconds:.0f} s"


def _exit_by(looks: "list[Freshness]") -> None:
    states = {seen.state for seen in looks}
    if "late" in states:
        raise typer.Exit(1)
    if "unknown" in states:
        raise typer.Exit(3)
