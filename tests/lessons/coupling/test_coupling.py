"""The shop as real processes on real brokers, in short. Counts only: how long things take is for the lesson to see."""

import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any

import pandas as pd
import pika
import pytest
from confluent_kafka import Producer
from shop_processes import shop_processes

from labkit import lab
from labkit.base import ports, wait
from labkit.base.checkpoint import reporting
from labkit.base.errors import NotInTimeError, SettingError
from labkit.brokers import kafka, rabbitmq
from labkit.chaos.faults import Fault, FaultPlan
from labkit.chaos.processes import PortTakenError, ServiceError
from labkit.chaos.wire import Wire
from labkit.events.event import Event
from labkit.harness import shop as harness_shop
from labkit.harness.shop import Shop
from labkit.lessons import coupling
from labkit.lessons.coupling import table
from labkit.lessons.coupling.drive import customers, drive
from labkit.provision.model import Running
from labkit.shop.config import queue_name

pytestmark = pytest.mark.usefixtures("brokers", "nothing_left")


def of(frame: pd.DataFrame, **values: Any) -> pd.DataFrame:
    for name, value in values.items():
        frame = frame[frame[name] == value]
    return frame


# --- the experiments


def test_a_delay_above_the_timeout_fails_every_retried_checkout_and_reserves_its_stock_three_times() -> None:
    result = coupling.delay.run(delays_ms=(0, 600), rate=10, seconds=0.5)
    slow = of(result.deliveries, delay_ms=600)
    retries = of(slow, design="retries")
    assert len(retries) == 5
    assert not retries["ok"].any()
    assert set(retries["reservations"]) == {3}
    for design in ("http", "kafka", "rabbitmq"):
        mine = of(slow, design=design)
        assert mine["ok"].all()
        assert set(mine["reservations"]) == set(mine["mails"]) == set(mine["sales"]) == {1}
    # The chain's customer waits for the stock; the event's customer has the answer before it.
    assert (of(slow, design="http")["lag_s"] < 0).all()
    assert (slow[slow["design"].isin(table.EVENTS)]["lag_s"] > 0).all()
    assert set(of(result.deliveries, delay_ms=0)["reservations"]) == {1}
    assert "reserved 15 times" in result.sentence


def test_what_was_handled_again_is_told_with_the_design_that_did_it_and_how_often() -> None:
    result = coupling.run(delay_ms=400, rate=5, seconds=0.6)
    told = list(result.anomalies["sentence"])
    orders = of(result.deliveries, design="retries")["order"]
    assert sorted(told) == sorted(
        f"HTTP with retries: inventory handled order {order} three times, because its caller tried again."
        for order in orders
    )


def test_random_failures_come_out_exactly_as_the_seed_says() -> None:
    result = coupling.failures.run(rates=(0.2,), n=25, rate=50, seed=3)
    checkouts = result.deliveries
    assert list(checkouts["ok"]) == list(checkouts["predicted"])
    assert list(checkouts["reservations"] > 0) == list(checkouts["predicted_reserved"])
    lines = coupling.failures.compare(checkouts).set_index("design")
    assert 0 < lines.loc["http", "taken"] < 25  # else this test would prove nothing
    assert lines.loc["http", "failed_but_reserved"] > 0
    assert lines.loc["kafka", "orders_reserved"] == lines.loc["rabbitmq", "orders_reserved"] == 25
    assert lines.loc["http", "law"] == pytest.approx(25 * 0.8**3, abs=0.05)


def test_no_order_that_was_taken_as_an_event_is_lost_in_a_kill_and_a_freeze() -> None:
    result = coupling.outage.run(kill_s=(0.4, 1.0), freeze_s=(2.2, 2.8), seconds=3.2, work_ms=5, rate=15)
    events = result.deliveries[result.deliveries["design"].isin(table.EVENTS)]
    assert events["ok"].all()
    assert (events["reservations"] >= 1).all()
    assert (events["mails"] == 1).all()
    called = of(result.deliveries, design="http")
    assert not called["ok"].all()
    assert (called[called["ok"]]["reservations"] == 1).all()
    for broker in table.EVENTS:
        waiting = table.backlog(result.deliveries, broker)["waiting"]
        assert waiting.iloc[-1] == 0
        assert waiting.max() >= 6  # 15 a second, for 0.6 s: 9, less what comes in turn
    assert of(result.anomalies, kind="lost").empty
    assert result.trace is not None
    assert list(result.measures["killed_at"].unit) == ["s"]


