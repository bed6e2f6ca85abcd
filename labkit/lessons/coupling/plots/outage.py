"""An outage, second by second: a row a design, a dot a checkout, and below what waits in the brokers meanwhile."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from labkit.measure.result import Measure, plain
from labkit.plots import style
from labkit.plots.drawable import Measured

_LATE_MS = 500.0  # a customer who waits longer than this has noticed
_LEFT, _WIDE, _ROW, _GAP = 0.66, 5.75, 0.56, 0.14  # inches: the axes, one row, and what lies between two
_HEAD, _BACKLOG, _FOOT, _NOTE = 1.45, 0.78, 0.92, 1.55
_SIGNS: tuple[style.Words, ...] = (("● answered", {}), ("○ later than 0.5 s", {}), style.FAILED_SIGN)


class Outage(NamedTuple):
    """A time in which inventory did not work, in seconds. word: dead or frozen."""

    word: str
    begin_s: float
    end_s: float

    def __str__(self) -> str:
        return f"{self.word} for {_seconds(self.end_s - self.begin_s)}"


def timeline(result: Measured, stamp: str | None = None, who: str = "Inventory is") -> style.Picture:
    """Every checkout of a run at the second at which it was due, on a logarithmic axis of how long it took.

    result.deliveries: a row a checkout: design, due_s, latency_ms, ok, published_s, reserved_s. result.measures: of
    killed_at, back_at, frozen_at, thawed_at, in seconds, those that there are. stamp: by default the result's own.
    who: what was dead or frozen, for the title.
    Raises ValueError when there are no rows.
    """
    rows, outages = result.deliveries, _outages(result.measures)
    if rows.empty:
        raise ValueError("no checkouts: nothing to draw")
    designs = [design for design in style.LOOKS if design in set(rows["design"])]
    waiting = {design: _backlog(rows[rows["design"] == design]) for design in designs if design in style.EVENTS}
    with style.paper():
        below = _BACKLOG + 0.24 if waiting else 0
        said = title(rows, outages, who)
        head = _HEAD - 0.30 * ("\n" not in said) - 0.24 * (not outages)
        height = head + len(designs) * (_ROW + _GAP) - _GAP + below + _FOOT
        sheet = style.figure(height, said, "", result.stamp() if stamp is None else stamp)
        style.key(sheet, "A dot is a checkout, as high as it takes long:", _SIGNS)
        ends = _ends(rows, waiting)
        _bands(sheet, outages, ends, height - head)
        for i, design in enumerate(designs):
            bottom = height - head - _ROW - i * (_ROW + _GAP)
            ax = style.place(sheet, _LEFT, bottom, _WIDE, _ROW)
            _row(ax, rows, design, ends, last=not waiting and i == len(designs) - 1)
            if note := _never_well(rows[rows["design"] == design], outages):
                _note(ax, note, outages[-1].end_s)
        if waiting:
            _waiting(style.place(sheet, _LEFT, _FOOT, _WIDE, _BACKLOG), waiting, ends)
    return style.Picture(sheet, _alt(rows, designs, outages, who))


def title(rows: pd.DataFrame, outages: list[Outage], who: str = "Inventory is") -> str:
    """What was down, and what the customers noticed: two sentences, from the run."""
    by_event = rows["design"].isin(style.EVENTS)
    events, calls = rows[by_event], rows[~by_event]
    if outages:
        first = f"{who} {', then '.join(str(outage) for outage in outages)}."
        return f"{first}\n{_noticed(events, calls)}"
    failed = int((~calls["ok"]).sum())
    if failed:
        return style.two_lines(f"{failed} of {len(calls)} HTTP checkouts fail; {_with_events(events, failed=True)}.")
    if calls.empty:
        return f"Half of the checkouts take {plain(events['latency_ms'].median())} ms or less."
    half = plain(calls["latency_ms"].median())
    return style.two_lines(f"Half of the HTTP checkouts take {half} ms or more; {_with_events(events, failed=False)}.")


def _noticed(events: pd.DataFrame, calls: pd.DataFrame) -> str:
    failed, late = int((~calls["ok"]).sum()), int(_late(calls).sum())
    if events.empty:
        return f"{failed} of {len(calls)} checkouts fail, {late} are late."
    if lost := int((~events["ok"]).sum()):
        return f"With events {lost} of {len(events)} checkouts fail too."
    if late_too := int(_late(events).sum()):
        return f"With events no checkout fails; {late_too} of {len(events)} are late."
    if failed or late:
        return "With events, no customer notices: the orders wait."
    return "No customer notices."


def _with_events(events: pd.DataFrame, failed: bool) -> str:
    if events.empty:
        return "no design uses events" if failed else "none fails"
    if failed:
        return f"with events {int((~events['ok']).sum()) or 'none'}"
    return f"with events {plain(events['latency_ms'].median())} ms"


def _late(rows: pd.DataFrame) -> pd.Series:
    return rows["ok"] & (rows["latency_ms"] > _LATE_MS)


def _outages(measures: Mapping[str, Measure]) -> list[Outage]:
    words = (("dead", "killed_at", "back_at"), ("frozen", "frozen_at", "thawed_at"))
    found = [Outage(word, measures[a].value, measures[b].value) for word, a, b in words if {a, b} <= set(measures)]
    return sorted(found, key=lambda outage: outage.begin_s)


def _backlog(mine: pd.DataFrame) -> pd.Series:
    """Seconds -> how many events were published and not yet reserved, from then on."""
    sent = mine[mine["published_s"].notna()]
    steps = pd.concat([pd.Series(1, index=sent["published_s"]), pd.Series(-1, index=sent["reserved_s"].dropna())])
    return steps.sort_index(kind="stable").cumsum()


def _never_well(mine: pd.DataFrame, outages: list[Outage]) -> str:
    """Words for a design that hardly takes an order any more, though what was down has been back for a while."""
    later = mine[mine["due_s"] > outages[-1].end_s] if outages else mine.head(0)
    if len(later) < 10 or later["ok"].mean() > 0.05:
        return ""
    return f"awake since {_seconds(outages[-1].end_s)},\nand still failing"


def _note(ax: Axes, text: str, at_s: float) -> None:
    """Words from that second on; or up to the row's end, where they would run into its counts."""
    low, high = ax.get_xlim()
    if (high - at_s) / (high - low) * _WIDE > _NOTE:
        place: dict[str, Any] = {"xy": (at_s, 0), "xytext": (5, 1), "xycoords": ax.get_xaxis_transform()}
    else:
        place = {"xy": (1, 0), "xytext": (-2, 1), "xycoords": "axes fraction", "ha": "right"}
    ax.annotate(text, textcoords="offset points", size=10.5, color=style.BROKEN, path_effects=style.halo(3), **place)


