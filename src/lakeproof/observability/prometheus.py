"""What Prometheus runs on, as files: which components are scraped, and the rules in one timing."""

from pathlib import Path

from lakeproof.observability.rules import find_rules, render_rules
from lakeproof.observability.scrape import render_prometheus
from lakeproof.observability.timing import Timing, factor_of
from lakeproof.stack.stack import Stack
from lakeproof.written import replace_folder, write_file


def rules_dir(stack: Stack) -> Path:
    """Where the rules lie that it evaluates."""
    return stack.etc_dir("prometheus") / "rules"


def rules_in(stack: Stack, timing: Timing) -> dict[str, str]:
    """File name → text of every rules file that the folders hold now, in that timing. Raises: InvalidInput."""
    return render_rules(find_rules(stack.settings.scenario_dirs), factor_of(timing))


def write_config(stack: Stack, timing: Timing) -> None:
    """Configuration and rules in that timing. Raises: InvalidInput; then nothing was changed."""
    etc = stack.etc_dir("prometheus")
    rules = rules_in(stack, timing)
    text = render_prometheus(stack, rules_dir(stack))
    replace_folder(rules_dir(stack), rules)
    write_file(etc / "prometheus.yml", text)
