"""Words that must not come back into the public names of labkit, and the names that still have them.

python tests/house/words.py            prints the names that have such a word
python tests/house/words.py --write    takes the names that are gone out of words_to_go.json; it adds none
"""

import ast
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from graph import Graph

KEPT = Path(__file__).with_name("words_to_go.json")
COMMAND = "python tests/house/words.py --write"


@dataclass(frozen=True)
class Name:
    """A public name. kind: module, class, function, parameter, attribute, or key (a value is kept under this text)."""

    text: str
    kind: str
    module: str
    where: str = ""  # in the module: Setting, run(
    annotation: str = ""

    @property
    def label(self) -> str:
        """The name without its module, so that it stays the same when the module is moved."""
        return {"module": f"module {self.text}", "parameter": f"{self.where}{self.text})"}.get(
            self.kind, f"{self.where}[{self.text}]" if self.kind == "key" else f"{self.where}{self.text}"
        )


def _any(_: Name) -> bool:
    return True


def _not_a_flag(name: Name) -> bool:
    """`requeue: bool` is RabbitMQ's own word: basic.nack(requeue=True)."""
    return name.kind in ("parameter", "attribute", "function") and name.annotation != "bool"


def _of_kind(*kinds: str) -> Callable[[Name], bool]:
    return lambda name: name.kind in kinds


def _in_widgets(name: Name) -> bool:
    return name.module.startswith("labkit.widgets")


@dataclass(frozen=True)
class Word:
    """old: the word, or the words one after the other. whole: only as the whole name, and not as a part of one."""

    old: str
    new: str
    whole: bool = False
    applies: Callable[[Name], bool] = _any
    but: tuple[str, ...] = ()  # names that may have it

    def is_in(self, name: Name) -> bool:
        if name.text in self.but or not self.applies(name):
            return False
        found, words = parts(name.text), self.old.split("_")
        if self.whole:
            return found == words
        return any(found[at : at + len(words)] == words for at in range(len(found)))


WORDS = (
    Word("told", "what it is: answer, status, args"),
    Word("tell", "summarize", whole=True),
    Word("hands", "Steps, Probe"),
    Word("hand", "unacked", but=("hand_over",)),
    Word("side", "backend", but=("side_by_side",)),
    Word("sides", "backends"),
    Word("on_kafka", "kafka", whole=True, applies=_of_kind("module", "class")),
    Word("on_rabbitmq", "rabbitmq", whole=True, applies=_of_kind("module", "class")),
    Word("face", "adapter, endpoint"),
    Word("link", "ReconnectingConnection", applies=_of_kind("module", "class")),
    Word("course", "state", whole=True),
    Word("go_on", "checkpoint", whole=True),
    Word("cleared", "cleanup", whole=True),
    Word("bury", "dead_letter"),
    Word("buried", "dead_lettered"),
    Word("strike", "failpoint"),
    Word("strikes", "CrashPlan"),
    Word("struck", "crashed"),
    Word("paper", "predicted", applies=lambda name: name.module != "labkit.plots.style"),  # there it is a colour
    Word("victim", "worker"),
    Word("ends", "limits", whole=True, applies=_of_kind("module")),
    Word("wanted", "controls", applies=_in_widgets),
    Word("make", "WidgetFactory", whole=True, applies=lambda name: _in_widgets(name) and name.text == "Make"),
    Word("play", "run_with", whole=True),
    Word("patience_s", "TIMEOUT_S"),
    Word("requeue", "first_try_fails", applies=_not_a_flag),
    Word("broken", "out_of_order", whole=True, applies=lambda name: name.text.islower()),  # BROKEN is a colour
    Word("wrong_at_end", "final_state_wrong", whole=True),
    Word("sharing", 'dispatch="by key"'),
    Word("shared_out", "all_assigned"),
    Word("workshop", "work_dir"),
    Word("wronged", "affected"),
)