def _ends(rows: pd.DataFrame, waiting: Mapping[str, pd.Series]) -> tuple[float, float]:
    last = max([float(rows["due_s"].max()), *(float(steps.index.max()) for steps in waiting.values() if len(steps))])
    return -0.006 * last, max(last, 0.1) * 1.006


def _bands(sheet: Figure, outages: list[Outage], ends: tuple[float, float], top: float) -> None:
    """The outages in grey, through all rows and down to the backlog: one clock for all."""
    back = style.place(sheet, _LEFT, _FOOT, _WIDE, top - _FOOT + 0.06)
    back.set_xlim(ends)
    back.axis("off")
    for outage in outages:
        back.axvspan(outage.begin_s, outage.end_s, color=style.BAND, linewidth=0)
        word = "killed" if outage.word == "dead" else outage.word
        back.annotate(word, ((outage.begin_s + outage.end_s) / 2, 1), (0, 3), xycoords=back.get_xaxis_transform(),
                      textcoords="offset points", size=11.5, color=style.SOFT, ha="center", va="bottom")  # fmt: skip


def _row(ax: Axes, rows: pd.DataFrame, design: str, ends: tuple[float, float], last: bool) -> None:
    mine, look = rows[rows["design"] == design], style.LOOKS[design]
    ax.patch.set_visible(False)
    ax.set_xlim(ends)
    ax.set_yscale("log")
    # At least from 1 ms to 1 s, whatever was measured: so two runs of a panel have the same scale.
    ax.set_ylim(min(rows["latency_ms"].min() * 0.8, 0.6), max(rows["latency_ms"].max() * 1.25, 1600))
    ticks = [t for t in (1, 30, 1000, 30_000) if ax.get_ylim()[0] <= t <= ax.get_ylim()[1]]
    ax.set_yticks(ticks, [style.time_words(t) for t in ticks], size=10.5)
    ax.set_yticks([], minor=True)
    ax.grid(axis="y", color=style.PALE, linewidth=0.9)
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0, pad=6)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(side == "bottom" and last)
    _clock(ax, last)
    failed, late = ~mine["ok"], _late(mine)
    small = max(2.4, min(4.2, 1100 / len(mine)))
    marks: tuple[tuple[pd.Series, str, dict[str, Any]], ...] = (
        (mine["ok"] & ~late, "o", {"color": look.colour, "markersize": small, "markeredgewidth": 0}),
        (late, "o", {"markerfacecolor": "none", "markeredgecolor": look.colour, "markersize": small + 1.4,
                     "markeredgewidth": 1.0}),
        (failed, "x", {"color": style.BROKEN, "markersize": small + 1.2, "markeredgewidth": 1.2}),
    )  # fmt: skip
    for which, marker, how in marks:
        if which.any():
            ax.plot(mine.loc[which, "due_s"], mine.loc[which, "latency_ms"], marker, clip_on=False, zorder=3, **how)
    name = f"event, {look.name}" if design in style.EVENTS else look.name
    style.words_in_a_row(ax, (1.02, 0.52), [(name, {"color": look.words})], size=13, weight="bold")
    style.words_in_a_row(ax, (1.02, 0.12), _counts(int(failed.sum()), int(late.sum()), len(mine)), size=11.5)


