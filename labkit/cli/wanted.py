"""The options that say what a lab consists of; shared by `up` and `open`."""

import argparse

from labkit.provision.model import Wanted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kafka-brokers", type=int, choices=(1, 3), help="Kafka brokers to start (default: 1)")
    parser.add_argument("--rabbitmq-nodes", type=int, choices=(1, 3), help="RabbitMQ nodes to start (default: 1)")
    parser.add_argument(
        "--embedded", action="store_true", help="use librdkafka's own broker instead of Kafka: a stand-in, not Kafka"
    )


def read(args: argparse.Namespace) -> Wanted | None:
    """What was asked for; None when nothing was, so that a lab that runs is taken as it is."""
    if args.kafka_brokers is None and args.rabbitmq_nodes is None and not args.embedded:
        return None
    return Wanted(args.kafka_brokers or 1, args.rabbitmq_nodes or 1, args.embedded)
