"""docs/settings.md, made from the model of the settings, so that the two cannot drift apart."""

import json
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lakeproof.stack.settings import Settings

HEAD = """# Settings

After reading you can change any setting, in a file or by an environment variable, and know its default and bounds.

Settings stand in `lakeproof.toml` in the folder that you are in, or in the file that `LAKEPROOF_CONFIG` names. The
environment (`LAKEPROOF_*`) wins over the file.

- In the file a value of a table stands under the table's heading: `[lake]`, then `checkpoint_seconds = 3`.
- In the environment, table and value are joined by two underscores: `LAKEPROOF_LAKE__CHECKPOINT_SECONDS=3`. A whole
  list or table is JSON there: `LAKEPROOF_SCENARIO_DIRS='["more"]'`.
- A name that is not known, or a value out of range, is refused by every command that reads the settings.
- Times are in seconds.

A running stack keeps what it was started with: `lakeproof down`, then `up`. `start` and `restart` also hand
three settings to their service: `inventory.reservation_ttl_seconds`, `support.timeline_cache_ttl_seconds` and
`notification.notification_rate_limit`.
External endpoints, with an example: [external.md](external.md). Receivers of alerts:
[observability.md](observability.md).
"""
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}  # by pydantic's names
NOTE = "<!-- Made by `lakeproof render settings > docs/settings.md` from stack/settings.py. Edit there. -->"


def settings_page() -> str:
    """Every setting in Markdown: the stack's own ones, then table by table."""
    lines = [HEAD]
    tables = {name: field for name, field in Settings.model_fields.items() if isinstance(field.default, BaseModel)}
    own = {name: field for name, field in Settings.model_fields.items() if name not in tables}
    lines += _table(own)
    for name, field in tables.items():
        model = type(field.default)
        lines += [f"## `[{name}]`", "", " ".join((model.__doc__ or "").split()), "", *_table(model.model_fields)]
    return "\n".join((*lines, NOTE, ""))


def _table(fields: dict[str, FieldInfo]) -> Iterator[str]:
    yield "| Setting | Default | May be | What it is |"
    yield "| --- | --- | --- | --- |"
    for name, field in fields.items():
        cells = (f"`{name}`", _default(field), _range(field), field.description or "")
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _default(field: FieldInfo) -> str:
    default: Any = field.get_default(call_default_factory=True)
    return "none" if default is None else f"`{json.dumps(default, default=str)}`"


def _range(field: FieldInfo) -> str:
    """The words or the bounds that a value is held to; "" for anything of its type."""
    words = [f"`{word}`" for word in get_args(field.annotation) if isinstance(word, str) and word]
    if words:
        return ", ".join(words)
    bounds = [(word, getattr(one, name, None)) for one in field.metadata for name, word in BOUNDS.items()]
    return ", ".join(f"{word} {bound:,}" for word, bound in bounds if bound is not None)