def test_the_defended_design_survives_an_outage_and_is_told_of_in_the_measures() -> None:
    result = coupling.run(
        outage="killed", workers=1, delay_ms=5, defence="retries, budget, breaker", broker="kafka", rate=15, seconds=2
    )
    assert set(result.deliveries["design"]) == {"http", "defended", "kafka"}
    assert result.measures["kafka_failed"].value == 0
    assert result.measures["http_failed"].value > 0
    assert result.measures["defended_reserved_twice"].value <= 1
    assert "RabbitMQ" not in result.stamp()


def test_a_frozen_broker_makes_event_checkouts_wait_and_loses_none() -> None:
    result = coupling.broker.run(freeze_s=0.5, seconds=2, rate=10)
    assert result.deliveries["ok"].all()
    assert set(result.deliveries["reservations"]) == {1}
    if coupling.broker.native_pids():
        slow = result.deliveries.groupby("design")["latency_ms"].max()
        assert min(slow["kafka"], slow["rabbitmq"]) > slow["http"]


def test_brokers_that_are_not_ours_to_freeze_are_left_alone_and_the_sentence_says_so() -> None:
    result = coupling.broker.run(pids={}, seconds=1.2, rate=5)
    assert "No broker was frozen" in result.sentence
    assert result.deliveries["ok"].all()


@pytest.mark.parametrize(("name", "word"), [("outage", "melted"), ("defence", "prayer"), ("broker", "pigeon")])
def test_a_word_that_the_panels_run_does_not_know_is_refused_with_those_it_knows(name: str, word: str) -> None:
    with pytest.raises(SettingError, match=f"{name} is '{word}'.*\n?.*take one of"):
        coupling.run(**{name: word})  # type: ignore[arg-type]


def test_a_run_can_be_cancelled_while_it_waits_for_the_backlog() -> None:
    """Every try is refused, and each event is tried ten times: seconds of waiting, which nobody has to sit through."""
    cancelled, said = threading.Event(), list[str]()

    def progress(done: float | None, words: str = "") -> None:
        said.append(words)
        if words.startswith("waiting until all is handled"):
            cancelled.set()

    with pytest.raises(CancelledError), reporting(progress, cancelled):
        coupling.run(delay_ms=0, failure_rate=1.0, rate=10, seconds=0.3, defence="none")
    assert any(words.startswith("waiting until all is handled") for words in said)


def test_a_run_says_how_far_it_is_and_can_be_cancelled_in_the_middle() -> None:
    cancelled, said = threading.Event(), list[str]()

    def progress(done: float | None, words: str) -> None:
        said.append(words)
        if words == "orders come in …":
            cancelled.set()

    with pytest.raises(CancelledError), reporting(progress, cancelled):
        coupling.run(seconds=60)
    assert said[0] == "the shop opens …"


# --- what can go wrong


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_in_the_middle_of_a_load_leaves_nothing_behind(error: type[BaseException]) -> None:
    def interrupt(begin_ns: int) -> None:
        assert shop_processes()  # else `nothing_left` would look for nothing
        raise error

    with pytest.raises(error), Shop(lab.brokers("rabbitmq")) as shop:
        drive(shop, ("http", "rabbitmq"), rate=20, n=40, meanwhile=interrupt)


def test_a_service_that_does_not_start_is_an_error_with_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = harness_shop.Config

    def broken(**told: Any) -> Any:
        good = plain(**told)
        return replace(good, plan='{"before_handle": {"refuse": 7}}') if good.service == "analytics" else good

    monkeypatch.setattr(harness_shop, "Config", broken)
    shop = Shop(lab.brokers("kafka"), services=("analytics",))
    with pytest.raises(ServiceError, match=r"analytics(.|\n)*before_handle.refuse"), shop:
        pass


def test_a_port_that_another_program_has_taken_is_met_by_other_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken, asked = other.getsockname()[1], [0]

        def first_a_taken_one(count: int) -> list[int]:
            asked[0] += 1
            found = ports.free(count)
            return [taken, *found[1:]] if asked[0] == 1 else found

        monkeypatch.setattr(harness_shop, "ports", type("Ports", (), {"free": staticmethod(first_a_taken_one)}))
        with Shop(lab.brokers("rabbitmq"), services=("inventory", "analytics")) as shop:
            assert shop.idle()
    assert asked[0] == 2


