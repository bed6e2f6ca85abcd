"""Floor 7: bets and checks."""
