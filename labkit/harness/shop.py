"""A whole shop for one run: some processes, opened and closed around it. Lesson 01 built it, lesson 02 adds to it."""

import http.client
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from labkit import lab
from labkit.base import names, ports, settings, wait
from labkit.base.errors import NotInTimeError
from labkit.chaos.faults import Fault, FaultPlan
from labkit.chaos.processes import PortTakenError, ServiceError, ServiceProcess
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.measure.load import Load, Request, interleaved
from labkit.shop import orders as shop_orders
from labkit.shop.config import REACTING, SERVICES, SUBSCRIBERS, Config
from labkit.shop.topology import KafkaTopics, RabbitMQExchanges

TRIES = 3  # at free ports, of which another program may take one before we listen


class Shop:
    """Checkout, inventory, notification, analytics and a mail server, each a process. Use it in a `with`.

    workers: of inventory, for each design; the others have 64. timeout_ms: of one HTTP call, in the designs that
    retry. services: those it opens with; more may `join`. rate: of a storefront, orders a second for each broker.
    Everything it started is gone after the `with`, whatever happened there; its files too.
    """

    def __init__(
        self,
        brokers: lab.Brokers,
        workers: int = 64,
        timeout_ms: int = 250,
        services: Sequence[str] = SERVICES,
        rate: float = 20.0,
    ) -> None:
        self.brokers, self.workers, self.timeout_ms, self.rate = brokers, workers, timeout_ms, float(rate)
        self.services = services
        self.topic = names.fresh("orders")
        self.folder = settings.read().home / "work" / self.topic
        self.processes: dict[str, ServiceProcess] = {}
        self._ports: dict[str, int] = {}
        self._configs: dict[str, Config] = {}
        self._end = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as end:
            self.folder.mkdir(parents=True, mode=0o700)
            end.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self._make_places(end)
            end.callback(self._stop_all)
            self._start_all()
            self._end = end.pop_all()  # all is well: keep it for __exit__
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()

    @property
    def mails(self) -> Path:
        """The mailbox: `shop.mailbox.read(shop.mails)`."""
        return self.folder / "mails.jsonl"

    @property
    def inventory(self) -> ServiceProcess:
        return self.processes["inventory"]

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self._ports[service]}"

    def faults(self, service: str, plan: FaultPlan) -> None:
        """Set what goes wrong at a running service from now on, also after a restart."""
        self.ask(service, "PUT", "/faults", plan.to_json())
        self._keep(replace(self._configs[service], plan=plan.to_json().decode()))

    def slow(self, delay_ms: float) -> None:
        """Let inventory wait so long before it handles an event or a call. No other fault is left."""
        self.faults("inventory", FaultPlan(before_handle=Fault(delay_ms=delay_ms)))

    def request(self, due_s: float, design: str, event: Event) -> Request:
        """A customer's request to place the order of this event."""
        return Request(due_s, design, event.subject, f"{self.url('checkout')}/checkout/{design}", event.to_bytes())

    def warm_up(self, designs: Sequence[str], each: int = 5) -> None:
        """Send a few orders that no table counts: first connections and caches cost once."""
        events = [placed(order, f"warm-up-{i}") for i, order in enumerate(shop_orders.load(each * len(designs)))]
        rows = interleaved(designs, range(len(events)), 40 / len(designs))
        Load([self.request(due_s, design, events[i]) for due_s, design, i in rows]).start().wait()

    def provenance(self, load: str, **more: str) -> Mapping[str, str]:
        """What a picture of a run of this shop says at its foot."""
        return {"brokers": self.brokers.stamp, "machine": f"one machine, {os.cpu_count()} cores", "load": load, **more}

    def trace(self) -> Trace:
        """What all processes have written down so far."""
        rows = Trace()
        rows.read_folder(self.folder)
        return rows

    def until(self, fact: Callable[[], Any], within_s: float, what: str) -> None:
        """Wait for a fact; a service that has died meanwhile is the error, not the time that ran out."""

        def alive_and_true() -> Any:
            for process in self.processes.values():
                _ = process.pid  # raises ServiceError with the last log lines
            return fact()

        try:
            wait.until(alive_and_true, within_s, what, every_s=0.05)
        except NotInTimeError as error:
            tails = "\n".join(f"{name}: {p.tail(3)}" for name, p in self.processes.items() if p.tail(3))
            raise NotInTimeError(f"{error.what} Last log lines:\n{tails or '(none)'}", error.cure) from error

    def _make_places(self, end: ExitStack) -> None:
        """Topics and queues, both brokers at the same time."""
        places: list[KafkaTopics | RabbitMQExchanges] = []
        if "kafka" in self.brokers:
            places.append(KafkaTopics(self.brokers.kafka_config(), self.topic))
        if "rabbitmq" in self.brokers:
            places.append(RabbitMQExchanges(self.brokers.rabbitmq_url(), self.topic))
        for place in places:
            end.callback(place.delete)
        with ThreadPoolExecutor(2) as both:
            list(both.map(lambda place: place.make(), places))

    def _start_all(self) -> None:
        for left in reversed(range(TRIES)):
            self._ports = dict(zip([*self.services, "smtp"], ports.free(len(self.services) + 1), strict=True))
            self.processes = {name: self._process(name) for name in self.services}
            try:
                for process in self.processes.values():
                    process.begin()
                for process in self.processes.values():
                    process.until_ready()
                return
            except PortTakenError:
                self._stop_all()
                if not left:
                    raise

    def join(self, name: str, reset: str = "earliest") -> ServiceProcess:
        """Start one more service while the others run. Returns when it is ready. reset: see `Config`.

        Raises ServiceError when it does not start.
        """
        for left in reversed(range(TRIES)):
            self._ports[name] = ports.free(1)[0]
            self.processes[name] = self._process(name, reset)
            try:
                self.processes[name].start()
                break
            except PortTakenError:
                if not left:
                    raise
        return self.processes[name]

    def leave(self, name: str) -> None:
        """End a service. Its store and its trace stay; so do its queue and its group."""
        self.processes.pop(name).stop()

    def _process(self, name: str, reset: str = "earliest") -> ServiceProcess:
        config = Config(
            service=name,
            port=self._ports[name],
            folder=str(self.folder),
            topic=self.topic,
            kafka=self.brokers.kafka_config() if "kafka" in self.brokers else {},
            rabbitmq=self.brokers.rabbitmq_url() if "rabbitmq" in self.brokers else "",
            workers=self.workers if name == "inventory" else 64,
            services={service: self.url(service) for service in REACTING} if name == "checkout" else {},
            smtp_port=self._ports["smtp"],
            timeout_ms=self.timeout_ms,
            reset=reset,
            rate=self.rate,
        )
        argv = ["-m", "labkit.shop.serve", name, "--config", str(self._keep(config))]
        return ServiceProcess(name, argv, config.port, self.folder / f"{name}.log")

    def _keep(self, config: Config) -> Path:
        """Write the service's file, which is read at every start."""
        self._configs[config.service] = config
        path = self.folder / f"{config.service}.json"
        config.write(path)
        return path

    def _stop_all(self) -> None:
        with ThreadPoolExecutor(len(self.processes) or 1) as all_at_once:
            list(all_at_once.map(ServiceProcess.stop, self.processes.values()))

    def idle(self) -> bool:
        """True when the services that react are connected to their brokers, and work on nothing."""
        here = [service for service in SUBSCRIBERS if service in self.processes]
        told = [json.loads(self.ask(service, "GET", "/health", good=(200, 503))) for service in here]
        return all(each["ready"] and not each["in_work"] for each in told)

    def ask(self, service: str, method: str, path: str, body: bytes = b"", good: tuple[int, ...] = (200,)) -> str:
        """Ask a service on one of its pages; its answer. Raises ServiceError when it gives none that is good."""
        connection = http.client.HTTPConnection("127.0.0.1", self._ports[service], timeout=5)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            told = answer.read().decode(errors="replace")
            if answer.status not in good:
                raise ServiceError(f"{service} did not take {path}: {told}", "correct the value it names")
            return told
        except (OSError, http.client.HTTPException) as error:
            raise ServiceError(f"{service} does not answer: {error!r}.", "it must run, and not be frozen") from error
        finally:
            connection.close()


def placed(order: shop_orders.Order, subject: str = "") -> Event:
    """The OrderPlaced of an order, as checkout gets it. subject: another order id, for an order placed again."""
    told = order.placed_event()
    key = subject or order.id
    return Event(told["type"], told["source"], key, told["data"] | {"order": key}, id=f"{key}-placed", seq=1)
