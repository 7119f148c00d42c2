"""What Alloy makes of the containers' lines: the same entries and levels as the log shipper makes of the files."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from tests.observability.logs.samples import (
    BARE_JAVA,
    JAVA,
    LINES,
    LOGGING,
    MIDNIGHT,
    PYTHON,
    UNCAUGHT,
    entries_of,
)

from lakeproof.compose.alloy import alloy_config
from lakeproof.compose.file import render_compose
from lakeproof.observability.logs.entry import LEVELS
from lakeproof.observability.receivers import read_receivers

# As the images write them where they differ from our own processes: Kafka, Cassandra (both of its ways), Grafana,
# Loki, MySQL 8.
OF_IMAGES = [
    ("[2026-11-26 20:12:49,258] ERROR Task threw an uncaught exception (WorkerTask)", "error"),
    ("INFO  [main] 2026-11-26 20:12:49,258 YamlConfigurationLoader.java:100 - Configuration location", "info"),
    ("WARN  20:12:49,258 Small commitlog volume detected", "warning"),
    ("logger=settings t=2026-11-26T20:12:49.258Z level=error msg=x", "error"),
    ("level=warn ts=2026-11-26T20:12:49.258Z caller=main.go:1 msg=x", "warning"),
    ("2026-11-26T20:12:53.123456Z 0 [ERROR] [MY-010119] [Server] Aborting", "error"),
]


@dataclass(frozen=True)
class Alloy:
    """The two stages of loki.process that read a line, as Alloy's documents describe them."""

    first_line: str
    stages: tuple[tuple[str, str], ...]
    """Source, empty for the whole entry, and expression."""
    template: str

    def entries(self, text: str) -> list[str]:
        found: list[str] = []
        began = False
        for line in text.splitlines():
            if re.search(self.first_line, line):
                began = True
            elif began:
                found[-1] += "\n" + line
                continue
            found.append(line)
        return found

    def level(self, entry: str) -> str:
        word = ""
        for source, expression in self.stages:
            if match := re.search(expression, word if source else entry):
                word = match["level"]
        for words, level in re.findall(r'if eq \$word ((?:"[^"]+" )+)}}(\w+)', self.template):
            if f'"{word.lower()}"' in words.split():
                return str(level)
        return "unknown"


@pytest.fixture(scope="module")
def alloy() -> Alloy:
    config = alloy_config()
    (first_line,) = re.findall(r"firstline\s+= `(.+)`", config)
    stages = re.findall(r'stage\.regex {\s+(?:source\s+= "(level)"\s+)?expression = `(.+)`', config)
    (template,) = re.findall(r"template = `(.+)`", config)
    return Alloy(first_line, tuple(stages), template)


@pytest.mark.parametrize(
    ("line", "level"), [*((line, level) for line, _, level in LINES), *OF_IMAGES, ("20:12:49 x", "unknown")]
)
def test_a_line_has_the_level_that_the_shipper_gives_it(alloy: Alloy, line: str, level: str) -> None:
    assert alloy.level(line) == level


@pytest.mark.parametrize("line", [line for line, *_ in (*LINES, *OF_IMAGES)])
def test_a_line_with_a_time_begins_an_entry(alloy: Alloy, line: str) -> None:
    assert alloy.entries(f"{line}\n{line}\n\tat a\norg.x.YException: z\n{line}") == [
        line,
        f"{line}\n\tat a\norg.x.YException: z",
        line,
    ]


@pytest.mark.parametrize("text", [JAVA, PYTHON, MIDNIGHT, LOGGING, "a\nb\nWARNING: c"])
def test_the_entries_of_a_log_are_those_of_the_shipper(alloy: Alloy, text: str) -> None:
    wanted = [(entry.text, entry.level) for entry in entries_of(text)]
    assert [(entry, alloy.level(entry)) for entry in alloy.entries(text)] == wanted


@pytest.mark.parametrize("text", [UNCAUGHT, BARE_JAVA])
def test_lines_below_an_error_that_nobody_caught_are_its_own_and_the_entry_is_an_error(
    alloy: Alloy, text: str
) -> None:
    assert [alloy.level(entry) for entry in alloy.entries(text)] == ["error"]


@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")
def test_gos_expressions_find_what_pythons_do(alloy: Alloy, tmp_path: Path) -> None:
    """amtool's templates are the Go that is at hand: its words `match` and `reReplaceAll` take RE2."""
    texts = [line for line, *_ in (*LINES, *OF_IMAGES)]
    texts += [entry for text in (JAVA, PYTHON, UNCAUGHT, LOGGING, BARE_JAVA) for entry in alloy.entries(text)]
    texts += [line for text in (JAVA, PYTHON, UNCAUGHT, LOGGING, BARE_JAVA) for line in text.splitlines()]
    asked, wanted = [], []
    for text in texts:
        said = json.dumps(text)
        asked.append(f"{{{{ match `{alloy.first_line}` {said} }}}}")
        wanted.append("true" if re.search(alloy.first_line, text) else "false")
        for _, expression in alloy.stages:
            asked.append(
                f"{{{{ if match `{expression}` {said} }}}}"
                f'<{{{{ reReplaceAll `{expression}(?s:.*)` "${{level}}" {said} }}}}>{{{{ end }}}}'
            )
            found = re.search(expression, text)
            wanted.append(f"<{found['level']}>" if found else "")
    asked_file = tmp_path / "asked.tmpl"
    asked_file.write_text('{{ define "asked" }}' + "\x1f".join(asked) + "{{ end }}")
    command = ["amtool", "template", "render", f"--template.glob={asked_file}"]
    command.append('--template.text={{ template "asked" . }}')
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split("\x1f") == wanted


def test_alloy_reads_this_projects_containers_and_gives_loki_the_level_words_of_our_queries(alloy: Alloy) -> None:
    rendered = yaml.safe_load(render_compose(read_receivers({})))
    config = rendered["configs"]["beside-alloy-config"]["content"].replace("$$", "$")
    assert config == alloy_config()
    assert f'values = ["com.docker.compose.project={rendered["name"]}"]' in config
    assert set(re.findall(r"}}(\w+){{", alloy.template)) == set(LEVELS)
