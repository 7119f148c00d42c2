"""Markdown shown as a page: what an incident's RCA and a runbook look like in a browser.

Raw HTML in the text is shown as text. A link whose scheme could run something is not made (markdown-it's own rule).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.tasklists import tasklists_plugin

_RENDERER = MarkdownIt("commonmark", {"html": False}).enable("table").use(footnote_plugin)
_RENDERER.use(tasklists_plugin, label=True)  # a screen reader needs each box's label


def render_markdown(text: str) -> Markup:
    """The text as HTML, its appendices folded. It can be put into a page as it is: the renderer lets no HTML of the
    text through.
    """
    env: dict[str, Any] = {}
    tokens = list(_folded(_RENDERER.parse(text, env)))
    return Markup(_RENDERER.renderer.render(tokens, _RENDERER.options, env))


def _folded(tokens: Sequence[Token]) -> Iterator[Token]:
    """Each part of the text under a heading that begins with "Appendix" can be opened at that heading."""
    is_open = False
    for number, token in enumerate(tokens):
        begins_part = token.type == "heading_open" and token.tag in ("h1", "h2")
        if token.level == 0 and (begins_part or token.type == "footnote_block_open"):
            if is_open:
                yield _html("</details>\n")
            is_open = begins_part and tokens[number + 1].content.startswith("Appendix")
            if is_open:
                yield _html("<details><summary>")
        yield token
        if is_open and token.level == 0 and token.type == "heading_close" and token.tag in ("h1", "h2"):
            yield _html("</summary>\n")
    if is_open:
        yield _html("</details>\n")


def _html(text: str) -> Token:
    return Token("html_block", "", 0, content=text)
