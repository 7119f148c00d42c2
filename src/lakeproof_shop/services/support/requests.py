"""What callers may ask of the support service: every limit on what comes in stands here."""

import unicodedata
from typing import Annotated
from urllib.parse import unquote

import orjson
from pydantic import Field, StrictInt

from lakeproof.strict_model import StrictModel
from lakeproof_shop.names import MAX_CUSTOMER_ID
from lakeproof_shop.services.support.models import Author
from lakeproof_shop.serving.whole_number import WHOLE

MAX_ID = 2**63 - 1
MAX_MESSAGES = 500  # of one case
MAX_ATTACHMENTS = 100  # of one case
MAX_NAME = 200

# Line breaks and tabs are text; other control characters are not, and PostgreSQL keeps no NUL.
Text = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+$")]
Subject = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class MessageRequest(StrictModel):
    """What somebody writes."""

    author: Author = "customer"
    body: Annotated[Text, Field(examples=["My parcel has not come."])]

    def canonical(self) -> str:
        """The request as one text: equal for equal requests however they were written."""
        return orjson.dumps(self.model_dump(), option=orjson.OPT_SORT_KEYS).decode()


class OpenRequest(StrictModel):
    """A new case. Without an order its timeline holds the case's own entries only."""

    customer_id: Annotated[StrictInt, Field(ge=1, le=MAX_CUSTOMER_ID), WHOLE]
    order_id: Annotated[StrictInt, Field(ge=1, le=MAX_ID), WHOLE] | None = None
    subject: Annotated[Subject, Field(examples=["Where is my parcel?"])]
    message: Text | None = None

    def canonical(self) -> str:
        """The request as one text: equal for equal requests however they were written."""
        return orjson.dumps(self.model_dump(), option=orjson.OPT_SORT_KEYS).decode()


def what_is_wrong_with(name: str) -> str:
    """Why a file name is refused, or "" for a plain one. Names are only shown here. Yet a name that would be a path
    elsewhere (say, on the machine that downloads the file) is refused, also where it is encoded to hide that.
    """
    if not 1 <= len(name) <= MAX_NAME:
        return f"a name has 1 to {MAX_NAME} characters"
    plain = name
    for _ in range(5):  # %252e%252e%252f
        plain = unicodedata.normalize("NFKC", unquote(plain, errors="replace"))
    if any(mark in plain for mark in ("/", "\\", "\N{DIVISION SLASH}", "\N{FRACTION SLASH}", ":")):
        return "a name holds no path"
    if plain.startswith(".") or plain.strip(" .") != plain:
        return "a name neither begins with a dot nor begins or ends with a space or a dot"
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for character in plain):
        return "a name holds no control characters"
    return ""
