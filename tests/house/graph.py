"""Who imports what in labkit, read from the files: nothing is imported, so it needs no package and starts nothing."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").is_file())

_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass
class Uses:
    """What a piece of code takes from labkit.

    modules: those it names, or that a name of theirs comes from. passed: packages whose `__init__` handed a name on.
    at_load: the part of both that is imported as soon as the code is loaded, and not inside a function.
    starts: modules that are named as text: `python -m labkit.shop.serve`, importlib, lazy names.
    names: what is called or read: labkit.plots.rails.draw.
    """

    modules: set[str] = field(default_factory=set)
    passed: set[str] = field(default_factory=set)
    at_load: set[str] = field(default_factory=set)
    starts: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)


class Graph:
    """The modules of the package `name` in the folder `root`."""

    def __init__(self, root: Path = ROOT, name: str = "labkit") -> None:
        self.name = name
        self.files = {_module(path.relative_to(root)): path for path in sorted((root / name).rglob("*.py"))}
        self.trees = {module: ast.parse(path.read_text("utf-8")) for module, path in self.files.items()}
        self.lines = {module: count_lines(path) for module, path in self.files.items()}
        self._bound = {module: self._bindings(module) for module, path in self.files.items() if _is_package(path)}

    @cached_property
    def uses(self) -> dict[str, Uses]:
        return {module: self.read(tree, module) for module, tree in self.trees.items()}

    def reach(self, start: Iterable[str]) -> set[str]:
        """All modules that may run when these are used. A package on the way to a module is only loaded, not used."""
        used: set[str] = set()
        loaded: set[str] = set()
        ahead = list(start)
        while ahead:
            module = ahead.pop()
            if module in used or module not in self.files:
                continue
            used.add(module)
            uses = self.uses[module]
            ahead += uses.modules | uses.starts
            for package in {*_above(module), *uses.passed} - loaded:
                loaded.add(package)
                ahead += self.uses[package].at_load
        return used | loaded

    def circles(self) -> list[list[str]]:
        """Groups of modules that import one another, wherever the imports stand."""
        arrows = {module: uses.modules | uses.passed for module, uses in self.uses.items()}
        behind = {module: _closure(module, arrows) for module in arrows}
        found = {frozenset(other for other in behind[one] if one in behind[other]) for one in arrows}
        return sorted(sorted(circle) for circle in found if circle)

    def read(self, tree: ast.AST, module: str = "") -> Uses:
        """What this code takes from the package. module: whose code it is, if it is a module's."""
        found, known = Uses(), dict[str, tuple[str, ...]]()
        lazy, later = _is_lazy(tree), _later(tree)
        for node in _in_order(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for alias, path in self._imported(node, module):
                    modules = self._take(found, path, isinstance(node, ast.Import))
                    if not lazy and node not in later:
                        found.at_load |= modules
                    known[alias] = path
            elif isinstance(node, ast.Assign):
                for name in (
                    one.id for target in node.targets for one in ast.walk(target) if isinstance(one, ast.Name)
                ):
                    known.pop(name, None)
            elif isinstance(node, ast.Attribute | ast.Name):
                chain = _chain(node)
                if chain and chain[0] in known:
                    self._take(found, known[chain[0]] + chain[1:], False)
            else:
                found.starts |= self._named(node, module if lazy else "")
        for kept in (found.modules, found.passed, found.at_load, found.starts):
            kept.discard(module)
        return found

    def _take(self, found: Uses, path: tuple[str, ...], only_import: bool) -> set[str]:
        end, passed, depth = self._follow(path)
        found.modules.add(end)
        found.passed |= passed
        if not only_import and depth < len(path):
            found.names.add(".".join(path[: depth + 1]))
        return {end, *passed}

    def _follow(self, path: tuple[str, ...]) -> tuple[str, set[str], int]:
        """The module that the last name of `path` is from, the packages passed, and how many names are modules."""
        at, passed, depth = path[0], set[str](), 1
        while depth < len(path):
            name = path[depth]
            bound = self._bound.get(at, {}).get(name)
            if bound and bound != (f"{at}.{name}", True):  # a module of the package's own needs nobody to hand it on
                passed.add(at)
                at, is_module = bound
                if not is_module:
                    break
            elif f"{at}.{name}" in self.files:
                at = f"{at}.{name}"
            else:
                break
            depth += 1
        return at, passed - {at}, depth

    def _bindings(self, package: str) -> dict[str, tuple[str, bool]]:
        """The names that the `__init__` of a package hands on → (the module it has them from, it is that module)."""
        found = {}
        later = _later(self.trees[package], types=False)
        for node in ast.walk(self.trees[package]):
            if isinstance(node, ast.ImportFrom) and node not in later:
                source = self._source(node, package)
                for alias in node.names if source in self.files else []:
                    if (whole := f"{source}.{alias.name}") in self.files:
                        found[alias.asname or alias.name] = (whole, True)
                    elif source != package:
                        found[alias.asname or alias.name] = (source, False)
        return found

    def _imported(self, node: ast.Import | ast.ImportFrom, module: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each name that the statement binds, and what it stands for."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in self.files:
                    yield (alias.asname or self.name), tuple((alias.name if alias.asname else self.name).split("."))
                    if not alias.asname:  # `import labkit.x.y` binds labkit, and loads the rest
                        yield alias.name, tuple(alias.name.split("."))
            return
        source = self._source(node, module)
        if source in self.files:
            for alias in node.names:
                yield alias.asname or alias.name, (*source.split("."), alias.name)

    def _source(self, node: ast.ImportFrom, module: str) -> str:
        if not node.level:
            return node.module or ""
        up = module.split(".")
        up = up[: len(up) - node.level + _is_package(self.files[module])]
        return ".".join([*up, *filter(None, [node.module])])

    def _named(self, node: ast.AST, lazy: str) -> set[str]:
        """Modules in a text: a full name, also of a class in it; all below `labkit.cli.{name}`; a lazy name."""
        if isinstance(node, ast.JoinedStr):
            start = node.values[0] if node.values else None
            text = start.value if isinstance(start, ast.Constant) else ""
            package = str(text).removesuffix(".")
            if package != text and package in self.files and package != self.name:
                return {one for one in self.files if one.rpartition(".")[0] == package}
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value.rpartition("=")[2]  # --option=labkit.desk.contents.Checkpoints
            texts = {text, text.rpartition(".")[0], f"{lazy}.{text.lstrip('.')}" if lazy else ""}
            return texts & self.files.keys() - {self.name}
        return set()


def count_lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def _module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _is_package(path: Path) -> bool:
    return path.name == "__init__.py"


def _above(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts))]


