"""Brokers that already run somewhere, given in the environment: a class cluster, a company's, a cloud's."""

import time
from pathlib import Path
from typing import Any

from labkit.base.errors import BrokerError, SettingError
from labkit.provision.model import Place, Running, Say, Started

ANSWERS_WITHIN_S = 10.0


def start_kafka(place: Place, say: Say) -> Started:
    """Check the Kafka of LABKIT_KAFKA with a real client. Raises BrokerError with what is wrong with it."""
    settings = place.settings
    client = read_properties(settings.kafka_config) if settings.kafka_config else {}
    if settings.kafka:
        client["bootstrap.servers"] = settings.kafka
    say("Kafka: asking the one in LABKIT_KAFKA")
    return Started(Running("kafka", ask_kafka(client), "external", client["bootstrap.servers"], time.time(), client))


def read_properties(file: Path) -> dict[str, str]:
    """Read a librdkafka properties file: `key=value` lines, `#` comments. Raises SettingError that names the line."""
    found = {}
    for number, line in enumerate(file.read_text().splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        key, sign, value = line.partition("=")
        if not sign or not key.strip():
            # The line may hold a password: it is not repeated.
            raise SettingError(f"LABKIT_KAFKA_CONFIG: line {number} of {file} is not key=value.", "correct that line")
        found[key.strip()] = value.strip()
    return found


def ask_kafka(client: dict[str, str]) -> str:
    """The version of a Kafka that answers, as far as it tells. Raises BrokerError, SettingError."""
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import AdminClient

    complaints: list[KafkaError] = []
    quiet: dict[str, Any] = {"log_level": 0, "error_cb": lambda error: complaints.append(error)}
    try:
        admin = AdminClient({**client, **quiet})
    except (KafkaException, ValueError, TypeError) as error:
        raise SettingError(
            f"LABKIT_KAFKA_CONFIG: librdkafka refuses it: {error}.", "correct the property it names"
        ) from error
    try:
        admin.list_topics(timeout=ANSWERS_WITHIN_S)
    except KafkaException as error:
        admin.poll(0.1)  # hands over what librdkafka has complained of
        # "all brokers are down" is a sum; what stands beside it says why
        whys = [told.str() for told in complaints if told.code() != KafkaError._ALL_BROKERS_DOWN]
        why = whys[0] if whys else error.args[0].str()
        raise BrokerError(
            f"The Kafka in LABKIT_KAFKA ({client['bootstrap.servers']}) does not answer: {why}.",
            "check host, port and network; for TLS or a password check LABKIT_KAFKA_CONFIG; "
            "unset LABKIT_KAFKA to let the lab start its own",
        ) from error
    return ""  # the protocol does not tell a broker's version


def start_rabbitmq(place: Place, say: Say) -> Started:
    """Check the RabbitMQ of LABKIT_RABBITMQ with a real client. Raises BrokerError with what is wrong with it."""
    url = place.settings.rabbitmq
    assert url
    say("RabbitMQ: asking the one in LABKIT_RABBITMQ")
    version, address = ask_rabbitmq(url)
    return Started(Running("rabbitmq", version, "external", address, time.time(), {"url": url}))


def ask_rabbitmq(url: str) -> tuple[str, str]:
    """(version, host:port) of a RabbitMQ that lets us in. Raises BrokerError, SettingError."""
    import pika
    from pika import exceptions

    try:
        parameters = pika.URLParameters(url)
    except (ValueError, TypeError) as error:
        raise SettingError(
            f"LABKIT_RABBITMQ: not a URL that pika understands ({error}).", "amqp://user:password@host:5672/%2F"
        ) from error
    parameters.socket_timeout = parameters.blocked_connection_timeout = ANSWERS_WITHIN_S
    address = f"{parameters.host}:{parameters.port}"
    try:
        connection = pika.BlockingConnection(parameters)
    except exceptions.ProbableAuthenticationError as error:
        raise _refused(address, "it refuses the user or the password", "correct user:password in the URL") from error
    except exceptions.ProbableAccessDeniedError as error:
        raise _refused(
            address,
            f"the user may not enter the virtual host {parameters.virtual_host!r}",
            "correct the part of the URL after the host (%2F is the usual one), or ask for access",
        ) from error
    except exceptions.IncompatibleProtocolError as error:
        raise _refused(
            address, "what answers there does not speak AMQP 0-9-1", "is it 5672 for amqp, 5671 for amqps?"
        ) from error
    except Exception as error:  # pika's errors on the way to a connection are of many families
        why = _reason(error)
        raise _refused(address, f"it cannot be reached ({why})", "check host, port, TLS (amqps) and network") from error
    version = str(connection._impl.server_properties.get("version", ""))
    connection.close()
    return version, address


def _reason(error: BaseException) -> str:
    """The innermost word of it: pika wraps the system's error several times."""
    while error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    inner = getattr(error, "exception", None)
    return _reason(inner) if isinstance(inner, BaseException) else (str(error)[:160] or type(error).__name__)


def _refused(address: str, why: str, cure: str) -> BrokerError:
    return BrokerError(
        f"The RabbitMQ in LABKIT_RABBITMQ ({address}) cannot be used: {why}.",
        f"{cure}; unset LABKIT_RABBITMQ to let the lab start its own",
    )
