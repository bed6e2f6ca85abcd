"""`show.source(...)`: the code of labkit where the lesson is, with the way to its file. Nothing here is magic.

show.source(inventory.Inventory.handle)
"""

import html
import inspect
import re
import textwrap
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from labkit.base.errors import LabError
from labkit.base.settings import course_root

# The editor's own colours, so that code looks the same in a cell and here, in a light and a dark theme.
_COLOURS = (
    ("Token.Comment", "comment", "#56707a"),
    ("Token.Literal.String", "string", "#a31515"),
    ("Token.Literal.Number", "number", "#087a3e"),
    ("Token.Keyword", "keyword", "#00731a"),
    ("Token.Operator.Word", "keyword", "#00731a"),
    ("Token.Name.Function", "def", "#0b4fc4"),
    ("Token.Name.Class", "def", "#0b4fc4"),
    ("Token.Name.Builtin", "builtin", "#00731a"),
)


@dataclass(frozen=True)
class Source:
    """A piece of Python: highlighted in a notebook, plain elsewhere. where: `labkit/shop/inventory.py:36`, or empty."""

    text: str
    where: str = ""

    def __repr__(self) -> str:
        return f"# {self.where}\n{self.text}" if self.where else self.text

    def _repr_html_(self) -> str:
        return f"{self._link()}<pre style='line-height:1.4;margin:2px 0 6px'><code>{highlight(self.text)}</code></pre>"

    def _link(self) -> str:
        if not self.where:
            return ""
        file, _, line = self.where.partition(":")
        # JupyterLab opens a relative link in its editor; there the first line is line 0.
        href = f"../{file}#line={int(line) - 1}"
        return f"<a href='{html.escape(href)}'>{html.escape(self.where)}</a>"


def source(thing: Any) -> Source:
    """The source of a function, a class, a method or a module of labkit, with its file and line.

    Raises LabError for something that has no Python source.
    """
    while isinstance(thing, partial):
        thing = thing.func
    thing = inspect.unwrap(thing) if callable(thing) else thing
    try:
        lines, first = inspect.getsourcelines(thing)
        file = Path(inspect.getsourcefile(thing) or "")
    except (TypeError, OSError):
        raise LabError(
            f"{thing!r} has no Python source to show.", "give a function, a class or a module of labkit"
        ) from None
    where = f"{file.relative_to(course_root()).as_posix()}:{max(first, 1)}" if _is_ours(file) else ""
    return Source(textwrap.dedent("".join(lines)).rstrip(), where)


def renamed(function: Any, name: str) -> Source:
    """The source of a function called `name` and without types: what one would write in a cell."""
    signature = inspect.signature(function)
    bare = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    words = f"{name}{signature.replace(parameters=bare, return_annotation=signature.empty)}:"
    head = re.compile(r"^((?:async )?def )\w+\(.*?\)(?: -> [^\n]*?)?:$", re.DOTALL | re.MULTILINE)
    return Source(head.sub(lambda found: found[1] + words, source(function).text, count=1))


def highlight(code: str) -> str:
    """Python as HTML, in the colours of the editor."""
    from pygments.lexers import PythonLexer  # type: ignore[import-untyped]

    return "".join(_coloured(str(kind), text) for kind, text in PythonLexer(ensurenl=False).get_tokens(code))


def _coloured(kind: str, text: str) -> str:
    for begin, name, otherwise in _COLOURS:
        if kind.startswith(begin):
            return f"<span style='color:var(--jp-mirror-editor-{name}-color,{otherwise})'>{html.escape(text)}</span>"
    return html.escape(text)


def _is_ours(file: Path) -> bool:
    return file.is_absolute() and file.is_relative_to(course_root())
