"""Makes one cause for each subject of a noun (nouns.py): fills in the placeholders of an entry of causes.yaml.

A placeholder is a word in braces, in any text of a cause: id, says, probes, values, arguments, masks, masked_by,
masked_by_components, explains. In the id of a cause, a `-` of the word becomes `_`.
An entry of `supporting`, `masks`, `masked_by`, `masked_by_components` or `explains` is left out where the subject
does not have the word. An entry of any list with placeholders of another noun stands once for each subject of that
noun: `explains: ["{source}-publish-age"]`, in a cause that is about no single source, names every source's probe. In
a cause of a source or database, subjects of another source or engine are left out: `explains: ["{service}-refusals"]`
stands for the services that keep their tables there.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from lakeproof.diagnosis.cause_file import IDENTIFIER, CauseModel
from lakeproof.diagnosis.nouns import NOUNS, Subject
from lakeproof.errors import InvalidInput

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
# The words that mean the same in several nouns.
_SHARED = ("source", "engine")
# The fields that hold ids of causes.
_IDS = ("id", "masks", "masked_by")
_MAY_LACK = ("supporting", "masks", "masked_by", "masked_by_components", "explains")


class _NoWord(Exception):
    """The subject does not have the word that an entry needs."""


def expanded(model: CauseModel, where: str) -> Iterator[tuple[Subject, CauseModel]]:
    """Each subject with the cause made for it. An entry without `for_each` gives one cause, with an empty subject.

    Raises: InvalidInput for a noun or placeholder that is not known, or text that is wrong once filled in.
    """
    subjects: tuple[Subject, ...] = ({},)
    if model.for_each is not None:
        if model.for_each not in NOUNS:
            raise InvalidInput(
                f"{model.id}: no noun {model.for_each!r}", where=where, next_action=f"one of {', '.join(NOUNS)}"
            )
        subjects = NOUNS[model.for_each]
    subjects = _fitting(model.where, subjects, model, where)
    for step in model.repairs:
        _fitting(step.where, subjects, model, where)
    for subject in subjects:
        steps = [step for step in model.repairs if step.where.items() <= subject.items()]
        yield subject, _filled(model.model_copy(update={"repairs": steps}), subject, where)


def _fitting(
    wanted: Mapping[str, str], subjects: tuple[Subject, ...], model: CauseModel, where: str
) -> tuple[Subject, ...]:
    """The subjects that have all words of `wanted`. Raises: InvalidInput where none has them."""
    for key in wanted:
        _require(key, subjects[0], model, where)
    found = tuple(subject for subject in subjects if wanted.items() <= subject.items())
    if not found:
        raise InvalidInput(
            f"{model.id}: {dict(wanted)} fits none of {model.for_each}", where=where, next_action="correct `where`"
        )
    return found


def _filled(model: CauseModel, subject: Subject, where: str) -> CauseModel:
    def fill(key: str, value: Any, words: Subject) -> Any:
        if isinstance(value, str):
            return _PLACEHOLDER.sub(lambda match: word(match[1], words, key in _IDS), value)
        if isinstance(value, list):
            return [one for each in value for one in entries(key, each, words)]
        if isinstance(value, dict):
            return {inner: fill(inner, each, words) for inner, each in value.items()}
        return value

    def entries(key: str, entry: Any, words: Subject) -> Iterator[Any]:
        asked = set(_PLACEHOLDER.findall(str(entry))) - words.keys()
        others = next((subjects for subjects in NOUNS.values() if asked <= subjects[0].keys()), ({},))
        for other in others if asked else ({},):
            if any(words[word] != other[word] for word in _SHARED if word in words and word in other):
                continue
            try:
                yield fill(key, entry, {**other, **words})
            except _NoWord:
                if key not in _MAY_LACK:
                    raise

    def word(name: str, words: Subject, in_ids: bool) -> str:
        _require(name, words, model, where)
        found = words[name]
        if found is None:
            raise _NoWord
        return found.replace("-", "_") if in_ids else found

    told = model.model_dump(
        exclude={"for_each": True, "where": True, "repairs": {"__all__": {"where"}}}, exclude_unset=True
    )
    try:
        filled = CauseModel.model_validate(fill("", told, subject))
    except _NoWord:
        raise InvalidInput(
            f"{model.id}: {subject} does not have a word that it needs",
            where=where,
            next_action="state `where`, or write it without the word",
        ) from None
    except ValidationError as error:
        raise InvalidInput(
            f"{model.id}: {error.errors()[0]['msg']}", where=where, next_action="correct the entry"
        ) from error
    if not re.match(IDENTIFIER, filled.id):
        raise InvalidInput(f"{filled.id!r} is no id", where=where, next_action="lower-case words, joined by _")
    return filled


def _require(name: str, words: Mapping[str, object], model: CauseModel, where: str) -> None:
    if name not in words:
        known = ", ".join(f"{{{each}}}" for each in words) or f"none without for_each: {', '.join(NOUNS)}"
        raise InvalidInput(f"{model.id}: no placeholder {{{name}}}", where=where, next_action=f"one of {known}")
