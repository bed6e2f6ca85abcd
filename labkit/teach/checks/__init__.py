"""How the exercises are checked: stand-ins named as such, and the real brokers."""
