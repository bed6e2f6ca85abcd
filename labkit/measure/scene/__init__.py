"""The scene of a run: rows in, what the stage shows out. `build` makes it; `at` and `words` read it.

at: where each event is at a moment. words: the title of a key, and what happens to it, moment by moment.
"""

from labkit.measure.scene.build import Scene, build, label, moments, named, natural

__all__ = ["Scene", "build", "label", "moments", "named", "natural"]
