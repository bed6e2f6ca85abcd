"""Floor 6: bets and checks."""
