"""Floor 1: what an event is, and the table of what happened to it. Light: a service loads nothing heavy with it."""
