"""The stage: a run replayed in slow motion. Python makes the scene; the scripts and the style beside it draw it."""

from labkit.widgets.stage.widget import Stage, StageError, stage

__all__ = ["Stage", "StageError", "stage"]
