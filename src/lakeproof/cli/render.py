"""`lakeproof render`: print the stack's configuration for use elsewhere."""

from enum import StrEnum
from typing import Annotated

import typer


class TimingChoice(StrEnum):
    """As `--timing` takes it."""

    DRILL = "drill"
    PRODUCTION = "production"


TimingOption = Annotated[
    TimingChoice | None, typer.Option(help="windows as for live drills, or as written; default: the setting")
]


def add_to(app: typer.Typer) -> None:
    """Add `render`."""
    render = typer.Typer(no_args_is_help=True, help="Print the stack's configuration for use elsewhere.")
    app.add_typer(render, name="render")

    @render.command("prometheus")
    def prometheus(
        timing: TimingOption = None,
        rules: Annotated[bool, typer.Option("--rules", help="the alert rules instead of prometheus.yml")] = False,
    ) -> None:
        """Print prometheus.yml, or with --rules every alert rule, windows in the given timing."""
        from lakeproof.observability.rules import find_rules, render_rules
        from lakeproof.observability.scrape import render_prometheus
        from lakeproof.observability.timing import factor_of
        from lakeproof.stack.stack import load_stack

        stack = load_stack()
        windows = timing.value if timing else stack.settings.timing
        factor = factor_of(windows)
        texts = render_rules(find_rules(stack.settings.scenario_dirs), factor)
        if not rules:
            print(render_prometheus(stack, stack.etc_dir("prometheus") / "rules", windows), end="")
            return
        for name, text in texts.items():
            print(f"# --- {name}, windows divided by {factor}")
            print(text, end="" if text.endswith("\n") else "\n")

    @render.command("alertmanager")
    def alertmanager(timing: TimingOption = None) -> None:
        """Print alertmanager.yml; receivers that the environment does not configure are left out."""
        import os

        from lakeproof.cli.output import say
        from lakeproof.observability.receivers import read_receivers
        from lakeproof.observability.routing import render_alertmanager
        from lakeproof.stack.stack import load_stack

        stack = load_stack()
        receivers = read_receivers(os.environ)
        for silence in receivers.unset:
            say(f"warning: {silence}")
        chosen = timing.value if timing else stack.settings.timing
        print(render_alertmanager(stack.etc_dir("alertmanager"), stack.url("desk"), receivers, chosen), end="")

    @render.command("dashboard")
    def dashboard() -> None:
        """Print the dashboard `Dataflow Overview` in Grafana's JSON: import it, or provision it from a file."""
        from lakeproof.observability.dashboard import read_dashboard

        print(read_dashboard(), end="")
