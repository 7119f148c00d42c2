"""`lakeproof render`: print the stack's configuration for use elsewhere."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lakeproof.cli.output import say
from lakeproof.stack.stack import load_stack


class TimingChoice(StrEnum):
    """The values of `--timing`."""

    DRILL = "drill"
    PRODUCTION = "production"


TimingOption = Annotated[
    TimingChoice | None, typer.Option(help="windows as for live drills, or as written; default: the setting")
]


EnvFileOption = Annotated[
    Path | None,
    typer.Option(
        help="write secrets and paths into this file, mode 600, and print no compose file; what it has stays"
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add `render`."""
    group = typer.Typer(no_args_is_help=True, help="Print the stack's configuration for use elsewhere.")
    group.command("prometheus")(prometheus)
    group.command("settings")(settings)
    group.command("alertmanager")(alertmanager)
    group.command("dashboard")(dashboard)
    group.command("compose")(compose)
    app.add_typer(group, name="render")


def prometheus(
    timing: TimingOption = None,
    rules: Annotated[bool, typer.Option("--rules", help="the alert rules instead of prometheus.yml")] = False,
) -> None:
    """Print prometheus.yml, or with --rules every alert rule in one document, windows in the given timing."""
    from lakeproof.observability.rules import find_rules, one_document
    from lakeproof.observability.scrape import render_prometheus
    from lakeproof.observability.timing import factor_of

    stack = load_stack()
    windows = timing.value if timing else stack.settings.timing
    factor = factor_of(windows)
    document = one_document(find_rules(stack.settings.scenario_dirs), factor)
    print(document if rules else render_prometheus(stack, stack.etc_dir("prometheus") / "rules", windows), end="")


def settings() -> None:
    """Print every setting with its default, as docs/settings.md has them."""
    from lakeproof.stack.settings_page import settings_page

    print(settings_page(), end="")


def alertmanager(
    timing: TimingOption = None,
    messages: Annotated[
        bool, typer.Option("--messages", help="the words of messages instead, messages.tmpl")
    ] = False,
) -> None:
    """Print alertmanager.yml; receivers that the environment does not configure are left out."""
    from lakeproof.observability.receivers import read_receivers
    from lakeproof.observability.routing import render_alertmanager, render_messages

    stack = load_stack()
    receivers = read_receivers(os.environ)
    if messages:
        print(render_messages(stack.url("desk"), receivers), end="")
        return
    for silence in receivers.unset:
        say(f"warning: {silence}")
    chosen = timing.value if timing else stack.settings.timing
    print(render_alertmanager(stack.etc_dir("alertmanager"), stack.url("desk"), receivers, chosen), end="")


def dashboard() -> None:
    """Print the dashboard `Dataflow Overview` in Grafana's JSON: import it, or provision it from a file."""
    from lakeproof.observability.dashboard import read_dashboard

    print(read_dashboard(), end="")


def compose(env_file: EnvFileOption = None) -> None:
    """Print compose.yaml: the same components as containers, with MySQL 8, MinIO, Grafana, Loki and Doris.

    Secrets stand in it by name alone: `--env-file .env` makes that file beside it. Slack is told of alerts where
    ALERTMANAGER_SLACK_WEBHOOK_URL is set now, and in .env later on.
    """
    from lakeproof.compose.file import render_compose
    from lakeproof.compose.secrets import make_env_file
    from lakeproof.observability.receivers import SLACK_URL, read_receivers

    if env_file is not None:
        added = make_env_file(env_file)
        say(f"{env_file}: {len(added)} variables added")
        return
    slack = {SLACK_URL: os.environ[SLACK_URL]} if SLACK_URL in os.environ else {}
    print(render_compose(read_receivers(slack), tuple(load_stack().settings.scenario_dirs)), end="")
