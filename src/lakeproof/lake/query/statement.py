"""What a person typed as SQL: split into tokens, held to reading, put in an engine's words where they differ."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lakeproof.errors import InvalidInput

READING = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "SHOW", "DESCRIBE", "DESC", "EXPLAIN"})
_EXPLAIN_WORDS = frozenset(
    (
        *("ANALYZE", "VERBOSE"),
        *("PLAN", "FOR", "ESTIMATED_COST", "CHANGELOG_MODE", "PLAN_ADVICE", "JSON_EXECUTION_PLAN"),
        *("EXTENDED", "CODEGEN", "COST", "FORMATTED"),
    )
)

_TOKEN = re.compile(
    r"""
    (?P<space>   \s+ | --[^\n]* | /\*(?!\+).*?\*/ )
  | (?P<hint>    /\*\+.*?\*/ )
  | (?P<text>    '(?:[^']|'')*' )
  | (?P<quoted>  "(?:[^"]|"")*" | `(?:[^`]|``)*` )
  | (?P<word>    [^\W\d]\w* )
  | (?P<number>  \d[\w.]* )
  | (?P<symbol>  . )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """One piece of the statement; `kind` is the name of its group in the pattern."""

    kind: str
    text: str

    @property
    def name(self) -> str:
        """The identifier it stands for, lower case where it was not quoted; "" for anything else."""
        if self.kind == "word":
            return self.text.lower()
        return self.text[1:-1] if self.kind == "quoted" else ""


def _tokens(sql: str) -> Iterator[Token]:
    for found in _TOKEN.finditer(sql):
        yield Token(str(found.lastgroup), found.group())


def without_values(sql: str) -> str:
    """The statement without its texts and numbers, in whose place a ? stands, without comments, on one line."""
    hidden = {"text": "?", "number": "?", "space": " ", "hint": " "}
    # A quote that is not closed is no token of its kind: everything from there on is left out.
    words = []
    for token in _tokens(sql):
        if token.text in ("'", '"', "`"):
            words.append("…")
            break
        words.append(hidden.get(token.kind, token.text))
    return " ".join("".join(words).split())


def require_reading(sql: str) -> str:
    """The statement without its closing semicolon, if it is one statement that only reads.

    Raises: InvalidInput for none, for several, or for one that writes or changes the session.
    """
    tokens = list(_tokens(sql))
    while tokens and (tokens[-1].kind == "space" or tokens[-1].text == ";"):
        tokens.pop()
    code = [token for token in tokens if token.kind != "space"]
    if not code:
        raise InvalidInput(
            "no statement given", where="SQL", next_action='for example: "SELECT count(*) FROM orders"'
        )
    if any(token.text == ";" for token in code):
        raise InvalidInput("more than one statement", where="SQL", next_action="give them one at a time")
    verbs = list(_verbs(code))
    if not verbs or any(verb not in READING for verb in verbs):
        raise InvalidInput(
            f"{' '.join(verbs) or code[0].text} is no reading statement: engines that read never write to the lake",
            where="SQL",
            next_action=f"one of {', '.join(sorted(READING))}; rows change through the shop's database",
        )
    return "".join(token.text for token in tokens)


def _verbs(code: list[Token]) -> Iterator[str]:
    """The statement's verbs, outermost first: EXPLAIN ANALYZE INSERT runs the insert, so what follows counts too."""
    start = next((place for place, token in enumerate(code) if token.text != "("), len(code))
    if start == len(code):
        return
    verb = code[start].text.upper()
    yield verb
    rest = code[start + 1 :]
    if verb == "EXPLAIN":
        yield from _verbs(_after_options(rest))
    elif verb == "WITH":
        yield from _verbs(_after_common_tables(rest))


def _after_options(code: list[Token]) -> list[Token]:
    """EXPLAIN's statement without its options: (TYPE …), ANALYZE, VERBOSE, PLAN FOR, ESTIMATED_COST, …"""
    place = 0
    if code and code[0].text == "(" and code[1:2] and code[1].text.upper() in ("TYPE", "FORMAT"):
        place = 1 + next((index for index, token in enumerate(code) if token.text == ")"), len(code))
    while place < len(code) and (code[place].text == "," or code[place].text.upper() in _EXPLAIN_WORDS):
        place += 1
    return code[place:]


def _after_common_tables(code: list[Token]) -> list[Token]:
    """What follows WITH name (columns) AS (…), …"""
    depth = 0
    for place, token in enumerate(code):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == ")" and depth == 0 and code[place + 1 : place + 2]:
            following = code[place + 1].text.upper()
            if following not in ("AS", ","):
                return code[place + 1 :]
    return []


def in_catalog(sql: str, catalog: str, schemas: frozenset[str], pinned: str) -> str:
    """`sql` with every `catalog.SCHEMA` of a known schema as `pinned.SCHEMA`; text, comments, aliases untouched."""
    tokens = list(_tokens(sql))
    code = [index for index, token in enumerate(tokens) if token.kind != "space"]
    for place, index in enumerate(code):
        following = [tokens[each] for each in code[place + 1 : place + 3]]
        begins = place == 0 or tokens[code[place - 1]].text != "."
        if (
            begins
            and tokens[index].name == catalog
            and len(following) == 2
            and following[0].text == "."
            and following[1].name in schemas
        ):
            tokens[index] = Token("word", pinned)
    return "".join(token.text for token in tokens)


def with_texts(sql: str, write: Callable[[str], str]) -> str:
    """`sql` with each text literal written anew: `write` gets the text itself, as standard SQL means it.

    A literal with a letter before it (r'…', X'…') is the engine's own kind and stays.
    """
    tokens = list(_tokens(sql))
    for place, token in enumerate(tokens):
        prefixed = place > 0 and tokens[place - 1].kind == "word" and len(tokens[place - 1].text) == 1
        if token.kind == "text" and not prefixed:
            tokens[place] = Token("text", write(token.text[1:-1].replace("''", "'")))
    return "".join(token.text for token in tokens)
