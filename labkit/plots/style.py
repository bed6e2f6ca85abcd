"""The look of the whole course in one place: colours with one meaning each, sizes, titles, the stamp.

Pictures are made from `matplotlib.figure.Figure`. No pyplot: its figures are global, and a widget's callback runs in
another thread. Settings hold inside `with paper():` only, and are then as they were.
"""

import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

INK, SOFT, GREY, PALE, BAND, PAPER = "#1b1b1f", "#50545c", "#8a8f98", "#e4e6ea", "#ececec", "#ffffff"
BROKEN, GOOD = "#D55E00", "#009E73"  # BROKEN: failed, lost or doubled, always with a second sign; nothing else wears it

WIDTH_IN = 9.0
DPI = 200  # drawn at twice the 900 px it is shown at, so that it is sharp on a fine screen
SHOWN_PX = 900


@dataclass(frozen=True)
class Look:
    """How one design is drawn: colour of its marks, darker colour of its words, marker, sign for text.

    on: the colour of words that stand on its marks.
    """

    name: str
    colour: str
    words: str
    marker: str
    sign: str
    on: str = PAPER


KAFKA = Look("Kafka", "#0072B2", "#0072B2", "D", "◆")
RABBITMQ = Look("RabbitMQ", "#E69F00", "#966500", "^", "▲", INK)
STREAM = Look("RabbitMQ stream", "#56B4E9", "#1f6f9f", "v", "▼", INK)
HTTP = Look("HTTP chain", SOFT, SOFT, "o", "●")
RETRIES = Look("HTTP with retries", "#CC79A7", "#A03E78", "s", "■")
DEFENDED = Look("HTTP with breaker", "#A03E78", "#7d2f5d", "p", "⬟")  # retries, with a budget and a circuit breaker
Words = tuple[str, dict[str, Any]]  # and how they are set
FAILED_SIGN: Words = ("× failed", {"color": BROKEN, "weight": "bold"})
LOOKS = {"http": HTTP, "retries": RETRIES, "defended": DEFENDED, "kafka": KAFKA, "rabbitmq": RABBITMQ, "stream": STREAM}
EVENTS = ("kafka", "rabbitmq", "stream")

_RC: Any = {  # Any: matplotlib types its settings by every single name
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "text.color": INK,
    "axes.facecolor": PAPER,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "xtick.labelsize": 11.5,
    "ytick.labelsize": 11.5,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
}
_LOCK = threading.RLock()  # matplotlib's settings are one dict for all threads


@contextmanager
def paper() -> Iterator[None]:
    """The course's matplotlib settings, for the length of a `with`. The reader's own settings come back after it."""
    with _LOCK, matplotlib.rc_context():
        matplotlib.rcdefaults()  # or a dark style sheet of the reader's would shine through
        matplotlib.rcParams.update(_RC)
        yield


@dataclass(frozen=True)
class Picture:
    """A figure and one sentence that says the same. A notebook shows the first, a screen reader reads the second."""

    figure: Figure
    alt: str

    def png(self) -> bytes:
        """The picture as PNG bytes. The same figure gives the same bytes."""
        drawn, packed = io.BytesIO(), io.BytesIO()
        with paper():
            self.figure.savefig(drawn, format="rgba", dpi=DPI)
        wide, high = (int(inches * DPI) for inches in self.figure.get_size_inches())
        # 128 colours are plenty for a plot, and make a saved notebook a third as large.
        image = Image.frombytes("RGBA", (wide, high), drawn.getvalue()).convert("RGB")
        image = image.quantize(128, dither=Image.Dither.NONE)
        image.save(packed, "png", dpi=(DPI, DPI))  # optimize=True: 5 % smaller, and 0.15 s more for each picture
        return packed.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        data = {"image/png": self.png(), "text/plain": self.alt}
        return data, {"image/png": {"width": SHOWN_PX, "alt": self.alt}}


def figure(height_in: float, title: str, subtitle: str, stamp: str) -> Figure:
    """An empty sheet 900 px wide: the finding as its title, the provenance at its foot.

    title: one plain sentence, computed from the run; at most two lines of about 55 characters.
    subtitle: one line: what is drawn, or why. Title and subtitle take the upper 1.15 inch.
    stamp: brokers, versions, n, rate …; a long one is broken into two lines. Leave it the lowest 0.5 inch.
    """
    sheet = Figure(figsize=(WIDTH_IN, height_in), dpi=100)
    sheet.text(0.02, 1 - 0.16 / height_in, title, size=17, weight="bold", va="top", linespacing=1.25)
    sheet.text(0.02, 1 - (0.50 + 0.30 * title.count("\n")) / height_in, subtitle, size=12, color=SOFT, va="top")
    sheet.text(0.985, 0.09 / height_in, _stamp(stamp), size=8.5, color=GREY, ha="right", va="bottom")
    return sheet


