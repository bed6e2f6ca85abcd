"""Several consumers, or partitions, of one broker: who has which colour."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Circle

from labkit.measure.scene import named, natural
from labkit.plots import style

# Okabe-Ito; the words on them white or ink, whichever can be read.
_COLOURS = (("#0072B2", style.PAPER), ("#56B4E9", style.INK), ("#009E73", style.PAPER), ("#CC79A7", style.INK))
_LISTED = 4


@dataclass(frozen=True)
class Crowd:
    """Who is who. names: `who` of the trace -> its number."""

    names: Mapping[str, int]

    @staticmethod
    def of(whos: Iterable[str]) -> "Crowd":
        """Everybody in it, numbered as their names sort: consumer 2 comes before consumer 10."""
        return Crowd({who: i for i, who in enumerate(natural(whos))})

    def colours(self, who: str) -> tuple[str, str]:
        """(colour of the mark, colour of words on it). From the fifth on the colours come again."""
        return _COLOURS[self.names[who] % len(_COLOURS)]

    def said(self, who: str) -> str:
        """A name of the trace in words, as on the stage; with one consumer only, `warehouse#1.3` is worker 3."""
        consumers = {name.partition(".")[0] for name in self.names}
        consumer, _, worker = who.partition("#")[2].partition(".")
        if not worker:
            return named(who, self.names)
        return f"worker {worker}" if len(consumers) == 1 else f"worker {consumer}.{worker}"

    def legend(self, ax: Axes, x: float, y: float, step: float = 0.27) -> float:
        """A line for each, downwards from y, in the units of the axes. Returns the height below the last."""
        for who in list(self.names)[:_LISTED]:
            ax.add_patch(Circle((x + 0.09, y), 0.09, facecolor=self.colours(who)[0], edgecolor="none"))
            ax.text(x + 0.28, y, self.said(who), size=11, va="center")
            y -= step
        if len(self.names) > _LISTED:
            more = f"… {len(self.names) - _LISTED} more, colours repeat"
            ax.text(x, y, more, size=9.5, va="center", color=style.SOFT)
            y -= step
        return y
