"""The lives of one consumer, one after the other, until every payment is done."""

from collections.abc import Callable

from labkit.base.checkpoint import checkpoint
from labkit.lessons.idempotency.crashes import Crash, CrashPlan
from labkit.lessons.idempotency.reading import Delivery, Reader
from labkit.lessons.idempotency.steps import Steps, Strategy, perform


class Work:
    """Takes payments as the strategy says.

    payments: how many there are, named "1", "2", …. batch: how many are acknowledged at once. acked: how many the
    broker will not give again.
    """

    def __init__(
        self,
        way: Strategy,
        payments: int,
        steps: Steps[Delivery],
        crash_plan: CrashPlan,
        batch: int = 1,
        acked: int = 0,
    ) -> None:
        self._way, self._payments, self._steps, self._crash_plan, self._batch = way, payments, steps, crash_plan, batch
        self.acked = acked
        self._waiting = 0  # handled in this life, and not acknowledged

    def until_done(self, reader: Callable[[], Reader]) -> None:
        """Live and crash, and live again with a new reader. Raises BrokerError, StorageError, CancelledError …"""
        while self.acked < self._payments:
            one = reader()
            try:
                self.live(one)
                return
            except Crash:
                pass  # the next life begins
            finally:
                one.close()

    def live(self, reader: Reader) -> None:
        """One life: until all is done, or the crash."""
        self._waiting = 0
        for delivery in reader.deliveries():
            checkpoint()
            if delivery is None:
                continue
            self._take(reader, delivery)
            last = self._way.automatic and delivery.event.subject == str(self._payments)
            if last or self.acked >= self._payments:
                return

    def _take(self, reader: Reader, delivery: Delivery) -> None:
        event = delivery.event
        self._waiting += 1

        def ack() -> None:
            if self._waiting >= self._batch or self.acked + self._waiting >= self._payments:
                reader.ack(delivery)
                self.acked += self._waiting
                self._waiting = 0

        perform(self._way, self._steps, delivery, ack, self._crash_plan.of(event.subject), delivery.redelivered)
        words = f"{self.acked:,} of {self._payments:,} payments, {len(self._crash_plan.crashed)} crashes"
        checkpoint(self.acked / self._payments, words)
