"""A web page: a package's template on top of the base template, in the language and colours that the reader chose.

`?lang=vi|en` and `?theme=dark|light|system` choose, and a cookie keeps the choice. In a template, `_("Text")` shows a
literal text in the reader's language, and `value | said` a value (a status, a name) that has a translation.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from lakeproof.pages.static_files import address
from lakeproof.pages.words import LANGUAGES, Language, Words

HERE = "lakeproof.pages"
THEMES = ("system", "light", "dark")
COOKIE_SECONDS = 365 * 86_400
READS = ("GET", "HEAD")
# A page loads nothing from other hosts and has no inline script. So a script in an alert's text would not run, even
# where it were not escaped.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Entry:
    """One entry of the navigation. A page whose path begins with `path` belongs to it."""

    title: str
    path: str


NAVIGATION = (
    Entry("Stack", "/"),
    Entry("Incidents", "/incidents"),
    Entry("Runbook", "/runbook"),
    Entry("Lake", "/lake"),
    Entry("Use cases", "/usecases"),
    Entry("Dashboards", "/dashboards"),
    Entry("On-call", "/oncall"),
)
STACK_PAGES = "/components/"


def language_of(request: Request) -> Language:
    """The language that the address names, else the cookie, else the browser; English where none names vi or en."""
    accepted = request.headers.get("accept-language", "")[:2].lower()
    for said in (request.query_params.get("lang"), request.cookies.get("lang"), accepted):
        for language in LANGUAGES:
            if said == language:
                return language
    return "en"


def theme_of(request: Request) -> str:
    """The colours that the address names, else the cookie; else `system`, which follows the browser."""
    for said in (request.query_params.get("theme"), request.cookies.get("theme")):
        if said in THEMES:
            return said
    return "system"


def current(path: str) -> Entry | None:
    """The entry of the navigation that a page belongs to."""
    if path.startswith(STACK_PAGES):
        return NAVIGATION[0]
    found = [one for one in NAVIGATION if path == one.path or (one.path != "/" and path.startswith(f"{one.path}/"))]
    return found[0] if found else None


class Pages:
    """The pages of one package: its `templates/`, its `words.vi.yml`, and the base template of this package."""

    def __init__(self, room: str) -> None:
        self._words = Words((HERE, room))
        self.templates = Environment(
            loader=ChoiceLoader([PackageLoader(room), PackageLoader(HERE)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        # A literal in a template may hold markup. A value may not: `said` gives plain text, which is escaped.
        install = self.templates.install_gettext_callables  # type: ignore[attr-defined]
        install(self._gettext, self._ngettext, newstyle=True)
        self.templates.filters |= {
            "said": pass_context(lambda context, value: self._words.say(value, context["lang"])),
            "day": lambda at: f"{at:%Y-%m-%d %H:%M:%S}",
            "clock": lambda at: f"{at:%H:%M:%S}",
            "iso": lambda at: at.isoformat(),
        }
        self.templates.globals |= {"asset": address, "navigation": NAVIGATION, "themes": THEMES}

    def say(self, request: Request, text: str) -> str:
        """A text in the reader's language."""
        return self._words.say(text, language_of(request))

    def render(
        self, request: Request, template: str, status: int = 200, found_at: str = "/", **values: Any
    ) -> HTMLResponse:
        """A whole page, or the part that htmx asked for. Language and colours chosen in the address become cookies.

        found_at: the address at which a GET shows this page, where it is the answer to a form.
        """
        language, theme = language_of(request), theme_of(request)

        def choose(**chosen: str) -> str:
            if request.method in READS:
                return "?" + urlencode({**request.query_params, **chosen})
            return f"{found_at}{'&' if '?' in found_at else '?'}{urlencode(chosen)}"

        text = self.templates.get_template(template).render(
            lang=language,
            theme=theme,
            path=request.url.path,
            here=current(request.url.path),
            choose=choose,
            **values,
        )
        answer = HTMLResponse(text, status, headers=HEADERS | {"Content-Language": language})
        for name, value in (("lang", language), ("theme", theme)):
            if name in request.query_params:
                answer.set_cookie(name, value, max_age=COOKIE_SECONDS, httponly=True, samesite="lax")
        return answer

    @pass_context
    def _gettext(self, context: Context, text: str) -> str:
        return self._words.say(text, context["lang"])

    @pass_context
    def _ngettext(self, context: Context, singular: str, plural: str, n: int) -> str:
        return self._words.say(singular if n == 1 else plural, context["lang"])
