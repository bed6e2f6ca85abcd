"""Floor 4: rows in, numbers out. Nothing here talks to a broker."""
