"""One line of the doctor's report."""

from dataclasses import dataclass

OK, WARN, BAD = "ok", "warn", "bad"


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is (`ok`, `warn`, `bad`), what was seen, and the cure where one is needed.

    short: a few characters for the one line that is pasted to an instructor.
    """

    name: str
    level: str
    seen: str
    cure: str = ""
    short: str = ""
