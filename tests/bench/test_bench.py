import json

import pytest

from labkit import cli
from labkit.bench import rows
from labkit.bench.compare import Comparison, in_turn
from labkit.cli import bench
from labkit.measure import anomalies


def test_both_sides_run_equally_often_and_take_turns_in_beginning():
    order = []
    line = Comparison("a job", "s", 1)
    in_turn([line], lambda: (order.append("labkit") or 1.0,), lambda: (order.append("bare") or 2.0,), 3)
    assert order == ["labkit", "bare", "bare", "labkit", "labkit", "bare"]
    assert (line.labkit, line.bare) == ([1.0] * 3, [2.0] * 3)


def test_a_ratio_below_one_means_that_labkit_is_the_slower_one():
    assert Comparison("rate", "events/s", 1, True, [90.0], [100.0]).ratio() == pytest.approx(0.9)
    assert Comparison("cost", "us", 1, False, [10.0], [9.0]).ratio() == pytest.approx(0.9)
    assert Comparison("cost", "us", 1, False, [10.0], [9.0]).added() == pytest.approx(1.0)
    assert Comparison("alone", "us", 1, False, [10.0]).ratio() is None


def test_the_made_trace_has_the_size_and_the_anomalies_that_it_promises():
    trace = rows.made(10_000)
    kinds = anomalies.find(trace.to_frame())["kind"].value_counts().to_dict()
    assert 0.98 * 10_000 <= len(trace) <= 10_000
    assert kinds == {"lost": 20, "reordered": 20}


@pytest.mark.alone
def test_the_benchmark_runs_and_says_what_it_measured_on_what(capsys):
    assert cli.main(["bench", "--quick", "--rounds", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    names = [line["name"] for line in told["results"]]
    for broker in ("Kafka", "RabbitMQ"):
        for what in ("publish and trace", "consume and trace", "p50 at 500 events/s", "p99 at 500 events/s"):
            assert f"{broker}: {what}" in names
    assert {"a trace row", "deliveries", "find"} <= set(names)
    assert {"brokers", "cores", "python", "pandas", "confluent-kafka", "pika", "rounds"} <= set(told["about"])
    for line in told["results"]:
        assert line["labkit"]["median"] > 0
        assert line["n"] > 0


def test_the_table_is_made_for_eyes(capsys):
    lines = [Comparison("Kafka: publish", "events/s", 50_000, True, [90_000.0, 80_000.0], [100_000.0, 100_000.0])]
    lines.append(Comparison("a trace row", "ns", 1_000, False, [300.0], [180.0]))
    bench._print({"brokers": "Kafka 4.4.0 · native", "cores": "2"}, lines)
    out = capsys.readouterr().out
    assert out.startswith("Kafka 4.4.0 · native · cores 2\n")
    assert "85,000 (80,000-90,000)" in out
    assert "0.85" in out
    assert "+120 ns" in out
