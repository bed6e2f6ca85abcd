"""What can be set in an experiment, written down once: in the signature of its `run`.

    @experiment
    def run(broker: Broker = "kafka", partitions: Annotated[int, Whole(1, 64, control=(1, 8))] = 4) -> Result:

From it come the check of every value before anything starts, the controls of `panel(run)`, and in the result's
provenance the settings that are not the default. `run` stays a plain function: `help`, completion and mypy know it.
Where a lesson hands its settings on, they are a `Settings`, and `run` takes them with `@takes(...)`.
"""

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass, replace
from typing import Annotated, Any, ParamSpec, Self, TypeVar, get_origin

from labkit.base.errors import SettingError
from labkit.harness.kinds import Kind

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="Settings")
_DECLARED = "__settings__"


class Settings:
    """The settings of a run as one value, checked when it is made. A subclass is a frozen dataclass.

    Raises SettingError for a value that cannot be.
    """

    @classmethod
    def of(cls, **values: Any) -> Self:
        """The same for names that are in a dict. Raises SettingError also for a name that it has not."""
        _refuse_unknown(inspect.signature(cls), values)
        return cls(**values)

    def __post_init__(self) -> None:
        _check(_read(inspect.signature(type(self))), vars(self))
        self.together()

    def together(self) -> None:
        """Raise SettingError for what each may be by itself, and not together."""

    def stamp(self) -> str:
        """What is not the default, in words, for the foot of a picture."""
        return _differing(inspect.signature(type(self)), vars(self))


def experiment(run: Callable[P, R]) -> Callable[P, R]:
    """Check what `run` is called with against what its signature declares, and stamp its result with what differs.

    The stamp is the provenance's "settings"; a run that puts one there itself keeps its own.
    The new function raises SettingError for an unknown name and for a value that cannot be, before `run` begins.
    """
    takes_ = inspect.signature(run)
    kinds = _read(takes_)

    @functools.wraps(run)
    def checked(*args: P.args, **values: P.kwargs) -> R:
        _refuse_unknown(takes_, values)
        bound = takes_.bind(*args, **values)
        bound.apply_defaults()
        _check(kinds, bound.arguments)
        return _stamped(run(*args, **values), _differing(takes_, bound.arguments))

    return _declare(checked, takes_, kinds)


def takes(settings: Callable[P, S]) -> Callable[[Callable[[S], R]], Callable[P, R]]:
    """The same for a `run` that takes one `Settings`: the new function takes their fields, and makes them."""

    def decorate(run: Callable[[S], R]) -> Callable[P, R]:
        fields = inspect.signature(settings)

        @functools.wraps(run)
        def checked(*args: P.args, **values: P.kwargs) -> R:
            _refuse_unknown(fields, values)
            setting = settings(*args, **values)
            return _stamped(run(setting), setting.stamp())

        returned = inspect.signature(run).return_annotation
        return _declare(checked, fields.replace(return_annotation=returned), _read(fields))

    return decorate


def declared(run: Callable[..., Any]) -> Mapping[str, Kind]:
    """What can be set in `run`, by name, but for what `functools.partial` has fixed. Empty for any other function."""
    if isinstance(run, functools.partial):
        left = inspect.signature(run).parameters
        return {name: kind for name, kind in declared(run.func).items() if name in left and name not in run.keywords}
    found: Mapping[str, Kind] = getattr(run, _DECLARED, {})
    return found


def _declare(run: Callable[P, R], takes_: inspect.Signature, kinds: Mapping[str, Kind]) -> Callable[P, R]:
    """Keep the kinds, and show `int` in place of `Annotated[int, Whole(…)]` to whoever asks for help."""
    if not kinds:
        raise TypeError(f"{run.__qualname__} declares no setting: write Annotated[int, Whole(1, 8)], for example")
    shown = [
        one.replace(annotation=one.annotation.__origin__) if get_origin(one.annotation) is Annotated else one
        for one in takes_.parameters.values()
    ]
    setattr(run, _DECLARED, kinds)
    setattr(run, "__signature__", takes_.replace(parameters=shown))  # noqa: B010 (mypy knows no such attribute)
    return run


def _read(takes_: inspect.Signature) -> dict[str, Kind]:
    """The kinds that a signature declares, by name."""
    return {
        name: kind
        for name, one in takes_.parameters.items()
        for kind in getattr(one.annotation, "__metadata__", ())
        if isinstance(kind, Kind)
    }


def _check(kinds: Mapping[str, Kind], values: Mapping[str, Any]) -> None:
    for name, kind in kinds.items():
        kind.check(name, values[name])


def _refuse_unknown(takes_: inspect.Signature, values: Mapping[str, Any]) -> None:
    known = takes_.parameters
    if any(one.kind is one.VAR_KEYWORD for one in known.values()):
        return
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            cure = f"did you mean {near[0]}?" if near else f"take one of: {', '.join(known)}"
            raise SettingError(f"There is no setting {name!r} here.", cure)


def _differing(takes_: inspect.Signature, values: Mapping[str, Any]) -> str:
    def plain(value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    return " · ".join(
        kind.said(name, values[name])
        for name, kind in _read(takes_).items()
        if kind.stamp and plain(values[name]) != plain(takes_.parameters[name].default)
    )


def _stamped(result: R, stamp: str) -> R:
    """The result with its settings in the provenance. By what it has, for its class would load pandas."""
    provenance = getattr(result, "provenance", None)
    if not stamp or not is_dataclass(result) or isinstance(result, type) or not isinstance(provenance, Mapping):
        return result
    about = {**provenance, "settings": provenance.get("settings", stamp)}
    return replace(result, provenance=about)