def place(sheet: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at this place of the sheet, in inches from its lower left corner."""
    wide, high = (float(inches) for inches in sheet.get_size_inches())
    return sheet.add_axes((left / wide, bottom / high, width / wide, height / high))


def name_y(ax: Axes, words: str, size: float = 12) -> None:
    """The name of the y-axis, above it and horizontal: nobody turns the head."""
    ax.annotate(words, (0, 1), (-34, 9), xycoords="axes fraction", textcoords="offset points", size=size, va="bottom")


def words_in_a_row(ax: Axes, at: tuple[float, float], parts: Sequence[Words], gap: float = 7, **shared: Any) -> None:
    """Words beside each other, `gap` points apart, each in its own style. at: of the first, in parts of the axes."""
    before: Any = None
    for text, own in parts:
        where: dict[str, Any] = {"xy": at, "xycoords": "axes fraction", "annotation_clip": False}
        if before is not None:
            where = {"xy": (1, 0), "xycoords": before, "xytext": (gap, 0), "textcoords": "offset points"}
        before = ax.annotate(text, **where, **{"va": "bottom", "ha": "left", **shared, **own})


def key(sheet: Figure, words: str, signs: Sequence[Words]) -> None:
    """What the signs mean, in the place of a subtitle (give `figure` an empty one).

    In grey, for each design has a colour of its own; a sign that has one meaning everywhere brings its colour.
    """
    title = sheet.texts[0].get_text()
    down = 0.72 + 0.30 * title.count("\n")
    ax = place(sheet, 0.18, float(sheet.get_size_inches()[1]) - down, WIDTH_IN - 0.36, 0.2)
    ax.axis("off")
    words_in_a_row(ax, (0, 0), [(words, {}), *signs], size=12, gap=10, color=SOFT)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Heights for labels, each as near as can be to the one it wants, `gap` apart, between low and high."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    groups: list[list[int]] = []

    def bottom(group: list[int]) -> float:
        """Where the lowest label of a group stands that is centred on what its labels want."""
        centre = sum(wanted[i] for i in group) / len(group)
        high_enough = min(centre - (len(group) - 1) * gap / 2, high - (len(group) - 1) * gap)
        return max(high_enough, low)

    for i in order:
        groups.append([i])
        while len(groups) > 1 and bottom(groups[-1]) < bottom(groups[-2]) + len(groups[-2]) * gap:
            last = groups.pop()
            groups[-1] += last
    found = dict[int, float]()
    for group in groups:
        found |= {i: bottom(group) + step * gap for step, i in enumerate(group)}
    return [found[i] for i in range(len(wanted))]


def two_lines(sentence: str, limit: int = 55) -> str:
    """A title that is longer than `limit`, broken at the space that makes its lines most alike."""
    if len(sentence) <= limit:
        return sentence
    spaces = [i for i, letter in enumerate(sentence) if letter == " "]

    def badness(cut: int) -> tuple[bool, int]:  # after a mark is a better place to break than within a clause
        too_long = max(cut, len(sentence) - cut - 1) > limit + 3
        return too_long, abs(2 * cut - len(sentence)) - 30 * (sentence[cut - 1] in ".;:,")

    cut = min(spaces, key=badness, default=0)
    return f"{sentence[:cut]}\n{sentence[cut + 1 :]}" if cut else sentence


def time_words(ms: float) -> str:
    """A time at an axis: 30 ms, 1 s."""
    return f"{ms / 1000:g} s" if ms >= 1000 else f"{ms:g} ms"


def halo(width: float = 5) -> list[patheffects.AbstractPathEffect]:
    """A white edge round words, so that they can be read where a line passes behind them."""
    return [patheffects.withStroke(linewidth=width, foreground=PAPER)]


def bare(ax: Axes) -> None:
    """No y-axis: for panels in which height only means "how many"."""
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def _stamp(stamp: str, limit: int = 100) -> str:
    """The stamp, broken at the separator nearest to its middle when it is long."""
    if len(stamp) <= limit:
        return stamp
    parts = stamp.split(" · ")
    cuts = range(1, len(parts))
    best = min(cuts, key=lambda cut: abs(len(" · ".join(parts[:cut])) - len(stamp) / 2), default=0)
    return " · ".join(parts[:best]) + "\n" + " · ".join(parts[best:]) if best else stamp
