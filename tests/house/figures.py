"""The figures of the house: whose lines are whose. Counted from the imports of the notebooks.

python tests/house/figures.py            prints them
python tests/house/figures.py --write    keeps them in figures.md, so that a change of the house shows in a diff
"""

import ast
import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

from graph import ROOT, Graph, Uses, count_lines

KEPT = Path(__file__).with_name("figures.md")
COMMAND = "python tests/house/figures.py --write"
BUDGET, TEST_BUDGET = 1800, 700  # lines of a lesson's folders
REASON = "Over budget: "  # with this a line of the docstring of a lesson's __init__ begins

_NUMBER = re.compile(r"\d[\d,]*")
_COMMANDS = ("__main__", "cli", "doctor", "bootstrap", "provision")  # what `python -m labkit` needs is the spine's
_FLOORS = ("lessons", "experiments")  # a folder or file in them is of one lesson


@dataclass(frozen=True)
class Lesson:
    """A notebook and its name without the number, which its folders have too."""

    slug: str
    notebook: Path
    uses: Uses


class House:
    """labkit, its notebooks and its tests, in the folder `root`."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.graph = Graph(root)
        notebooks = sorted((root / "notebooks").glob("*.ipynb"))
        self.lessons = [Lesson(path.stem.partition("_")[2], path, self.graph.read(code(path))) for path in notebooks]

    @cached_property
    def readers(self) -> dict[str, frozenset[str]]:
        """Each module → the lessons that reach it."""
        reached = {one.slug: self.graph.reach(one.uses.modules | one.uses.starts) for one in self.lessons}
        return {module: frozenset(slug for slug in reached if module in reached[slug]) for module in self.graph.files}

    @cached_property
    def of_the_command(self) -> set[str]:
        return self.graph.reach(one for one in self.graph.files if f"{one}.".split(".")[1] in _COMMANDS)

    def owner(self, module: str) -> str:
        """The only lesson that reaches the module; "" for a part of the spine, or what two lessons share."""
        readers = self.readers[module]
        return next(iter(readers)) if len(readers) == 1 and module not in self.of_the_command else ""

    def home(self, module: str) -> str:
        """The lesson whose folder it is in; without one the lesson that alone reaches it, or alone imports it."""
        _, floor, name, *_ = (*module.split("."), "", "")
        if floor not in _FLOORS or floor == "lessons":
            return name if floor == "lessons" else self.owner(module)
        top = f"{self.graph.name}.{floor}.{name}"
        importing = [one.slug for one in self.lessons if any(_inside(used, top) for used in one.uses.modules)]
        return self.owner(module) or (importing[0] if len(importing) == 1 else "")

    def arrows(self) -> list[str]:
        """Imports that run from one lesson to another."""
        found = []
        for module, uses in self.graph.uses.items():
            for other in sorted(uses.modules | uses.passed):
                if self.home(module) and self.home(other) and self.home(module) != self.home(other):
                    found.append(f"{module} → {other}")
        return sorted(found)

    def lines(self, slug: str) -> int:
        """Package lines that only this lesson reaches."""
        return sum(self.graph.lines[module] for module in self.graph.files if self.owner(module) == slug)

    def in_folder(self, slug: str) -> int:
        """Package lines in the lesson's own folder."""
        folder = f"{self.graph.name}.lessons.{slug}"
        return sum(lines for module, lines in self.graph.lines.items() if _inside(module, folder))

    @cached_property
    def tests(self) -> dict[Path, str]:
        """Each file of the tests → its lesson, or "" when it is for several or for the spine.

        It is a lesson's in the lesson's folder; or when of all lessons it imports the parts of this one alone.
        A file that tests import is of the lesson that they are of.
        """
        paths = sorted((self.root / "tests").rglob("*.py"))
        trees = {path: ast.parse(path.read_text("utf-8")) for path in paths}
        found = {path: self._lesson_of_test(path, tree) for path, tree in trees.items()}
        imports = {path: _imports(tree) for path, tree in trees.items()}
        for helper in (path for path in paths if not path.name.startswith(("test_", "conftest")) and not found[path]):
            users = {found[path] for path in paths if helper.stem in imports[path]}
            found[helper] = users.pop() if len(users) == 1 else ""
        return found

    def test_lines(self, slug: str) -> int:
        return sum(count_lines(path) for path, lesson in self.tests.items() if lesson == slug)

    def _lesson_of_test(self, path: Path, tree: ast.AST) -> str:
        folder = path.relative_to(self.root / "tests").parts[:-1]
        if len(folder) > 1 and folder[0] == "lessons":
            return folder[1]
        uses = self.graph.read(tree)
        owners = {self.owner(module) for module in uses.modules | uses.passed | uses.starts} - {""}
        return owners.pop() if len(owners) == 1 else ""

    def spine(self) -> dict[str, int]:
        """The package lines that are not of one lesson, by who reaches them."""
        found = {"of two lessons": 0, "of three or more": 0, "of `python -m labkit` alone": 0, "of nobody": 0}
        for module, readers in self.readers.items():
            command = module in self.of_the_command
            if len(readers) == 2 and not command:
                found["of two lessons"] += self.graph.lines[module]
            elif len(readers) > 2 or (readers and command):
                found["of three or more"] += self.graph.lines[module]
            elif not readers:
                found["of `python -m labkit` alone" if command else "of nobody"] += self.graph.lines[module]
        return found

    def pairs(self) -> Counter[str]:
        """Two lessons → the package lines that they and no other reach."""
        found: Counter[str] = Counter()
        for module, readers in self.readers.items():
            if len(readers) == 2 and module not in self.of_the_command:
                found[" and ".join(one.slug for one in self.lessons if one.slug in readers)] += self.graph.lines[module]
        return found