def test_ports_that_are_taken_every_time_are_an_error_that_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        always = staticmethod(lambda count: [taken, *ports.free(count)[1:]])
        monkeypatch.setattr(harness_shop, "ports", type("Ports", (), {"free": always}))
        with pytest.raises(PortTakenError, match=str(taken)), Shop(lab.brokers("rabbitmq"), services=("inventory",)):
            pass


def test_a_service_that_dies_while_one_waits_is_the_error_and_not_the_time() -> None:
    with Shop(lab.brokers("rabbitmq"), services=("analytics",)) as shop:
        with pytest.raises(NotInTimeError, match="Last log lines"):
            shop.until(lambda: False, 0.1, "never")
        shop.processes["analytics"].kill()
        with pytest.raises(ServiceError, match="analytics"):
            shop.until(lambda: False, 10, "never")


def test_a_fault_plan_that_cannot_be_is_refused_by_the_running_service_with_the_fields_name() -> None:
    with Shop(lab.brokers("rabbitmq"), services=("inventory",)) as shop:
        with pytest.raises(ServiceError, match=r"before_handle\.refuse"):
            shop.ask("inventory", "PUT", "/faults", b'{"before_handle": {"refuse": 2}}')
        with pytest.raises(ServiceError, match="workers is"):
            shop.ask("inventory", "PUT", "/workers", b"none")


def test_faults_outlive_the_restart_of_a_service() -> None:
    with Shop(lab.brokers("rabbitmq")) as shop:
        shop.faults("inventory", FaultPlan(before_handle=Fault(refuse=1)))
        shop.inventory.kill()
        shop.inventory.start()
        answers, _ = drive(shop, ("http",), rate=20, n=2)
        assert [answer.status for answer in answers] == [503, 503]


def test_what_is_no_order_goes_to_the_dead_letters_byte_for_byte_and_the_next_order_is_handled() -> None:
    config, parameters = lab.kafka_config(), lab.rabbitmq_parameters()
    unknown = Event("OrderPlacd", "/shop/checkout", "1", {}).to_bytes()
    poison = [b"{oops", unknown]
    with Shop(lab.brokers()) as shop:
        producer = Producer(config)
        for raw in poison:
            producer.produce(shop.topic, raw)
        assert producer.flush(10) == 0
        with pika.BlockingConnection(parameters) as connection:
            for raw in poison:
                connection.channel().basic_publish(shop.topic, "", raw)
        answers, begin_ns = drive(shop, table.EVENTS, rate=20, n=3)
        table.settle(shop, answers)
        assert set(table.checkouts(shop, answers, begin_ns)["reservations"]) == {1}

        def on_kafka() -> list[kafka.dead_letters.DeadLetter]:
            return kafka.dead_letters.read(config, shop.topic)

        def on_rabbitmq() -> list[rabbitmq.dead_letters.DeadLetter]:
            return rabbitmq.dead_letters.read(parameters, shop.topic)

        wait.until(lambda: len(on_kafka()) == len(on_rabbitmq()) == 6, 10, "each service has put both poisons aside")
        readers = [queue_name(shop.topic, service) for service in ("inventory", "notification", "analytics")]
        expected = sorted((reader, raw) for reader in readers for raw in poison)
        assert sorted((each.group, each.raw) for each in on_kafka()) == expected
        assert sorted((each.queue, each.raw) for each in on_rabbitmq()) == expected
        reasons = {each.reason for each in on_kafka()}
        assert any("not JSON" in reason for reason in reasons)
        assert any("OrderPlacd" in reason for reason in reasons)
        notes = [row.note for row in shop.trace().rows() if row.what == "dead" and row.broker == "rabbitmq"]
        assert any("OrderPlacd" in note for note in notes)


def test_an_event_that_is_refused_again_and_again_ends_with_the_dead_letters_and_the_run_says_so() -> None:
    result = coupling.run(delay_ms=0, failure_rate=1.0, rate=5, seconds=0.6)
    events = result.deliveries[result.deliveries["design"].isin(table.EVENTS)]
    assert events["ok"].all()
    assert set(events["dead"]) == {3}
    assert set(events["reservations"]) == {0}
    assert f"{len(events)} are among the dead letters" in result.sentence
    assert "none got lost" in result.sentence


