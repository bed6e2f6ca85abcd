"""Floor 6: one experiment a lesson, run(...) -> Result. No widgets."""
