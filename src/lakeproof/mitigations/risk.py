"""What a repair step may cost (risks.yml), said before somebody confirms it."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from lakeproof.yaml_file import load_yaml


@dataclass(frozen=True)
class Risk:
    """level: low, medium, high; unknown for a step of a scenario's own folder that nobody judged."""

    level: str
    en: str
    vi: str


UNKNOWN = Risk("unknown", "nobody has judged it: read what it would type", "chưa ai đánh giá: hãy đọc lệnh sẽ chạy")


@cache
def all_risks() -> dict[str, Risk]:
    """Step id → its risk."""
    text = (files("lakeproof.mitigations") / "risks.yml").read_text(encoding="utf-8")
    return {name: Risk(**fields) for name, fields in load_yaml(text).items()}


def risk_of(step: str) -> Risk:
    """The risk of a step; UNKNOWN where none is kept."""
    return all_risks().get(step, UNKNOWN)
