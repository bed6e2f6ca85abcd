"""One run of lesson 09: take some hundred payments, crash where the seed says, and count the charges."""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path

from labkit import lab
from labkit.base import names, settings
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.lessons.idempotency import crashes, kafka, outcome, rabbitmq
from labkit.lessons.idempotency.card import Company
from labkit.lessons.idempotency.ledger import Ledger
from labkit.lessons.idempotency.predicted import Counts, predict
from labkit.lessons.idempotency.reading import Backend
from labkit.lessons.idempotency.real_steps import RealSteps
from labkit.lessons.idempotency.setting import Setting
from labkit.lessons.idempotency.steps import CARD, CARD_KEY, PUBLISH, UPSERT, Strategy
from labkit.lessons.idempotency.work import Work
from labkit.measure.result import Result


def run(setting: Setting) -> Result:
    """One run with this setting."""
    keys = orders(setting.payments)
    plan = crashes.planned(keys, setting.seed, setting.crash_rate)
    trace, begun_s = Trace(), time.monotonic()
    found, crashed = charge(setting.way, setting, plan, trace)
    predicted = predict(setting.way, keys, plan, setting.batch)
    return outcome.result(setting, found, predicted, crashed, trace, time.monotonic() - begun_s)


def orders(count: int) -> list[str]:
    """The names of the orders that are to be paid."""
    return [str(number) for number in range(1, count + 1)]


def placed(keys: list[str]) -> list[Event]:
    """An OrderPlaced for each."""
    return [Event("OrderPlaced", "/shop/checkout", key, {"cents": 100 + int(key)}, seq=1) for key in keys]


@contextmanager
def work_dir() -> Iterator[Path]:
    """A folder of this run's own, gone at its end."""
    folder = settings.read().home / "work" / names.fresh("payments")
    folder.mkdir(parents=True, mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def backend(broker: str, trace: Trace) -> AbstractContextManager[Backend]:
    """The broker's part of a run, for the length of a `with`."""
    if broker == "kafka":
        return kafka.backend(lab.kafka_config(), trace)
    return rabbitmq.backend(lab.rabbitmq_parameters(), trace)


def charge(way: Strategy, setting: Setting, plan: Mapping[str, str], trace: Trace) -> tuple[Counts, Mapping[str, str]]:
    """Take the payments; who was charged how often, and the crashes that came. Everything made is gone afterwards."""
    keys = orders(setting.payments)
    with ExitStack() as stack:
        folder = stack.enter_context(work_dir())
        file = setting.ledger or folder / "ledger.db"
        ledger = stack.enter_context(closing(Ledger(file, by_order=way.effect == UPSERT)))
        company = stack.enter_context(Company(folder)) if way.effect in (CARD, CARD_KEY) else None
        broker = stack.enter_context(backend(setting.broker, trace))
        broker.publish(placed(keys))
        pay = company.charge if company else None
        steps = RealSteps(ledger, way.effect, trace, setting.broker, pay, broker.announce)
        crash_plan = crashes.CrashPlan(plan, crashes.crash)
        work = Work(way, setting.payments, steps, crash_plan, setting.batch)
        work.until_done(lambda: broker.reader(setting.prefetch, way.automatic))
        announced = broker.announced() if PUBLISH in way.steps else {}
        return Counts(company.charges() if company else ledger.counts(), announced, keys), crash_plan.crashed
