"""What Prometheus runs on, as files in one timing: which components are scraped, how often, and the rules."""

from dataclasses import dataclass
from pathlib import Path

from lakeproof.observability.rules import find_rules, render_rules
from lakeproof.observability.scrape import render_prometheus
from lakeproof.observability.timing import Timing, factor_of
from lakeproof.stack.stack import Stack
from lakeproof.written import replace_folder, write_file


def rules_dir(stack: Stack) -> Path:
    """The folder of the rules that Prometheus evaluates."""
    return stack.etc_dir("prometheus") / "rules"


def rules_in(stack: Stack, timing: Timing) -> dict[str, str]:
    """File name → text of every rules file that the folders hold now, in that timing. Raises: InvalidInput."""
    return render_rules(find_rules(stack.settings.scenario_dirs), factor_of(timing))


@dataclass(frozen=True)
class Files:
    """The text of prometheus.yml, and the rules files by name."""

    config: str
    rules: dict[str, str]


def files_in(stack: Stack, timing: Timing) -> Files:
    """What the files should say in that timing. Raises: InvalidInput."""
    return Files(render_prometheus(stack, rules_dir(stack), timing), rules_in(stack, timing))


def files_now(stack: Stack) -> Files:
    """What Prometheus' files say now."""
    rules = {path.name: path.read_text(encoding="utf-8") for path in rules_dir(stack).glob("*.yml")}
    return Files(_config_file(stack).read_text(encoding="utf-8"), rules)


def write(stack: Stack, files: Files) -> None:
    """Replace the configuration and the rules files."""
    replace_folder(rules_dir(stack), files.rules)
    write_file(_config_file(stack), files.config)


def write_config(stack: Stack, timing: Timing) -> None:
    """Write configuration and rules in that timing. Raises: InvalidInput; then nothing was changed."""
    write(stack, files_in(stack, timing))


def _config_file(stack: Stack) -> Path:
    return stack.etc_dir("prometheus") / "prometheus.yml"
