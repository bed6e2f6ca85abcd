"""What waits in a broker, and for how long it will."""


def drain_s(backlog: float, served_per_s: float, arriving_per_s: float) -> float:
    """Seconds until a backlog is gone, while new events go on arriving; infinite when they come as fast as they go.

    backlog: events that wait. served_per_s, arriving_per_s: events a second that are handled, and that come.

    Built in: notebooks/01_coupling.ipynb
    """
    spare = served_per_s - arriving_per_s
    return backlog / spare if spare > 0 else float("inf")