def complaint(lines: int, test_lines: int, docstring: str) -> str:
    """What is wrong with a lesson's size, or nothing. docstring: of the `__init__` of its folder."""
    over = [
        f"{count} lines in {folder}, {budget} is a lesson's budget"
        for count, budget, folder in ((lines, BUDGET, "labkit/lessons"), (test_lines, TEST_BUDGET, "tests/lessons"))
        if count > budget
    ]
    reason = re.search(rf"^\s*{REASON}\S+", docstring, flags=re.M)
    if over and not reason:
        return f"{'; '.join(over)}: make it smaller, or say why in its __init__, in a line “{REASON}…”"
    if reason and not over:
        return f"it is within its budget ({lines} and {test_lines} lines): delete the line “{REASON}…”"
    return ""


def report(house: House) -> str:
    """The figures as figures.md has them."""
    text = ["# The figures of the house", "", f"Written by `{COMMAND}`. Lines are all lines of `.py` files.", ""]
    text += [
        "| lesson | package lines only it reaches | in its folder | test lines | names of labkit in its notebook |"
    ]
    text += ["|---|--:|--:|--:|--:|"]
    for one in house.lessons:
        counts = (house.lines(one.slug), house.in_folder(one.slug), house.test_lines(one.slug), len(one.uses.names))
        text.append(f"| {one.slug} | " + " | ".join(f"{count:,}" for count in counts) + " |")
    names = {name for one in house.lessons for name in one.uses.names}
    spine = house.spine()
    text += ["", "| the rest | |", "|---|--:|"]
    text += [f"| package lines {whose} | {count:,} |" for whose, count in spine.items()]
    text += [f"| … {pair} | {count:,} |" for pair, count in sorted(house.pairs().items())]
    text += [
        f"| package lines in all | {sum(house.graph.lines.values()):,} |",
        f"| test lines of no single lesson | {house.test_lines(''):,} |",
        f"| test lines in all | {sum(count_lines(path) for path in house.tests):,} |",
        f"| names of labkit in all notebooks | {len(names):,} |",
        f"| circles of imports | {len(house.graph.circles())} |",
        f"| imports from lesson to lesson | {len(house.arrows())} |",
    ]
    return "\n".join([*text, *(f"| … {arrow} | |" for arrow in house.arrows()), ""])


def differences(kept: str, now: str) -> list[str]:
    """The lines of the report that say something else than those kept: other words, or a number that is 10 % off.

    A figure below 20 may differ by two, one that is kept as 0 by nothing.
    """
    wrong = []
    for old, new in zip_longest(kept.splitlines(), now.splitlines(), fillvalue=""):
        numbers = [[int(number.replace(",", "")) for number in _NUMBER.findall(line)] for line in (old, new)]
        near = all(a == b or (a and abs(a - b) <= max(2, a // 10)) for a, b in zip(*numbers, strict=False))
        if _NUMBER.sub("#", old) != _NUMBER.sub("#", new) or not near:
            wrong.append(f"{old} → {new}")
    return wrong


def code(notebook: Path) -> ast.Module:
    """The code cells of a notebook as one program, without the lines that are for IPython."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.M))


def _inside(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


def _imports(tree: ast.AST) -> set[str]:
    """The last names of the tests' own modules that are imported: `import rows`, `from tests.rows import handled`."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = [alias.name for alias in node.names] if f"{node.module}.".startswith("tests.") else []
            found |= {node.module, *inside} if not node.module.startswith("labkit") else set()
    return {name.rpartition(".")[2] for name in found}


if __name__ == "__main__":
    counted = report(House())
    print(counted)
    if sys.argv[1:] == ["--write"]:
        KEPT.write_text(counted, "utf-8")
