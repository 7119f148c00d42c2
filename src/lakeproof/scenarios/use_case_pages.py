"""docs/usecases: what each use case asks of the lake, how fresh it must be, and which incidents hit it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from lakeproof.scenarios.pages import LANGUAGES, table
from lakeproof.scenarios.scenario import Language, Scenario
from lakeproof.use_cases.use_case import UseCase, use_cases

NOTE = "<!-- Made by `lakeproof usecase write` from src/lakeproof/use_cases and the scenarios. Edit there. -->"
FILES = {"en": "README.md", "vi": "README.vi.md"}
WORDS = {
    "en": {
        "title": "Use cases",
        "intro": "What people use the lake for. An incident names the use cases that it concerns: look here which "
        "data they read and how old these may be. `lakeproof usecase list` measures how old the data are now.",
        "heads": ("Use case", "Tables", "Freshness target", "Incidents that hit it"),
        "seconds": "{} s ({})",
        "target": "Its data may be {} s old ({}). What is measured now: `lakeproof usecase show {}`. In Prometheus:",
        "beside": "It also needs, beside the lake: {}.",
        "query": "Run it: `lakeproof usecase run {}`.",
        "hit": "Incidents that hit it:",
    },
    "vi": {
        "title": "Nghiệp vụ sử dụng dữ liệu",
        "intro": "Lake được dùng vào việc gì. Mỗi sự cố ghi các nghiệp vụ bị ảnh hưởng: xem ở đây nghiệp vụ nào đọc "
        "dữ liệu nào và dữ liệu được phép cũ đến mức nào. `lakeproof usecase list` đo dữ liệu hiện cũ bao nhiêu.",
        "heads": ("Nghiệp vụ", "Bảng", "Mục tiêu độ tươi", "Sự cố ảnh hưởng"),
        "seconds": "{} giây ({})",
        "target": "Dữ liệu được phép cũ {} giây ({}). Giá trị hiện tại: `lakeproof usecase show {}`. PromQL:",
        "beside": "Ngoài lake còn cần: {}.",
        "query": "Chạy: `lakeproof usecase run {}`.",
        "hit": "Sự cố ảnh hưởng:",
    },
}


def hitting(use_case: str, scenarios: Iterable[Scenario]) -> tuple[Scenario, ...]:
    """The scenarios whose folder names that use case."""
    return tuple(each for each in scenarios if use_case in each.use_cases)


def page(scenarios: Sequence[Scenario], language: Language) -> str:
    """The whole page in Markdown: a table of all use cases, then a section with the query of each."""
    words = WORDS[language]
    rows = [
        (
            f"[{each.titles[language]}](#{each.id})",
            _code(each.tables),
            str(words["seconds"]).format(each.target_seconds, each.service_level),
            _links(hitting(each.id, scenarios), language),
        )
        for each in use_cases().values()
    ]
    parts = [f"# {words['title']}", str(words["intro"]), "\n".join(table(words["heads"], rows))]
    for each in use_cases().values():
        parts += _section(each, hitting(each.id, scenarios), language)
    return "\n\n".join([*parts, NOTE]) + "\n"


def _section(use_case: UseCase, hit: Sequence[Scenario], language: Language) -> list[str]:
    words = WORDS[language]
    beside = [str(words["beside"]).format(_code(use_case.beside))] if use_case.beside else []
    target = str(words["target"]).format(use_case.target_seconds, use_case.service_level, use_case.id)
    return [
        f'<a id="{use_case.id}"></a>',
        f"## {use_case.titles[language]}",
        use_case.asks[language],
        *beside,
        str(words["query"]).format(use_case.id),
        f"```sql\n{use_case.query}\n```",
        target,
        f"```promql\n{use_case.freshness}\n```",
        "\n".join([str(words["hit"]), "", *(f"- {_link(each, language)}" for each in hit)]),
    ]


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _link(scenario: Scenario, language: Language) -> str:
    return f"[{scenario.titles[language]}](../runbook/{scenario.id}.{language}.md)"


def _links(scenarios: Iterable[Scenario], language: Language) -> str:
    return ", ".join(f"[{each.id}](../runbook/{each.id}.{language}.md)" for each in scenarios)


def write_page(scenarios: Sequence[Scenario], folder: Path) -> list[Path]:
    """Write the page in every language; gives the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for language in LANGUAGES:
        path = folder / FILES[language]
        path.write_text(page(scenarios, language), encoding="utf-8")
        written.append(path)
    return written
