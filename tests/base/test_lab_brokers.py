"""Which brokers a run uses: asked in one way."""

from dataclasses import replace

import pytest
from confluent_kafka.admin import AdminClient

from labkit import lab
from labkit.brokers.rabbitmq.topology import connect
from labkit.lab import UnknownBrokerError

pytestmark = pytest.mark.usefixtures("brokers")


def test_both_brokers_are_named_labelled_and_can_be_reached() -> None:
    both = lab.brokers("both")
    assert both.names == ("kafka", "rabbitmq")
    assert both.title == "Kafka and RabbitMQ"
    assert both.stamp == lab.stamp()
    assert list(both.labels) == ["kafka", "rabbitmq"]
    assert both.labels["kafka"].startswith("Kafka ")
    assert AdminClient(both.kafka_config()).list_topics(timeout=10).brokers
    connect(both.rabbitmq_parameters()).close()


def test_one_broker_or_several_names_can_be_asked_for() -> None:
    kafka = lab.brokers("kafka")
    assert kafka.names == ("kafka",)
    assert "kafka" in kafka
    assert "rabbitmq" not in kafka
    assert kafka.stamp == kafka.labels["kafka"]
    assert lab.brokers({"rabbitmq", "kafka"}) == lab.brokers()
    assert lab.brokers(["rabbitmq"]).title == "RabbitMQ"


def test_a_client_of_a_broker_that_the_run_does_not_use_is_refused() -> None:
    with pytest.raises(UnknownBrokerError, match="'rabbitmq'") as error:
        lab.brokers("kafka").rabbitmq_parameters()
    assert "kafka" in error.value.cure


@pytest.mark.parametrize("which", ["kafak", "Kafka", ["kafka", "redis"], ""])
def test_a_wrong_name_is_refused_with_those_that_are_known(which: str | list[str]) -> None:
    with pytest.raises(UnknownBrokerError, match="There is no broker") as error:
        lab.brokers(which)
    assert error.value.cure == "take one of: both, kafka, rabbitmq"
    assert error.value.exit_code == 2


def test_a_broker_that_does_not_run_here_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    only = [one for one in lab.running() if one.broker == "kafka"]
    assert only
    monkeypatch.setattr(lab, "running", lambda: only)
    with pytest.raises(UnknownBrokerError, match="RabbitMQ does not run in this lab"):
        lab.brokers("both")


def test_a_setting_that_is_changed_in_a_clients_copy_stays_there() -> None:
    lab.kafka_config()["bootstrap.servers"] = "nowhere"
    assert lab.kafka_config()["bootstrap.servers"] != "nowhere"


def test_a_notebook_may_be_silent_for_minutes_and_a_broker_elsewhere_keeps_its_own_heartbeat() -> None:
    own = lab.brokers("rabbitmq")["rabbitmq"]
    assert lab.rabbitmq_parameters().heartbeat == 0
    assert lab.Brokers((replace(own, source="external"),)).rabbitmq_parameters().heartbeat != 0
