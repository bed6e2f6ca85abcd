"""What a check and a hint say: a sentence in a script, a small box in a notebook."""

import html
from dataclasses import dataclass

GOOD, BROKEN, SOFT = "#009E73", "#D55E00", "#8a8f98"


@dataclass(frozen=True)
class Finding:
    """One thing a check has looked at: whether it is right, and what was seen, in a sentence."""

    right: bool
    text: str


@dataclass(frozen=True)
class Verdict:
    """The answer to `check`. True when everything is right; findings are None when nothing was written yet."""

    name: str
    findings: tuple[Finding, ...] | None

    def __bool__(self) -> bool:
        return bool(self.findings) and all(one.right for one in self.findings or ())

    @property
    def attempted(self) -> bool:
        return self.findings is not None

    @property
    def headline(self) -> str:
        if self.findings is None:
            return f"{self.name}: not attempted yet. Write it in the cell above; hint() helps."
        if self:
            return f"{self.name}: right."
        return f"{self.name}: not yet."

    def __repr__(self) -> str:
        lines = [f"  {'✓' if one.right else '×'} {one.text}" for one in self.findings or ()]
        return "\n".join([self.headline, *lines])

    def _repr_html_(self) -> str:
        colour = SOFT if self.findings is None else GOOD if self else BROKEN
        lines = "".join(
            f"<div style='padding-left:1.4em;text-indent:-1.4em'>"
            f"<b style='color:{GOOD if one.right else BROKEN}'>{'✓' if one.right else '×'}</b>&ensp;"
            f"{html.escape(one.text)}</div>"
            for one in self.findings or ()
        )
        return box(colour, f"<b>{html.escape(self.headline)}</b>{lines}")


@dataclass(frozen=True)
class Hint:
    """One hint of three."""

    number: int
    of: int
    kind: str
    text: str

    def __repr__(self) -> str:
        return f"Hint {self.number} of {self.of}, {self.kind}: {self.text}"

    def _repr_html_(self) -> str:
        head = f"<b>Hint {self.number} of {self.of}, {self.kind}</b>"
        return box(SOFT, f"{head}<div>{html.escape(self.text)}</div>")


def box(colour: str, inner: str) -> str:
    """A paragraph with a coloured edge, readable in a light and a dark theme."""
    return f"<div style='border-left:4px solid {colour};padding:2px 0 3px 12px;line-height:1.5'>{inner}</div>"
