"""Floor 5: what an experiment stands on: the shop as processes, threads, progress, a broker of a run's own."""
