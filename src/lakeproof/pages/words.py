"""A page's texts in both languages. Templates are in English; a package's `words.vi.yml` has the Vietnamese.

A text without a translation is shown in English; tests/pages compares templates with translations.
"""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, Literal, get_args

from lakeproof.yaml_file import load_yaml

type Language = Literal["vi", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language.__value__)


def read_words(rooms: Iterable[str]) -> Mapping[str, str]:
    """English → Vietnamese, from `words.vi.yml` of these packages; a later package wins."""
    words: dict[str, str] = {}
    for room in rooms:
        path = files(room) / "words.vi.yml"
        if path.is_file():
            words |= load_yaml(path.read_text(encoding="utf-8")) or {}
    return words


class Words:
    """The translations of some packages."""

    def __init__(self, rooms: Iterable[str]) -> None:
        self._vietnamese = read_words(rooms)

    def say(self, text: Any, language: Language) -> str:
        """The text in that language, or unchanged where it has no translation."""
        return self._vietnamese.get(str(text), str(text)) if language == "vi" else str(text)
