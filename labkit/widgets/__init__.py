"""Floor 6: experiments with controls. `panel(run, ...)` is all that a lesson needs."""
