"""Floor 5: a table in, a matplotlib Figure out. Nothing here talks to a broker, and nothing touches pyplot."""
