"""The whole truth table, asked of the brokers that run here, and compared with the one that is kept."""

import threading
from concurrent.futures import CancelledError

import pytest
from own_broker import left_behind

from labkit import lab, truth
from labkit.base.checkpoint import reporting
from labkit.base.errors import SettingError
from labkit.measure.result import Result
from labkit.provision.model import Running
from labkit.truth import grid
from labkit.truth.answer import NOT_ASKED, judged

pytestmark = pytest.mark.usefixtures("brokers")


@pytest.fixture(scope="module")
def result(brokers: None) -> Result:
    return truth.run()


@pytest.mark.timeout(300)
def test_the_brokers_answer_as_the_kept_table_says(result: Result) -> None:
    answers = truth.answers(result)
    assert len(answers) == len(grid.committed())
    changed = grid.differences(answers, truth.committed(), grid.versions_of(lab.running()))
    assert not changed, "\n".join(["what the brokers answer has changed:", *changed])


@pytest.mark.timeout(300)
def test_every_answer_is_what_its_own_rows_say_again(result: Result) -> None:
    asked = [one for one in truth.answers(result) if one.word != NOT_ASKED]
    assert asked
    for one in asked:
        assert one.tried and all(tried.case.rows for tried in one.tried)
        assert judged(one.question, one.backend, [tried.case for tried in one.tried]) == one


@pytest.mark.timeout(300)
def test_the_run_leaves_no_broker_of_its_own_and_no_file(result: Result) -> None:
    assert result.trace
    assert not left_behind()


def test_a_few_questions_are_answered_alone_and_in_their_order() -> None:
    shares: list[float | None] = []
    with reporting(lambda share, words: shares.append(share)):
        few = truth.run(["unroutable", "replay"], ["rabbitmq-classic"])
    assert list(few.deliveries["question"]) == ["unroutable", "replay"]
    assert list(few.deliveries["answer"]) == ["conditions", "no"]
    assert shares == [0, 0.5]


def test_an_unknown_name_is_refused_before_anything_is_asked() -> None:
    for asked, backends in ((["replya"], None), (None, ["kafak"])):
        with pytest.raises(SettingError):
            truth.run(asked, backends)


def test_a_cancelled_run_asks_nothing() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(CancelledError), reporting(cancelled=stop):
        truth.run(["replay"], ["kafka"])


def test_what_cannot_be_asked_here_is_said_with_its_reason() -> None:
    standin = Running("kafka", "2.16.0", "embedded", "127.0.0.1:1", 0.0, {})
    answers = truth.answers(truth.run(["replay", "kill"], ["kafka", "rabbitmq-quorum"], running=[standin]))
    assert [one.word for one in answers] == [NOT_ASKED] * 4
    assert {one.sentence for one in answers} == {
        "Not asked here: no real Kafka runs here.",
        "Not asked here: no RabbitMQ runs here.",
    }
    from_docker = [Running("rabbitmq", "4.0.5", "docker", "127.0.0.1:1", 0.0, {"url": ""})]
    (answer,) = truth.answers(truth.run(["kill"], ["rabbitmq-quorum"], running=from_docker))
    assert answer.word == NOT_ASKED and "docker" in answer.sentence
