"""Which type a column of a source gets in the lake.

Only types are accepted whose values `lakeproof check` compares in every engine (proof/tables/canonical.py): a column
that nobody could compare with the database would be a gap in what is promised.
"""

import re
from dataclasses import dataclass

from lakeproof.errors import InvalidInput

_NOT_NULL, _NULL, _DEFAULT = re.compile(r"\bnot\s+null\b"), re.compile(r"\bnull\b"), re.compile(r"\bdefault\s+\S+")
MOST_DIGITS = 38

# Engine → the server's name of a type, without size and sign → Flink's type.
_INTEGERS = {
    "mysql": {
        **dict.fromkeys(("tinyint", "bool", "boolean", "smallint", "mediumint", "int", "integer"), "INT"),
        "bigint": "BIGINT",
    },
    "postgres": {
        **dict.fromkeys(("smallint", "int2", "integer", "int", "int4"), "INT"),
        **dict.fromkeys(("bigint", "int8"), "BIGINT"),
    },
}
_OTHERS = {
    "mysql": {
        **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum"), "STRING"),
        **dict.fromkeys(("datetime", "timestamp"), "TIMESTAMP(6)"),
    },
    "postgres": {
        **dict.fromkeys(("text", "varchar", "character varying", "uuid", "jsonb"), "STRING"),
        **dict.fromkeys(("timestamp", "timestamptz"), "TIMESTAMP(6)"),
        **dict.fromkeys(("boolean", "bool"), "BOOLEAN"),
    },
}
_DECIMALS = frozenset({"decimal", "numeric", "dec"})
# The size of a decimal that is declared without one. In PostgreSQL such a decimal has any size.
_PLAIN_DECIMAL = {"mysql": "10,0"}
# Words that may follow a type. Only `unsigned` matters here.
_BESIDE = ("unsigned", "zerofill", "with time zone", "without time zone")


@dataclass(frozen=True)
class SqlType:
    """A type as somebody typed it after ADD COLUMN. nullable, has_default: by the words that stood beside it."""

    text: str
    nullable: bool = True
    has_default: bool = False


def parse_sql_type(text: str) -> SqlType:
    """Take `NOT NULL` and `DEFAULT …` off a type."""
    words = " ".join(text.lower().split())
    bare = _NULL.sub("", _NOT_NULL.sub("", _DEFAULT.sub("", words)))
    return SqlType(" ".join(bare.split()), not _NOT_NULL.search(words), bool(_DEFAULT.search(words)))


def lake_type(engine: str, text: str, *, where: str) -> str:
    """Flink's type for a type of that engine, e.g. `varchar(64)` → STRING. where: the column, for the message.

    Raises: InvalidInput for a type that has none, or whose values may not fit.
    """
    words = " ".join(text.lower().split())
    if words.startswith("enum(") and "enum" in _OTHERS[engine]:
        return "STRING"
    beside = [word for word in _BESIDE if word in words]
    bare = words
    for word in beside:
        bare = bare.replace(word, "")
    name, _, size = bare.strip().removesuffix(")").partition("(")
    name = name.strip()
    unsigned = "unsigned" in beside
    if unsigned and name == "bigint":
        raise _refused(words, where, "its values may not fit the lake's BIGINT", "DECIMAL(20, 0), a signed BIGINT")
    if name in _INTEGERS[engine]:
        return "BIGINT" if unsigned and name in ("int", "integer") else _INTEGERS[engine][name]
    if name in _DECIMALS:
        return _decimal(size or _PLAIN_DECIMAL.get(engine, ""), words, where)
    if name in _OTHERS[engine]:
        return _OTHERS[engine][name]
    known = sorted({*_INTEGERS[engine], "decimal(p, s)", *_OTHERS[engine]})
    raise _refused(
        words,
        where,
        "the engines of the lake do not all give it back alike, so `check` could not hold it to the database",
        f"one of {', '.join(known)}",
    )


def _decimal(size: str, words: str, where: str) -> str:
    digits, _, scale = size.partition(",")
    if not digits.strip().isdigit() or int(digits) > MOST_DIGITS:
        raise _refused(words, where, f"a decimal needs at most {MOST_DIGITS} digits and a scale", "DECIMAL(12, 2)")
    return f"DECIMAL({int(digits)}, {int(scale or 0)})"


def _refused(words: str, where: str, why: str, instead: str) -> InvalidInput:
    return InvalidInput(f"{words}: {why}", where=where, next_action=f"give the column another type: {instead}")
