"""Floor 3: trouble on purpose, from a seed, so that it can be predicted and had again."""
