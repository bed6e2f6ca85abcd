"""Floor 6: what labkit itself costs, measured against bare clients doing the same work. `python -m labkit bench`."""
