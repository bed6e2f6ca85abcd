"""How far a Kafka consumer may commit when its events finish in any order. No broker is needed."""

from labkit.brokers.kafka.commits import Commits


def test_kafka_is_told_only_how_far_all_is_done() -> None:
    commits = Commits()
    for offset in (10, 11, 12, 13):
        commits.begin(0, offset)
    commits.finish(0, 11)
    assert commits.due() == {}, "10 is still in work"
    commits.finish(0, 10)
    assert commits.due() == {0: 12}
    commits.finish(0, 13)
    assert commits.due() == {}, "nothing new: 12 is in work"
    commits.finish(0, 12)
    assert commits.due() == {0: 14}


def test_one_partitions_unfinished_event_does_not_hold_up_another_partition() -> None:
    commits = Commits()
    for partition in (0, 1):
        commits.begin(partition, 5)
    commits.finish(1, 5)
    assert commits.due() == {1: 6}


def test_an_event_that_is_read_again_takes_no_commit_back() -> None:
    commits = Commits()
    for offset in (5, 6):
        commits.begin(0, offset)
        commits.finish(0, offset)
    assert commits.due() == {0: 7}
    commits.begin(0, 5)
    assert commits.due() == {}
    commits.finish(0, 5)
    assert commits.due() == {}
