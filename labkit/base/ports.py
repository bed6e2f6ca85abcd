"""Free ports to listen on.

Always below 32768. A port from `bind(0)` comes from the range that the system also hands to outgoing connections
(32768 to 60999 on Linux), and a broker that restarts on such a port was seen to lose it to another program's client.
"""

import random
import socket
from collections.abc import Iterable

from labkit.base.errors import BrokerError

RANGE = range(20_000, 32_000)


def free(count: int, avoid: Iterable[int] = ()) -> list[int]:
    """`count` different ports on which nothing listens on 127.0.0.1, none of them in `avoid`.

    Free now is not free later: who starts a server there must be ready to try again with other ports.
    Raises BrokerError when the range holds too few.
    """
    found: list[int] = []
    taken = set(avoid)
    for port in random.SystemRandom().sample(RANGE, len(RANGE)):
        if len(found) == count:
            break
        if port not in taken and is_free(port):
            found.append(port)
    if len(found) < count:
        raise BrokerError(
            f"Found only {len(found)} free ports of {count} between {RANGE.start} and {RANGE.stop}.",
            "close programs that listen on very many ports",
        )
    return found


def is_free(port: int) -> bool:
    """True when a server could listen on 127.0.0.1:`port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
