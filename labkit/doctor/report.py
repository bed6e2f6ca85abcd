"""The doctor's round: every finding in order, and the line to paste to an instructor."""

from collections.abc import Iterator, Sequence

from labkit import __version__, lab
from labkit.base.errors import LabError
from labkit.base.settings import Settings
from labkit.doctor import machine, messages, widget
from labkit.doctor.finding import BAD, OK, WARN, Finding
from labkit.provision import holder


def look(settings: Settings, quick: bool = False) -> Iterator[Finding]:
    """Every finding, one by one as it is made.

    quick: only look at the machine, start nothing. Else the lab is joined, or started for the time of the look.
    """
    yield machine.python()
    yield machine.packages()
    yield machine.java_runtime(settings)
    yield machine.memory()
    yield machine.disk(settings)
    yield machine.free_ports()
    yield machine.ways(settings)
    if quick:
        told = holder.ask("status", settings.home)
        yield Finding(
            "lab", OK, f"{told['phase']}" if told else "not running", short="lab " + ("up" if told else "down")
        )
        return
    yield from _lab(settings)
    yield widget.round_trip(settings)


def _lab(settings: Settings) -> Iterator[Finding]:
    ran = holder.ask("status", settings.home) is not None
    try:
        lab.start()
    except LabError as error:
        yield Finding("lab", BAD, error.what, error.cure, "lab BAD")
        return
    try:
        seen = ", ".join(f"{one.label} on {one.address}" for one in lab.running())
        yield Finding("lab", OK, seen + ("" if ran else " (started for this look)"))
        yield from messages.there_and_back()
    finally:
        lab.stop()
        if not ran:
            holder.stop(settings.home)


def one_line(findings: Sequence[Finding]) -> str:
    """All that an instructor needs, in one line without names or addresses."""
    wrong = [f"{finding.level}: {finding.name}" for finding in findings if finding.level in (WARN, BAD)]
    shorts = [finding.short for finding in findings if finding.short]
    return " | ".join([f"labkit {__version__}", *shorts, *(wrong or ["all well"])])
