"""What waits in a broker, and for how long it will."""

import pandas as pd


def drain_s(backlog: float, served_per_s: float, arriving_per_s: float) -> float:
    """Seconds until a backlog is gone, while new events go on arriving; infinite when they come as fast as they go.

    backlog: events that wait. served_per_s, arriving_per_s: events a second that are handled, and that come.

    Built in: notebooks/01_coupling.ipynb
    """
    spare = served_per_s - arriving_per_s
    return backlog / spare if spare > 0 else float("inf")


def behind(came_s: pd.Series, went_s: pd.Series, joined_s: float = 0.0) -> pd.Series:
    """How far a subscriber is behind: second -> how many events wait for it from then on. One row a change.

    came_s, went_s: when each event was published, and handled. One that was never handled (empty) waits forever.
    joined_s: when it subscribed. What was published before, and reached it all the same, waits from then on.
    """
    came, went = came_s.clip(lower=joined_s), went_s.dropna().clip(lower=joined_s)
    steps = pd.concat([pd.Series(1, index=came), pd.Series(-1, index=went)])
    return steps.groupby(level=0).sum().sort_index().cumsum()
