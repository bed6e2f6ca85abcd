"""Floor 7: experiments with controls. `panel(run, ...)` is all that a lesson needs."""
