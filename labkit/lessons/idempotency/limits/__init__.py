"""Where "exactly once" ends: the sender, transactions, two consumers at once, an inbox that forgets; and a puzzle."""
