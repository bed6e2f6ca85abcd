"""Lesson 02: the publisher has ended. Who subscribes now, and what is still there for them?

Three subscribers. Inventory was there before, and is down while the orders come. Fraud and analytics have never been
here; on Kafka, fraud asks for the earliest event, and analytics only for what is new (`auto.offset.reset`).
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Annotated, NamedTuple

import pandas as pd

from labkit import lab
from labkit.base.checkpoint import checkpoint
from labkit.brokers import kafka, rabbitmq
from labkit.events import trace as words
from labkit.events.event import Event
from labkit.harness.kinds import Number, Whole
from labkit.harness.settings import experiment
from labkit.harness.shop import Shop, placed
from labkit.lessons.publish_and_subscribe import table
from labkit.measure.result import Measure, Result
from labkit.shop import orders

FIRST = 5  # orders that inventory handles before it goes down, on each broker
NEWS = "news"  # begins the names of the orders that come when all are there again


class Late(NamedTuple):
    """A subscriber who comes when the publisher has ended. reset: where a group begins that Kafka does not know."""

    who: str
    was: str
    reset: str


LATE = (
    Late("inventory", "subscribed before, then down", "earliest"),
    Late("fraud", "new; on Kafka: earliest", "earliest"),
    Late("analytics", "new; on Kafka: latest", "latest"),
)


@experiment
def run(n: Annotated[int, Whole(1, 1000)] = 20, rate: Annotated[float, Number(1, 200)] = 50.0) -> Result:
    """Publish `n` orders on each broker while nobody reads, end the publisher, and only then start the subscribers.

    Takes about 5 s. deliveries: one row per subscriber: who, was, and for each broker how many of the `n` it got.
    measures: `fraud_kafka_got` and so on. Raises UnknownBrokerError when the lab does not have both brokers.
    """
    brokers = lab.brokers("both")
    checkpoint(0, "inventory subscribes …")
    with Shop(brokers, services=("storefront", "inventory"), rate=rate) as shop:
        _publish(shop, FIRST, words.ACKED)
        shop.leave("inventory")
        checkpoint(0.3, "orders come, and nobody is there …")
        _publish(shop, FIRST + n, words.CONFIRMED)
        shop.leave("storefront")
        checkpoint(0.5, "the publisher has ended; subscribers start …")
        with ThreadPoolExecutor(len(LATE)) as all_at_once:
            list(all_at_once.map(lambda late: shop.join(late.who, late.reset), LATE))
        checkpoint(0.8, "waiting until all is read …")
        _news(shop)
        rows = _count(shop, n)
        about = shop.provenance(f"{n} orders per broker, published while nobody read")
    numbers = {
        f"{row.who}_{broker}_got": Measure(int(getattr(row, broker)), "orders")
        for row in rows.itertuples()
        for broker in table.BROKERS
    }
    return Result(summarize(rows, n), rows, numbers, provenance=about)


def _publish(shop: Shop, upto: int, what: str) -> None:
    """Let the storefront publish, and wait until that many orders are confirmed, or acked, on each broker."""
    shop.ask("storefront", "PUT", "/flow", str(upto).encode())

    def done() -> bool:
        found = [row.broker for row in shop.trace().rows() if row.what == what]
        return min(found.count(broker) for broker in table.BROKERS) >= upto

    shop.until(done, 30, f"{upto} orders are {what} on each broker")


def _news(shop: Shop) -> None:
    """Publish one more order, and again one more, until everybody has handled one of them on each broker.

    Both brokers keep the order of one publisher's events, so whoever has these has had all that was there for them.
    """
    with ExitStack() as end:
        producer = kafka.Producer(shop.brokers.kafka_config())
        end.callback(producer.close)
        publisher = rabbitmq.Publisher(shop.brokers.rabbitmq_parameters())
        end.callback(publisher.close)
        coming = _more_orders()

        def all_have_some() -> bool:
            event = next(coming)
            producer.publish(event, shop.topic)
            producer.flush()
            publisher.publish(event, shop.topic, event.subject)
            publisher.flush()
            done = {(place.broker, place.who) for place in table.ended(shop.trace()) if place.order.startswith(NEWS)}
            return len(done) == len(LATE) * len(table.BROKERS)

        shop.until(all_have_some, 60, "every subscriber has handled an order that came after it was there")


def _more_orders() -> Iterator[Event]:
    for i, order in enumerate(orders.load()):
        yield placed(order, f"{NEWS}-{i}")


def _count(shop: Shop, n: int) -> pd.DataFrame:
    """One row per subscriber: how many of the `n` orders it handled, on each broker."""
    found = shop.trace()
    missed = {broker: set(sent[FIRST:]) for broker, sent in table.published(found).items()}
    done = {(row.broker, row.key, row.who) for row in found.rows() if row.what == words.HANDLED}
    rows = []
    for late in LATE:
        got = {b: sum((b, order, late.who) in done for order in missed[b]) for b in table.BROKERS}
        rows.append({"who": late.who, "was": late.was, "published": n, **got})
    return pd.DataFrame(rows)


def summarize(rows: pd.DataFrame, n: int) -> str:
    """Who got how many, in a sentence."""
    each = [
        f"{row.who} ({row.was}) {row.kafka} from Kafka and {row.rabbitmq} from RabbitMQ" for row in rows.itertuples()
    ]
    return f"Of {n} orders whose publisher had ended: {'; '.join(each)}."
