"""The graph of way.py in an SVG's coordinates; and the same graph as a list of stages, which a phone shows."""

from collections.abc import Mapping
from dataclasses import dataclass

from lakeproof.console.look import NOT_STARTED, Look
from lakeproof.console.quantity import show_quantity
from lakeproof.console.way import ARROWS, BOXES, SHOPPERS, SHOPPING, STAGES, Arrow, Box, Figure
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.states import Health, State

# States, the worst first. Of several processes the worst state is shown.
_ORDER = (
    State.FAILED,
    State.EXITED,
    Health.UNHEALTHY,
    State.PAUSED,
    State.STOPPING,
    State.PREPARING,
    State.WAITING,
    Health.STARTING,
    Health.UNKNOWN,
    State.STOPPED,
    NOT_STARTED,
    Health.HEALTHY,
)


WIDTH, HEIGHT = 126.0, 52.0
COLUMN, ROW, MARGIN = 192.0, 84.0, 4.0
TIP = 7.0


@dataclass(frozen=True)
class Place:
    """A box as it is drawn. state: one word, also its CSS class. line: the text below its title."""

    name: str
    title: str
    x: float
    y: float
    state: str
    line: str
    reason: str


@dataclass(frozen=True)
class Way:
    """An arrow as it is drawn. path: as SVG writes it. texts: its figures and their meaning, from top to bottom."""

    path: str
    x: float
    y: float
    texts: tuple[tuple[str, str], ...]
    beside: bool
    alive: bool


@dataclass(frozen=True)
class Stage:
    """The boxes of one stage, and the arrows with figures that leave them, as (from, to, arrow)."""

    title: str
    places: tuple[Place, ...]
    ways: tuple[tuple[str, str, Way], ...]


@dataclass(frozen=True)
class Drawing:
    """The whole graph."""

    width: float
    height: float
    places: tuple[Place, ...]
    ways: tuple[Way, ...]
    stages: tuple[Stage, ...]
    box_width: float = WIDTH
    box_height: float = HEIGHT


def state_of(row: ProcessRow) -> str:
    """One word: the health of a process that runs, else the state in which the supervisor has it."""
    if row.state is State.RUNNING:
        return str(row.health or Health.STARTING)
    return str(row.state)


def worst_state(rows: list[ProcessRow], absent: str = NOT_STARTED) -> str:
    """The worst state of a component's processes; `absent` where it has none."""
    return min((state_of(row) for row in rows), key=_ORDER.index, default=absent)


def draw(look: Look) -> Drawing:
    """The graph as this look saw the stack."""
    boxes = {box.name: box for box in BOXES}
    places = {box.name: _place(box, look) for box in BOXES}
    ways = {arrow: _way(arrow, boxes, places, look) for arrow in ARROWS}
    stages = tuple(
        Stage(
            title,
            tuple(places[box.name] for box in BOXES if _stage(box) == number),
            tuple(
                (boxes[arrow.start].title, boxes[arrow.end].title, way)
                for arrow, way in ways.items()
                if way.texts and _stage(boxes[arrow.start]) == number
            ),
        )
        for number, title in enumerate(STAGES)
    )
    width = max(place.x for place in places.values()) + WIDTH + MARGIN
    height = max(place.y for place in places.values()) + HEIGHT + MARGIN
    return Drawing(width, height, tuple(places.values()), tuple(ways.values()), stages)


def _is_due(figure: Figure, look: Look) -> bool:
    """True where the figure should be there. A figure of a database that is not captured is not missed."""
    if figure.within is None:
        return True
    row = look.parts.get(figure.within)
    return row is not None and state_of(row) == Health.HEALTHY


def _stage(box: Box) -> int:
    return box.column if box.stage is None else box.stage


def _place(box: Box, look: Look) -> Place:
    x, y = MARGIN + box.column * COLUMN, MARGIN + box.row * ROW
    if box.name == SHOPPERS:
        rate = look.figures.get(SHOPPING.id)
        return Place(box.name, box.title, x, y, "", show_quantity(rate, SHOPPING.unit), SHOPPING.says)
    rows = look.replicas(box.name)
    state = worst_state(rows, look.absent)
    line = ""
    if state == Health.HEALTHY and all(row.pid is not None for row in rows):
        memory = show_quantity(sum(row.rss_bytes for row in rows), "bytes")
        line = f"{memory} · {sum(row.cpu_percent for row in rows):.0f} %"
    reason = "; ".join(row.reason for row in rows if row.reason)
    title = f"{box.title} ×{len(rows)}" if len(rows) > 1 else box.title
    return Place(box.name, title, x, y, state, line, reason)


def _way(arrow: Arrow, boxes: Mapping[str, Box], places: Mapping[str, Place], look: Look) -> Way:
    start, end = places[arrow.start], places[arrow.end]
    x1, y1, x2, y2 = start.x + WIDTH / 2, start.y + HEIGHT / 2, end.x + WIDTH / 2, end.y + HEIGHT / 2
    if boxes[arrow.start].column == boxes[arrow.end].column:  # the arrow leaves its box at the bottom
        y1, y2 = y1 + HEIGHT / 2, y2 - HEIGHT / 2 - TIP
        path = f"M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}"
        x, y = x1, (y1 + y2) / 2
    else:
        x1, x2 = x1 + WIDTH / 2, x2 - WIDTH / 2 - TIP
        bend = (x1 + x2) / 2
        path = f"M{x1:.0f} {y1:.0f}C{bend:.0f} {y1:.0f} {bend:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
        # Several arrows may begin at one box, so the figures of a steep arrow stand near its end.
        at = arrow.at if arrow.at is not None else 0.5 if abs(y2 - y1) < ROW else 0.9
        x, y = bend, y1 + (y2 - y1) * at
    alive = start.state in ("", Health.HEALTHY) and end.state == Health.HEALTHY
    texts = tuple(
        (show_quantity(value, figure.unit), figure.says)
        for figure in arrow.figures
        if (value := look.figures.get(figure.id)) is not None or (alive and _is_due(figure, look))
    )
    return Way(path, x, y, texts, arrow.beside, alive)
