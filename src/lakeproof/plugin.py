"""A plugin: a class that scenarios name by its id (a fault, a mitigation, a check, a wrong step).

Its fields are the arguments that a scenario or a person may set, and the first paragraph of its docstring is what
lists and reports print. Room folders (faults/, checks/ …) and scenario folders hold them; no registry is kept by
hand.
"""

import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, ClassVar

from lakeproof.arguments import Arguments


class Plugin(Arguments):
    """Base of all plugins.

    id: the class's name in snake_case. summary: the first paragraph of its docstring, without the full stop.
    A class that only serves as a base for others is made with `abstract=True`, and gets no id.
    """

    id: ClassVar[str] = ""
    summary: ClassVar[str] = ""

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        """Give the class its id and its summary."""
        super().__init_subclass__(**kwargs)
        cls.id = "" if abstract else re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        first = (cls.__doc__ or "").split("\n\n", 1)[0]
        text = " ".join(first.split()).removesuffix(".")
        # "Pause the connector." is listed as "pause the connector"; "CDC's account …" stays.
        cls.summary = text[:1].lower() + text[1:] if not text[1:2].isupper() else text


def plugins_in[T: Plugin](kind: type[T]) -> Callable[[ModuleType], Iterator[type[T]]]:
    """Gives, for a module, the plugins of that kind which it defines itself, bases left out."""

    def find(module: ModuleType) -> Iterator[type[T]]:
        for item in vars(module).values():
            if isinstance(item, type) and issubclass(item, kind) and item.id and item.__module__ == module.__name__:
                yield item

    return find