def parts(name: str) -> list[str]:
    """`RealHands`, `real_hands`, `REAL_HANDS` → real, hands."""
    plain = name.replace("RabbitMQ", "Rabbitmq").replace("SQLite", "Sqlite")
    return [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", plain)]


def public_names(graph: Graph) -> Iterator[Name]:
    """The public names of the modules. What is inside a function is not public, nor what a class `_Private` has."""
    for module, tree in graph.trees.items():
        last = module.rpartition(".")[2]
        found = [Name(last, "module", module), *_body(tree.body, module, ""), *_keys(tree, module)]
        yield from (name for name in found if not name.text.startswith("_"))


def to_go(names: Iterator[Name]) -> dict[str, dict[str, list[str]]]:
    """Each word → the names that have it → the modules that these are in."""
    found: dict[str, dict[str, list[str]]] = {}
    for name in names:
        for word in WORDS:
            if word.is_in(name):
                found.setdefault(word.old, {}).setdefault(name.label, []).append(name.module)
    return found


def compare(found: dict[str, dict[str, list[str]]], kept: dict[str, dict[str, int]]) -> tuple[list[str], list[str]]:
    """What came in, with its modules, and what is gone and still listed."""
    there = Counter({(word, label): len(where) for word in found for label, where in found[word].items()})
    listed = Counter({(word, label): count for word in kept for label, count in kept[word].items()})
    new = {word.old: word.new for word in WORDS}
    came = [f"{label} (in {', '.join(found[word][label])}): say {new[word]}" for word, label in there - listed]
    return sorted(came), sorted(f"{label} ({word})" for word, label in listed - there)


def shrunk(found: dict[str, dict[str, list[str]]], kept: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """What is listed and is still there."""
    left = {
        word: {
            label: min(count, len(found[word][label])) for label, count in kept[word].items() if label in found[word]
        }
        for word in kept
        if word in found
    }
    return {word: labels for word, labels in left.items() if labels}


def _body(body: list[ast.stmt], module: str, where: str) -> Iterator[Name]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Name(node.name, "function", module, where)
            yield from _parameters(node, module, where)
            yield from _own_attributes(node, module, where)
        elif isinstance(node, ast.ClassDef):
            yield Name(node.name, "class", module, where)
            if not node.name.startswith("_"):
                yield from _body(node.body, module, f"{where}{node.name}.")
        elif isinstance(node, ast.If | ast.Try):
            yield from _body([one for one in ast.iter_child_nodes(node) if isinstance(one, ast.stmt)], module, where)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            annotation = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for one in ast.walk(target):
                    if isinstance(one, ast.Name):
                        yield Name(one.id, "attribute", module, where, annotation)


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef, module: str, where: str) -> Iterator[Name]:
    """Of a public function, and of `__init__` and the like."""
    if not node.name.startswith("_") or node.name.startswith("__"):
        every = node.args
        for one in [*every.posonlyargs, *every.args, *every.kwonlyargs, every.vararg, every.kwarg]:
            if one is not None:
                annotation = ast.unparse(one.annotation) if one.annotation else ""
                yield Name(one.arg, "parameter", module, f"{where}{node.name}(", annotation)


def _own_attributes(node: ast.FunctionDef | ast.AsyncFunctionDef, module: str, where: str) -> Iterator[Name]:
    """`self.x = …` in a method. Each once, also when it is set again."""
    stored = {
        one.attr
        for one in ast.walk(node)
        if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store) and ast.unparse(one.value) == "self"
    }
    for name in sorted(stored) if where and node.name == "__init__" else []:
        yield Name(name, "attribute", module, where)


def _keys(tree: ast.Module, module: str) -> Iterator[Name]:
    """Texts that values are kept under: measures["broken"], {"broken": 3}. A learner types them too."""
    found = set()
    for node in ast.walk(tree):
        keys = node.keys if isinstance(node, ast.Dict) else [node.slice] if isinstance(node, ast.Subscript) else []
        found |= {one.value for one in keys if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    yield from (Name(text, "key", module) for text in sorted(found) if text.isidentifier())


if __name__ == "__main__":
    now = to_go(public_names(Graph()))
    kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    for word, labels in now.items():
        print(f"{word}: {', '.join(labels)}")
    if sys.argv[1:] == ["--write"]:
        KEPT.write_text(json.dumps(shrunk(now, kept), indent=2, ensure_ascii=False) + "\n", "utf-8")
    sys.exit("\n".join(compare(now, kept)[0]) or 0)
