"""Pages of the runbook: a scenario's prose, with tables made from its data, so that the two cannot drift apart."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from lakeproof.diagnosis.cause import Cause, Step
from lakeproof.observability.runbook import find_runbook, own_runbooks
from lakeproof.scenarios.scenario import Language, Scenario

LANGUAGES: tuple[Language, ...] = ("vi", "en")
NOTE = "<!-- Made by `lakeproof runbook write` from {place}. Edit there. -->"
WORDS = {
    "en": {
        "facts": "At a glance",
        "severity": "Severity",
        "team": "Team",
        "acknowledge": "To be acknowledged within",
        "minutes": "{} minutes",
        "alerts": "Alerts",
        "use_cases": "Use cases concerned",
        "drills": "Drills",
        "causes": "Known causes",
        "cause": "Cause",
        "means": "Meaning",
        "seen": "Must be seen",
        "or": "or",
        "repair": "Repair",
        "by hand": "by no step: a person has to look",
        "components": "Any component that is down, hangs or is unwell is named by itself: `NAME_down`, `NAME_hung`, "
        "`NAME_unhealthy`.",
    },
    "vi": {
        "facts": "Tóm tắt",
        "severity": "Mức độ",
        "team": "Nhóm",
        "acknowledge": "Phải xác nhận trong",
        "minutes": "{} phút",
        "alerts": "Cảnh báo",
        "use_cases": "Nghiệp vụ bị ảnh hưởng",
        "drills": "Diễn tập",
        "causes": "Các nguyên nhân đã biết",
        "cause": "Nguyên nhân",
        "means": "Ý nghĩa",
        "seen": "Phải thấy",
        "or": "hoặc",
        "repair": "Khắc phục",
        "by hand": "không có bước tự động: người trực phải xem",
        "components": "Thành phần nào ngừng chạy, bị treo hoặc không khoẻ thì có tên riêng: `NAME_down`, "
        "`NAME_hung`, `NAME_unhealthy`.",
    },
}


def page(scenario: Scenario, causes: Iterable[Cause], language: Language) -> str:
    """A scenario's page in Markdown: its prose, then tables of its data. Raises: InvalidInput without prose."""
    words = WORDS[language]
    facts = [
        (words["severity"], scenario.severity),
        (words["team"], scenario.team),
        (words["acknowledge"], words["minutes"].format(scenario.sla_minutes)),
        (words["alerts"], ", ".join(f"`{alert}`" for alert in scenario.owned_alerts)),
        (words["use_cases"], ", ".join(scenario.use_cases)),
        (words["drills"], ", ".join(_drills(scenario))),
    ]
    known = [
        (
            f"`{cause.id}`",
            cause.says[language],
            ", ".join(f" {words['or']} ".join(f"`{one}`" for one in item.alternatives) for item in cause.necessary),
            ", ".join(f"`{_typed(step)}`" for step in cause.repairs) or words["by hand"],
        )
        for cause in causes
        if cause.scenario == scenario.id
    ]
    lines = [
        scenario.runbook(language).rstrip(),
        "",
        f"## {words['facts']}",
        "",
        *table(("", ""), facts),
        "",
        f"## {words['causes']}",
        "",
        *table((words["cause"], words["means"], words["seen"], words["repair"]), known),
        "",
        words["components"],
        "",
        NOTE.format(place=f"scenarios/{scenario.id}/"),
        "",
    ]
    return "\n".join(lines)


def _drills(scenario: Scenario) -> list[str]:
    command = f"lakeproof drill {scenario.id}"
    return [f"`{command}`", *(f"`{command} --cause {cause}`" for cause in scenario.others)]


def _typed(step: Step) -> str:
    arguments = " ".join(f"{name}={value}" for name, value in step.args)
    return f"{step.id} {arguments}".rstrip()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown, line by line."""
    return [
        "| " + " | ".join(head) + " |",
        "|" + " --- |" * len(head),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]


def write_pages(scenarios: Collection[Scenario], causes: Sequence[Cause], folder: Path) -> list[Path]:
    """Write every page in every language as ID.LANGUAGE.md; gives the files. Includes pages that no scenario owns."""
    folder.mkdir(parents=True, exist_ok=True)
    note = NOTE.format(place="observability/runbooks/")
    written = []
    for language in LANGUAGES:
        texts = {name: f"{find_runbook(name, language)}\n{note}\n" for name in own_runbooks()}
        texts |= {scenario.id: page(scenario, causes, language) for scenario in scenarios}
        for name, text in texts.items():
            path = folder / f"{name}.{language}.md"
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written
