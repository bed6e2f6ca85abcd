"""An order that has been placed, small enough to know by heart. For the tests of the shop's services."""

from labkit.events.event import Event


def placed(subject: str = "42") -> Event:
    """Two cartons of milk and a bread for 4.50."""
    lines = [{"product": "milk", "quantity": 2}, {"product": "bread", "quantity": 1}]
    data = {"order": subject, "household": "7", "store": "3", "total_cents": 450, "lines": lines}
    return Event("OrderPlaced", "/shop/checkout", subject, data, id=f"{subject}-placed", seq=1)
