"""One run of lesson 09: take some hundred payments, crash where the seed says, and count the charges."""

import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from labkit import lab
from labkit.base import names, settings
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.harness.clearing import cleared
from labkit.lessons.idempotency import crashes, outcome
from labkit.lessons.idempotency.card import Company
from labkit.lessons.idempotency.hands import RealHands
from labkit.lessons.idempotency.ledger import Ledger
from labkit.lessons.idempotency.paper import Counts, predict
from labkit.lessons.idempotency.setting import Setting
from labkit.lessons.idempotency.side import OnKafka, OnRabbitMQ
from labkit.lessons.idempotency.steps import CARD, CARD_KEY, PUBLISH, UPSERT, Strategy
from labkit.lessons.idempotency.work import Work
from labkit.measure.result import Result


def run(setting: Setting) -> Result:
    """One run with this setting."""
    keys = orders(setting.payments)
    plan = crashes.planned(keys, setting.seed, setting.crash_rate)
    trace, begun_s = Trace(), time.monotonic()
    found, struck = charge(setting.way, setting, plan, trace)
    paper = predict(setting.way, keys, plan, setting.batch)
    return outcome.result(setting, found, paper, struck, trace, time.monotonic() - begun_s)


def orders(count: int) -> list[str]:
    """The names of the orders that are to be paid."""
    return [str(number) for number in range(1, count + 1)]


def placed(keys: list[str]) -> list[Event]:
    """An OrderPlaced for each."""
    return [Event("OrderPlaced", "/shop/checkout", key, {"cents": 100 + int(key)}, seq=1) for key in keys]


def workshop(end: ExitStack) -> Path:
    """A folder of this run's own, gone at its end."""
    folder = settings.read().home / "work" / names.fresh("payments")
    folder.mkdir(parents=True, mode=0o700)
    end.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def side_of(broker: str, trace: Trace) -> OnKafka | OnRabbitMQ:
    """The broker's side of a run, not opened yet."""
    return OnKafka(lab.kafka_config(), trace) if broker == "kafka" else OnRabbitMQ(lab.rabbitmq_parameters(), trace)


def charge(
    way: Strategy,
    setting: Setting,
    plan: Mapping[str, str],
    trace: Trace,
) -> tuple[Counts, dict[str, str]]:
    """Take the payments; who was charged how often, and the crashes that struck. Everything made is gone afterwards."""
    keys = orders(setting.payments)
    with ExitStack() as end:
        folder = workshop(end)
        books = Ledger(setting.ledger or folder / "ledger.db", by_order=way.effect == UPSERT)
        end.callback(books.close)
        company = end.enter_context(Company(folder)) if way.effect in (CARD, CARD_KEY) else None
        side = side_of(setting.broker, trace)
        end.enter_context(cleared(side.close))
        side.open(placed(keys))
        pay = company.charge if company else None
        hands = RealHands(books, way.effect, trace, setting.broker, pay, side.tell)
        strikes = crashes.Strikes(plan, crashes.crash)
        work = Work(way, setting.payments, hands, strikes, setting.batch)
        work.until_done(lambda: side.reader(setting.prefetch, way.automatic))
        told = side.told() if PUBLISH in way.steps else {}
        return Counts(company.charges() if company else books.counts(), told, keys), strikes.struck
