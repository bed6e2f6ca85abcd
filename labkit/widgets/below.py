"""A widget under a panel's picture, made anew from every result: the run in slow motion, for example."""

from collections.abc import Callable
from typing import Any

import ipywidgets

WidgetFactory = Callable[[Any], Any]  # a result in, an ipywidgets widget out; ipywidgets has no types


class Below:
    """The place under the picture. box: what the panel shows; empty without `make`, and before the first result."""

    def __init__(self, make: WidgetFactory | None) -> None:
        self._make = make
        self.box = ipywidgets.VBox().add_class("labkit-below")
        self.box.layout.display = "none"

    @property
    def widget(self) -> Any:
        """The widget of the last result, or None."""
        return self.box.children[0] if self.box.children else None

    def show(self, result: Any) -> None:
        """Make the widget of this result; the one before it is closed. Raises what `make` raises."""
        if self._make is None:
            return
        before, made = self.box.children, self._make(result)
        self.box.children = (made,)
        self.box.layout.display = ""
        for one in before:
            one.close()
