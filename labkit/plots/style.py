"""The look of the whole course in one place: colours with one meaning each, sizes, titles, the stamp.

Pictures are made from `matplotlib.figure.Figure`. No pyplot: its figures are global, and a widget's callback runs in
another thread. Settings hold inside `with paper():` only, and are then as they were.
"""

import io
import threading
from collections.abc import Iterator
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
    """How one design is drawn: colour of its marks, darker colour of its words, marker, sign for text."""

    name: str
    colour: str
    words: str
    marker: str
    sign: str


KAFKA = Look("Kafka", "#0072B2", "#0072B2", "D", "◆")
RABBITMQ = Look("RabbitMQ", "#E69F00", "#966500", "^", "▲")
STREAM = Look("RabbitMQ stream", "#56B4E9", "#1f6f9f", "v", "▼")
HTTP = Look("HTTP chain", SOFT, SOFT, "o", "●")
HTTP_RETRY = Look("HTTP with retries", "#CC79A7", "#A03E78", "s", "■")
LOOKS = {"kafka": KAFKA, "rabbitmq": RABBITMQ, "stream": STREAM, "http": HTTP, "http_retry": HTTP_RETRY}

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
            self.figure.savefig(drawn, format="png", dpi=DPI)
        # 128 colours are plenty for a plot, and make a saved notebook a third as large.
        image = Image.open(drawn).convert("RGB").quantize(128, dither=Image.Dither.NONE)
        image.save(packed, "png", optimize=True, dpi=(DPI, DPI))
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
    sheet.text(0.985, 0.09 / height_in, _two_lines(stamp), size=8.5, color=GREY, ha="right", va="bottom")
    return sheet


def halo(width: float = 5) -> list[patheffects.AbstractPathEffect]:
    """A white edge round words, so that they can be read where a line passes behind them."""
    return [patheffects.withStroke(linewidth=width, foreground=PAPER)]


def bare(ax: Axes) -> None:
    """No y-axis: for panels in which height only means "how many"."""
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def _two_lines(stamp: str, limit: int = 100) -> str:
    """The stamp, broken at the separator nearest to its middle when it is long."""
    if len(stamp) <= limit:
        return stamp
    parts = stamp.split(" · ")
    cuts = range(1, len(parts))
    best = min(cuts, key=lambda cut: abs(len(" · ".join(parts[:cut])) - len(stamp) / 2), default=0)
    return " · ".join(parts[:best]) + "\n" + " · ".join(parts[best:]) if best else stamp
