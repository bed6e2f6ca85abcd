"""Floor 5: what an experiment stands on: what can be set in it, the shop as processes, a broker of its own."""
