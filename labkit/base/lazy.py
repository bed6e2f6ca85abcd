"""Names of a package that are loaded when they are first used: a process that needs one module loads that one alone."""

import importlib
from collections.abc import Callable
from typing import Any


def attach(package: str, *places: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` for a package (PEP 562).

    places: "module:name" for a name that a module of the package has, "module" for the module itself. A name must not
    be that of another module: the import of that one would put the module in the name's place.
    """
    modules = {place.rpartition(":")[2]: place.partition(":")[0] for place in places}

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(f"{package}.{modules[name]}")
        return module if name == modules[name] else getattr(module, name)

    return load, lambda: sorted(modules)
