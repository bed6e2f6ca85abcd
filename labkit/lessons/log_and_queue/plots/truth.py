"""The truth table: a row a question, a column a broker, in each cell a sign, a word and the condition."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from matplotlib.axes import Axes
from matplotlib.patches import Circle, Rectangle, Wedge

from labkit.plots import style


class Shown(Protocol):
    """What is read of an answer. word: yes, no, conditions, does not apply, not asked here."""

    @property
    def question(self) -> str: ...
    @property
    def backend(self) -> str: ...
    @property
    def word(self) -> str: ...
    @property
    def short(self) -> str: ...


@dataclass(frozen=True)
class Column:
    """A backend: what stands at its head, and in which look."""

    head: str
    look: style.Look


COLUMNS = {
    "kafka": Column("Kafka", style.KAFKA),
    "rabbitmq-classic": Column("classic\nqueue", style.RABBITMQ),
    "rabbitmq-quorum": Column("quorum\nqueue", style.RABBITMQ),
    "rabbitmq-stream": Column("stream", style.STREAM),
    "embedded": Column("stand-in\nfor Kafka", style.Look("stand-in", style.GREY, style.SOFT, "D", "◇")),
}
STANDIN, TRUE = "embedded", "kafka"
WORDS = {"yes": "yes", "no": "no", "conditions": "yes, if", "does not apply": "n/a", "not asked here": "?"}

_ROW, _WIDE, _HEAD, _FOOT, _LEFT = 0.47, 1.05, 1.95, 0.62, 0.18  # inches
_LETTERS = 43  # of a question in one line


def grid(answers: Sequence[Shown], texts: Mapping[str, str], stamp: str = "") -> style.Picture:
    """The answers as a table. texts: a question's name → the question in words, which also gives the order of rows.

    A full circle is yes, a hollow one no, a half one yes on the condition that stands below. Where the stand-in answers
    otherwise than Kafka, its cell says so. Raises ValueError when there are no answers.
    """
    if not answers:
        raise ValueError("no answers: nothing to draw")
    rows = [slug for slug in texts if any(one.question == slug for one in answers)]
    columns = [slug for slug in COLUMNS if any(one.backend == slug for one in answers)]
    cells = {(one.question, one.backend): one for one in answers}
    with style.paper():
        height = _HEAD + _ROW * len(rows) + _FOOT
        sheet = style.figure(height, style.two_lines(title(cells, rows)), "", stamp)
        style.key(
            sheet,
            "● yes    ○ no    ◐ yes, if …    – has no meaning there",
            [("≠ not what Kafka answers", {"weight": "bold"})],
        )
        wide = style.WIDTH_IN - 2 * _LEFT
        ax = style.place(sheet, _LEFT, _FOOT, wide, _ROW * len(rows))
        ax.set_xlim(0, wide)
        ax.set_ylim(len(rows) * _ROW, 0)
        ax.axis("off")
        edge = wide - _WIDE * len(COLUMNS)  # a few columns stand beside their questions, too
        _family(ax, [edge + _WIDE * i for i, slug in enumerate(columns) if slug.startswith("rabbitmq")])
        for i, slug in enumerate(columns):
            _head(ax, edge + _WIDE * i, slug, _ROW * len(rows))
        for down, slug in enumerate(rows):
            _question(ax, texts[slug], down, edge + _WIDE * len(columns))
            for i, name in enumerate(columns):
                if (slug, name) in cells:
                    _cell(ax, edge + _WIDE * i, down, cells[slug, name], cells.get((slug, TRUE)))
    return style.Picture(sheet, _alt(cells, rows, columns))


def title(cells: Mapping[tuple[str, str], Shown], rows: Sequence[str]) -> str:
    """The finding: how often the log and the queue answer otherwise, and how often the stand-in lies."""
    parts = []
    for other, words in (("rabbitmq-quorum", "Kafka and a quorum queue differ in {n} of {all} questions"),
                         (STANDIN, "the stand-in answers {n} otherwise than Kafka")):  # fmt: skip
        both = [slug for slug in rows if (slug, TRUE) in cells and (slug, other) in cells]
        differ = sum(cells[slug, TRUE].word != cells[slug, other].word for slug in both)
        if both:
            parts.append(words.format(n=differ, all=len(both)))
    text = "; ".join(parts) or f"{len(cells)} answers, each from a try on a real broker"
    return text[0].upper() + text[1:] + "."


def _family(ax: Axes, at: Sequence[float]) -> None:
    """The name above RabbitMQ's columns."""
    if at:
        ax.text(at[0] + 0.08, -0.66, "RabbitMQ", size=12, weight="bold", color=style.RABBITMQ.words, va="bottom")
        ax.plot([at[0] + 0.08, at[-1] + _WIDE - 0.08], [-0.62] * 2, color=style.RABBITMQ.words, linewidth=1.2,
                clip_on=False)  # fmt: skip


