"""Markdown shown as a page: what an incident's RCA and a runbook look like in a browser.

Raw HTML in the text stays text, and links with a scheme that could run something are none (markdown-it's own rule).
"""

from markdown_it import MarkdownIt
from markupsafe import Markup
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.tasklists import tasklists_plugin

_RENDERER = MarkdownIt("commonmark", {"html": False}).enable("table").use(footnote_plugin)
_RENDERER.use(tasklists_plugin, label=True)  # a screen reader needs each box's label


def render_markdown(text: str) -> Markup:
    """The text as HTML. It can be put into a page as it is: the renderer lets no HTML of the text through."""
    return Markup(_RENDERER.render(text))
