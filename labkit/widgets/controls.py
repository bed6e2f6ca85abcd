"""From `delay_ms=(0, 500, 50)` to a slider: the controls of a panel, made the way `ipywidgets.interact` makes them.

What an experiment declares of its settings (`harness.kinds`) is made into the same.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets

from labkit.base.errors import LabError
from labkit.harness.labels import Label, label
from labkit.harness.settings import declared

HANDED_IN = ("progress", "cancelled")  # what the panel gives to a run that asks for it
_STEPS = 20  # a slider of broken numbers gets about so many steps

Widget = Any  # ipywidgets has no types


class PanelError(LabError):
    """A panel was asked for something it cannot do. The message names the control."""


def parameters(run: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """What `run` takes, by name. Sees through `functools.partial`."""
    return inspect.signature(run).parameters


def check_names(run: Callable[..., Any], names: Mapping[str, Any]) -> None:
    """Refuse controls that `run` does not take, and a run that would miss something."""
    takes = parameters(run)
    if not any(one.kind is one.VAR_KEYWORD for one in takes.values()):
        for name in names:
            if name not in takes:
                raise PanelError(f"There is no {name} in this experiment.", f"take one of {', '.join(takes)}")
    for name in HANDED_IN:
        if name in names:
            raise PanelError(f"{name} cannot be a control: the panel hands it in itself.", "leave it out")
    for name, one in takes.items():
        needed = one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
        if needed and name not in names and name not in HANDED_IN:
            raise PanelError(
                f"The experiment needs {name}, and nothing gives it.",
                f"give it a control, or fix it: functools.partial(run, {name}=…)",
            )


def make(run: Callable[..., Any], overrides: Mapping[str, Any]) -> tuple[dict[str, Widget], dict[str, Label]]:
    """One widget and one label for every control: those that `run` declares, then what else was asked for."""
    takes, kinds = parameters(run), declared(run)
    choices = {name: choice for name, kind in kinds.items() if (choice := kind.choice(takes[name].default)) is not None}
    choices |= overrides
    check_names(run, choices)
    widgets, labels = {}, {}
    for name, choice in choices.items():
        default = takes[name].default if name in takes else inspect.Parameter.empty
        named = kinds[name].named(name) if name in kinds else None
        widgets[name], labels[name] = _control(name, choice, default, named)
    return widgets, labels


def _control(name: str, choice: Any, default: Any, declared_as: Label | None) -> tuple[Widget, Label]:
    named = declared_as or label(name)
    if isinstance(choice, bool):
        return ipywidgets.Checkbox(value=choice, description=str(named)), named
    if isinstance(choice, str):
        return ipywidgets.Text(value=choice, description=str(named)), named
    if isinstance(choice, tuple) and choice and all(_is_number(part) for part in choice):
        named = declared_as or label(name, choice[min(1, len(choice) - 1)])
        return _slider(name, choice, default, named), named
    if isinstance(choice, list | tuple | dict):
        return _menu(name, choice, default, named), named
    if _is_number(choice):
        kind = ipywidgets.IntText if isinstance(choice, int) else ipywidgets.FloatText
        return kind(value=choice, description=str(named)), named
    raise PanelError(
        f"{name}={choice!r} makes no control.",
        "give (low, high) or (low, high, step) for a slider, True or False for a box to tick, a list for a menu",
    )


def _slider(name: str, choice: tuple[Any, ...], default: Any, named: Label) -> Widget:
    if len(choice) not in (2, 3):
        raise PanelError(f"{name}={choice!r}: a slider takes two or three numbers.", "write (low, high, step)")
    low, high = choice[:2]
    if not low < high or (len(choice) == 3 and not 0 < choice[2] <= high - low):
        raise PanelError(f"{name}={choice!r}: that is no range.", "write (low, high, step) with low < high, step > 0")
    value = min(max(default, low), high) if _is_number(default) else low
    whole = all(isinstance(part, int) for part in (*choice, value))
    step = choice[2] if len(choice) == 3 else 1 if whole else round_step(high - low)
    kind = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
    return kind(
        value=value,
        min=low,
        max=high,
        step=step,
        description=str(named),
        readout_format="d" if whole else _format(step, named.percent),
    )


def round_step(span: float) -> float:
    """A step of 1, 2 or 5 at some power of ten, so that about twenty of them make the span."""
    power: float = 10.0 ** math.floor(math.log10(span / _STEPS))
    return next(power * times for times in (1, 2, 5, 10) if power * times >= span / _STEPS * 0.99)


def _format(step: float, percent: bool) -> str:
    """How the slider writes its value: as many digits as the step has."""
    shown = step * 100 if percent else step
    digits = next((n for n in range(6) if math.isclose(round(shown, n), shown, rel_tol=1e-6)), 6)
    return f".{digits}{'%' if percent else 'f'}"


def _menu(name: str, choice: Any, default: Any, named: Label) -> Widget:
    pairs = list(choice.items()) if isinstance(choice, dict) else [(_option(one), one) for one in choice]
    if not pairs:
        raise PanelError(f"{name} has nothing to choose from.", "give a list with at least one entry")
    values = [value for _, value in pairs]
    value = default if default in values else values[0]
    return ipywidgets.Dropdown(options=pairs, value=value, description=str(named))


def _option(value: Any) -> str:
    return "none" if value is None else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