def _head(ax: Axes, x: float, slug: str, high: float) -> None:
    column = COLUMNS[slug]
    ax.text(x + 0.08, -0.1, column.head, size=12, weight="bold", color=column.look.words, va="bottom", linespacing=1.1,
            style="italic" if slug == STANDIN else "normal")  # fmt: skip
    if slug == STANDIN:
        ax.add_patch(Rectangle((x, -0.5), _WIDE, high + 0.5, facecolor=style.BAND, edgecolor=style.GREY, linestyle="--",
                               linewidth=0.9, zorder=0, clip_on=False))  # fmt: skip


def _question(ax: Axes, text: str, down: int, wide: float) -> None:
    ax.plot([0, wide], [down * _ROW] * 2, color=style.PALE, linewidth=0.9, zorder=1)
    lines = "\n".join(textwrap.wrap(text, _LETTERS, break_on_hyphens=False))
    ax.text(0, (down + 0.5) * _ROW, lines, size=10.5, va="center", linespacing=1.15)


def _cell(ax: Axes, x: float, down: int, answer: Shown, true: Shown | None) -> None:
    look = COLUMNS[answer.backend].look
    otherwise = answer.backend == STANDIN and true is not None and true.word != answer.word
    short = answer.short if answer.word == "conditions" else ""
    y = (down + (0.34 if short else 0.5)) * _ROW
    _sign(ax, x + 0.16, y, answer.word, look)
    word = WORDS[answer.word] + (" ≠" if otherwise else "")
    ax.text(x + 0.28, y, word, size=11, va="center", weight="bold" if otherwise else "normal",
            color=style.INK if answer.word in ("yes", "no", "conditions") else style.SOFT)  # fmt: skip
    if short:
        ax.text(x + 0.08, (down + 0.76) * _ROW, short, size=9, va="center", color=style.INK)


def _sign(ax: Axes, x: float, y: float, word: str, look: style.Look) -> None:
    """Full, hollow or half; a dash where there is no answer."""
    if word not in ("yes", "no", "conditions"):
        ax.plot([x - 0.06, x + 0.06], [y, y], color=style.SOFT, linewidth=1.6)
        return
    ax.add_patch(Circle((x, y), 0.068, facecolor=look.words if word == "yes" else style.PAPER, edgecolor=look.words,
                        linewidth=1.6, zorder=3))  # fmt: skip
    if word == "conditions":
        ax.add_patch(Wedge((x, y), 0.068, 90, 270, facecolor=look.words, edgecolor="none", zorder=4))


def _alt(cells: Mapping[tuple[str, str], Shown], rows: Sequence[str], columns: Sequence[str]) -> str:
    """One sentence: what the table says, column by column."""
    parts = []
    for name in columns:
        words = [cells[slug, name].word for slug in rows if (slug, name) in cells]
        head = COLUMNS[name].head.replace("\n", " ")
        counts = {word: words.count(word) for word in ("yes", "no", "conditions")}
        parts.append(f"{head} answers yes to {counts['yes']}, no to {counts['no']} and on a condition to "
                     f"{counts['conditions']}")  # fmt: skip
    return f"A table of {len(rows)} questions: {'; '.join(parts)}."