def _closure(start: str, arrows: dict[str, set[str]]) -> set[str]:
    """All that can be come to from `start`; itself only when a way leads back."""
    seen, ahead = set[str](), list(arrows[start])
    while ahead:
        if (module := ahead.pop()) not in seen:
            seen.add(module)
            ahead += arrows[module]
    return seen


def _in_order(tree: ast.AST) -> list[ast.AST]:
    """The nodes in the order in which they are read; an assignment where it ends."""
    chained = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    nodes = [node for node in ast.walk(tree) if hasattr(node, "lineno") and id(node) not in chained]

    def place(node: ast.AST) -> tuple[int, int]:
        if isinstance(node, ast.Assign):
            return node.end_lineno or 0, node.end_col_offset or 0
        return node.lineno, node.col_offset

    return sorted(nodes, key=place)


def _chain(node: ast.AST) -> tuple[str, ...]:
    """`a.b.c` as its names; nothing when it does not begin with a name."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) else ()


def _later(tree: ast.AST, types: bool = True) -> set[ast.AST]:
    """What does not run when the module is loaded: the insides of functions; with `types`, also what is for mypy."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, _FUNCTION) or (
            types and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        ):
            found |= set(ast.walk(node)) - {node}
    return found


def _is_lazy(tree: ast.AST) -> bool:
    """A package that loads its names when they are asked for: PEP 562, or `lazy_loader.attach`."""
    body = tree.body if isinstance(tree, ast.Module) else []
    attached = [node for node in body if isinstance(node, ast.Assign) and "attach" in ast.dump(node.value)]
    return bool(attached) or any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in body)