def _counts(failed: int, late: int, n: int) -> list[style.Words]:
    broken: dict[str, Any] = {"color": style.BROKEN, "weight": "bold"}
    good: dict[str, Any] = {"color": style.GOOD, "weight": "bold"}
    first = (f"× {failed} failed", broken) if failed else ("0 failed", good)
    second = f"○ {late} late" if late else f"of {n}"
    return [first, (second, {"color": style.SOFT})]


def _clock(ax: Axes, shown: bool) -> None:
    ax.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    ax.tick_params(axis="x", length=4 if shown else 0, pad=4, labelbottom=shown)
    if shown:
        ax.set_xlabel("seconds since the first order", loc="left", labelpad=3, size=11.5)


def _waiting(ax: Axes, waiting: Mapping[str, pd.Series], ends: tuple[float, float]) -> None:
    ax.patch.set_visible(False)
    ax.set_xlim(ends)
    top = max(10.0, *(float(steps.max()) for steps in waiting.values() if len(steps)))
    ax.set_ylim(0, top * 1.12)
    ax.yaxis.set_major_locator(MaxNLocator(2, integer=True, steps=[1, 2, 5, 10]))
    ax.grid(axis="y", color=style.PALE, linewidth=0.9)
    ax.set_axisbelow(True)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0, pad=6, labelsize=10.5)
    _clock(ax, True)
    for i, (design, steps) in enumerate(waiting.items()):
        look = style.LOOKS[design]
        ax.step(steps.index, steps, where="post", color=look.colour, linewidth=3.4 - 1.8 * i, zorder=3 + i)
        peak = int(steps.max()) if len(steps) else 0
        text = f"{look.name}: up to {peak}, then {int(steps.iloc[-1]) if len(steps) else 0}"
        style.words_in_a_row(ax, (1.02, 0.36 - 0.26 * i), [(text, {"color": look.words})], size=11.5)
    style.words_in_a_row(ax, (1.02, 0.66), [("events waiting", {})], size=13, weight="bold")


def _seconds(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") + " s"


def _alt(rows: pd.DataFrame, designs: list[str], outages: list[Outage], who: str) -> str:
    """The picture in one sentence."""
    parts = []
    for design in designs:
        mine = rows[rows["design"] == design]
        failed, late = int((~mine["ok"]).sum()), int(_late(mine).sum())
        parts.append(f"{style.LOOKS[design].name} {failed} failed and {late} late")
    done = f", while {who[0].lower()}{who[1:]} {' and '.join(map(str, outages))}" if outages else ""
    n = len(rows) // len(designs)
    return f"Checkouts over time{done}; of {n} each: {'; '.join(parts)}."
