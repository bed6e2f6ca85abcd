"""What a panel shows, as HTML: values in, text out. No widget here, so that it can be tested without one."""

import base64
import html
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.base.errors import LabError
from labkit.harness.labels import Label
from labkit.widgets.labels import measure

SENTENCES = 3  # so many anomalies are told; the rest is counted
MEASURES = 16  # so many that differ are told; the rest is counted


@dataclass(frozen=True)
class Shown:
    """One run as the panel keeps it: its result, its picture, the values it was run with, seconds it took."""

    result: Any
    png: bytes | None
    alt: str
    values: Mapping[str, Any] = field(default_factory=dict)
    took_s: float = 0.0


def style() -> str:
    """The panel's style sheet. Colours are the front end's own, so that it is at home in a light and a dark theme."""
    return f"<style>{Path(__file__).with_name('panel.css').read_text(encoding='utf-8')}</style>"


def status(text: str, done: float | None = None, busy: bool = False) -> str:
    """One line under the controls; with a bar while something runs. done: the part of 1, None when nobody knows."""
    line = f'<div class="labkit-words" aria-live="polite">{html.escape(text)}</div>'
    if not busy:
        return line
    inner = '<i class="labkit-unknown"></i>' if done is None else f'<i style="width:{100 * done:.0f}%"></i>'
    value = "" if done is None else f' aria-valuenow="{100 * done:.0f}"'
    return f'{line}<div class="labkit-bar" role="progressbar" aria-label="progress"{value}>{inner}</div>'


def result(now: Shown, labels: Mapping[str, Label], before: Shown | None = None) -> str:
    """The sentence, the settings, the picture and what went wrong. before: an earlier run to stand beside it."""
    parts = [f'<div class="labkit-sentence">{html.escape(sentence(now.result))}</div>']
    if before is None:
        parts.append(f'<div class="labkit-settings">{_settings(now, labels)}</div>')
        parts.append(_image(now))
    else:
        pair = "".join(
            f"<figure><figcaption><b>{name}</b><br>{_settings(one, labels, other)}</figcaption>{_image(one)}</figure>"
            for name, one, other in (("Last run", before, now), ("This run", now, before))
        )
        parts += [_side_by_side(pair), _measures(before.result, now.result)]
    return "".join([*parts, _anomalies(now.result)])


def error(problem: BaseException) -> str:
    """What went wrong and its cure. An error that nobody foresaw is shown with its way through the code."""
    if isinstance(problem, LabError):
        return _box(f"<b>{html.escape(problem.what)}</b><br>Cure: {html.escape(problem.cure)}")
    way = "".join(traceback.format_exception(problem))
    return _box(
        f"<b>{html.escape(type(problem).__name__)}: {html.escape(str(problem))}</b>"
        f"<details><summary>where it happened</summary><pre>{html.escape(way)}</pre></details>"
    )


def sentence(found: Any) -> str:
    """The sentence of a result, or the result itself in words."""
    return str(getattr(found, "sentence", found))


def _box(inner: str) -> str:
    return f'<div class="labkit-error" role="alert">{inner}</div>'


def _settings(one: Shown, labels: Mapping[str, Label], other: Shown | None = None) -> str:
    """The values of a run in words. In a comparison those that differ are bold."""
    words_of = []
    for name, value in one.values.items():
        text = html.escape(labels[name].with_value(value))
        differs = other is not None and other.values.get(name) != value
        words_of.append(f"<b>{text}</b>" if differs else text)
    return " · ".join([*words_of, f"took {one.took_s:.1f} s"])


def _image(one: Shown) -> str:
    if one.png is None:
        return ""
    data = base64.b64encode(one.png).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{html.escape(one.alt, quote=True)}">'


def _side_by_side(pair: str) -> str:
    """Two pictures. All of it is a label of the box to tick, so that a click on either picture makes both large."""
    tick = '<input type="checkbox" aria-label="large pictures">'
    return f'<label class="labkit-pair"><span class="labkit-words">{tick} large pictures</span>{pair}</label>'


def _measures(before: Any, now: Any) -> str:
    """What the runs measured, where they differ; what is equal is only counted."""
    old, new = getattr(before, "measures", {}), getattr(now, "measures", {})
    both = [(name, _told(old[name]), _told(new[name])) for name in new if name in old]
    differ = [one for one in both if one[1] != one[2]]
    rows = "".join(
        f"<tr><td>{html.escape(measure(name))}</td><td>{one}</td><td>{other}</td></tr>"
        for name, one, other in differ[:MEASURES]
    )
    head = "<tr><th></th><th>last run</th><th>this run</th></tr>"
    table = f'<table class="labkit-measures">{head}{rows}</table>' if rows else ""
    equal = len(both) - len(differ)
    counts = ((len(differ) - MEASURES, "more differ"), (equal, "is equal" if equal == 1 else "are equal"))
    told = " ".join(f"{n} {words}." for n, words in counts if n > 0)
    return table + (f'<div class="labkit-words">{told}</div>' if told else "")


def _told(measure: Any) -> str:
    """A measure in words; a count without a decimal."""
    value = float(measure.value)
    text = f"{value:,.0f} {measure.unit}" if value == round(value) else str(measure)
    return html.escape(text.strip())


def _anomalies(found: Any) -> str:
    told = anomaly_sentences(found)
    if not told:
        return ""
    lines = [f"<li><b>×</b>{html.escape(one)}</li>" for one in told[:SENTENCES]]
    if len(told) > SENTENCES:
        more = len(told) - SENTENCES
        what = f"more event{'s' * (more > 1)} like these" if _tells_of_events(found) else "more like these"
        lines.append(f'<li class="labkit-words">… and {more:,} {what}</li>')
    return f'<ul class="labkit-wrong">{"".join(lines)}</ul>'


def _tells_of_events(found: Any) -> bool:
    """Whether each sentence is about an event of its own, so that who counts the sentences counts events."""
    table = found.anomalies
    own = [ids[0] for ids in table["event_ids"] if ids] if "event_ids" in table.columns else []
    return len(own) == len(table) == len(set(own))


def anomaly_sentences(found: Any) -> Sequence[str]:
    """One sentence for everything that went wrong in a result."""
    table = getattr(found, "anomalies", None)
    if table is None or "sentence" not in getattr(table, "columns", ()):
        return []
    return [str(one) for one in table["sentence"]]