def test_a_broker_that_goes_away_in_the_middle_costs_checkouts_a_clear_no_and_no_order_that_was_taken() -> None:
    parameters, real = lab.rabbitmq_parameters(), lab.brokers("rabbitmq")["rabbitmq"]
    assert f":{parameters.port}" in real.client["url"]
    with Wire(parameters.host, parameters.port) as wire, Shop(_behind(real, parameters.port, wire)) as shop:
        shop.warm_up(("rabbitmq",))

        def pull_out_for_a_while(begin_ns: int) -> None:
            wait.until(_time_passed(0.4), 5, "some orders are in")
            wire.unplug()
            wait.until(_time_passed(0.6), 5, "some orders have failed")
            wire.plug_in()

        answers, begin_ns = drive(shop, ("rabbitmq",), rate=50, n=150, meanwhile=pull_out_for_a_while)
        failed = [answer for answer in answers if not answer.ok]
        assert failed
        assert all("RabbitMQ" in answer.note and "labkit status" in answer.note for answer in failed)
        assert answers[-1].ok  # it has come back by itself
        table.settle(shop, answers)
        checkouts = table.checkouts(shop, answers, begin_ns)
        assert (checkouts[checkouts["ok"]]["reservations"] >= 1).all()
        assert "connected again" in shop.processes["checkout"].tail()


def _behind(real: Running, port: int, wire: Wire) -> lab.Brokers:
    """RabbitMQ, at the other end of the wire."""
    return lab.Brokers((replace(real, client={"url": real.client["url"].replace(f":{port}", f":{wire.port}")}),))


def _time_passed(seconds: float) -> Callable[[], bool]:
    ended = threading.Event()
    threading.Timer(seconds, ended.set).start()
    return ended.is_set


# --- the tables


def test_real_orders_keep_their_ids_until_they_are_used_up_and_then_get_new_ones() -> None:
    events = customers(5001)
    assert len({event.subject for event in events}) == 5001
    assert events[5000].subject == f"{events[0].subject}-2"
    assert events[5000].data["order"] == events[5000].subject
    assert [event.subject for event in customers(2, skip=4999)] == [events[4999].subject, events[5000].subject]


def test_the_backlog_counts_what_is_published_and_not_yet_reserved() -> None:
    checkouts = pd.DataFrame(
        {
            "design": ["kafka", "kafka", "kafka", "http"],
            "published_s": [1.0, 2.0, 3.0, float("nan")],
            "reserved_s": [2.5, 2.6, float("nan"), 1.5],
        }
    )
    steps = table.backlog(checkouts, "kafka")
    assert list(steps["t_s"]) == [1.0, 2.0, 2.5, 2.6, 3.0]
    assert list(steps["waiting"]) == [1, 2, 1, 0, 1]


def test_well_again_is_the_first_of_ten_good_checkouts_in_a_row() -> None:
    good = [True] * 3 + [False] + [True] * 20
    mine = pd.DataFrame({"due_s": range(24), "ok": good, "latency_ms": [5.0] * 24})
    assert coupling.outage.well_again_s(mine, 0.0) == 4.0
    assert coupling.outage.well_again_s(mine, 20.0) is None  # the load ended before ten were seen


def backlog_of(went_s: Sequence[float]) -> pd.DataFrame:
    """Eight orders, one every half second from 0 on, reserved at these seconds."""
    told = {"design": "kafka", "published_s": [i / 2 for i in range(8)], "reserved_s": list(went_s)}
    return pd.DataFrame(told)


OUTAGES = {"killed_at": 0.0, "restarted_at": 1.5, "back_at": 1.75, "frozen_at": 4.0, "thawed_at": 5.0}


def test_a_backlog_that_is_gone_before_the_next_outage_is_told_in_seconds() -> None:
    found = coupling.outage.waiting(backlog_of([2, 2.1, 2.2, 2.3, 2.4, 2.6, 3.1, 3.6]), "kafka", OUTAGES)
    assert found["kafka_waiting_after_kill"].value == 4
    assert found["kafka_drain_after_kill"].value == pytest.approx(2.3 - 1.75)
    assert "kafka_left_after_kill" not in found


def test_a_backlog_that_the_next_outage_finds_there_is_told_in_events_and_not_in_seconds() -> None:
    found = coupling.outage.waiting(backlog_of([2, 3, 5.2, 5.3, 5.4, 5.5, 5.6, 5.7]), "kafka", OUTAGES)
    assert "kafka_drain_after_kill" not in found
    assert found["kafka_left_after_kill"].value == 6
    assert found["kafka_waiting_after_freeze"].value == 6
    assert found["kafka_drain_after_freeze"].value == pytest.approx(5.6 - 5.0)
