"""Exercises: the stub, the solution and the wrong answers of every lesson, and the four words they share."""

import importlib.util
import pkgutil
import re
from typing import Any

import pytest

from labkit import lab, lessons
from labkit.base.errors import LabError
from labkit.base.settings import course_root
from labkit.cli import notebook
from labkit.events import event
from labkit.lessons.coupling import exercises as coupling
from labkit.lessons.coupling.exercises import check_service
from labkit.teach import show
from labkit.teach.checks import consumer as check_consumer
from labkit.teach.exercises.exercise import Exercise

LESSONS = [
    importlib.import_module(f"{lessons.__name__}.{found.name}.exercises")
    for found in pkgutil.iter_modules(lessons.__path__)
    if importlib.util.find_spec(f"{lessons.__name__}.{found.name}.exercises")
]
EXERCISES = [one for lesson in LESSONS for one in lesson.ALL]
WRONG = [(one, wrong) for one in EXERCISES for wrong in one.wrong]
STUB_LINES = 15

each = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda one: one.name)


def in_a_cell(source: str, name: str, **known: Any) -> Any:
    """What a notebook's cell makes of this source."""
    space = {"Any": Any, "Event": event.Event, "EventError": event.EventError, **known}
    exec(source, space)
    return space[name]


def test_there_are_exercises() -> None:
    assert len(EXERCISES) >= 3
    assert len(WRONG) >= 3 * len(EXERCISES)


@each
def test_an_untouched_stub_is_not_attempted_and_raises_nothing(exercise: Exercise) -> None:
    for answer in (exercise.stub, in_a_cell(exercise.show().text, exercise.name), ..., None):
        verdict = exercise.check(answer)
        assert not verdict
        assert not verdict.attempted
        assert "not attempted yet" in repr(verdict)


@each
def test_a_stub_fits_into_a_cell(exercise: Exercise) -> None:
    assert len(exercise.show().text.splitlines()) <= STUB_LINES


def test_every_stub_stands_untouched_in_the_notebook_of_its_lesson() -> None:
    assert len(LESSONS) >= 3
    for lesson in LESSONS:
        slug = lesson.__name__.split(".")[-2]
        (path,) = (course_root() / "notebooks").glob(f"[0-9][0-9]_{slug}.ipynb")
        cells = [cell.source for cell in notebook.read(path).cells if cell.cell_type == "code"]
        for exercise in lesson.ALL:
            stubs = [source for source in cells if re.search(rf"^(async )?def {exercise.name}\(", source, re.MULTILINE)]
            assert len(stubs) == 1, f"{path.name}: {exercise.name}"
            assert not exercise.check(in_a_cell(stubs[0], exercise.name)).attempted
            assert any(re.search(rf"exercises\.\w+\.check\({exercise.name}\)", source) for source in cells)


@each
def test_the_solution_is_right_also_when_it_is_typed_into_a_cell(exercise: Exercise) -> None:
    for answer in (exercise.answer, in_a_cell(exercise.solution().text, exercise.name, math=__import__("math"))):
        verdict = exercise.check(answer)
        assert verdict, repr(verdict)
        assert all(one.right for one in verdict.findings or ())


@pytest.mark.parametrize(("exercise", "wrong"), WRONG, ids=lambda one: getattr(one, "misconception", ""))
def test_a_wrong_answer_is_told_what_is_wrong_with_it(exercise: Exercise, wrong: Any) -> None:
    verdict = exercise.check(wrong.answer)
    assert verdict.attempted
    assert not verdict
    assert wrong.shows in " ".join(one.text for one in verdict.findings or () if not one.right), repr(verdict)


@each
def test_wrong_answers_differ_in_what_they_are_told(exercise: Exercise) -> None:
    assert len({wrong.shows for wrong in exercise.wrong}) == len(exercise.wrong)


@each
def test_hints_go_from_a_question_to_the_place_to_the_fix(exercise: Exercise) -> None:
    exercise._told = 0
    told = [exercise.hint() for _ in range(4)]
    assert [one.number for one in told] == [1, 2, 3, 3]
    assert told[0].text.rstrip().endswith("?")
    assert exercise.hint(1).text == told[0].text
    assert [one.kind for one in told[:3]] == ["a question", "the place", "the fix"]
    with pytest.raises(LabError, match="no hint 4"):
        exercise.hint(4)


@each
def test_an_answer_that_raises_is_a_finding_and_not_an_error(exercise: Exercise) -> None:
    def answer(*arguments: Any) -> None:
        raise ValueError("oh")

    verdict = exercise.check(answer)
    assert verdict.attempted
    assert not verdict
    assert exercise.check(7).attempted  # nor is something that is no function


def test_a_changed_word_counts_as_an_attempt_and_a_changed_docstring_does_not() -> None:
    text = coupling.retries.show().text
    assert not coupling.retries.check(in_a_cell(re.sub(r'""".*"""', '"""mine"""', text), "reserve")).attempted
    assert not coupling.retries.check(in_a_cell(re.sub(r'\n *""".*"""', "", text), "reserve")).attempted
    assert coupling.retries.check(in_a_cell(text.replace("0.25", "0.5"), "reserve")).attempted
    assert coupling.retries.check(in_a_cell(text.replace("{order}/", "{order}-"), "reserve")).attempted


def test_a_verdict_shows_in_a_notebook_without_being_taken_for_html() -> None:
    def answer(p: float, services: int, n: int) -> Any:
        return "<b>"

    shown = coupling.chain.check(answer)._repr_html_()
    assert "&lt;b&gt;" in shown
    assert "not yet" in shown


def test_the_stub_of_the_client_keeps_a_healthy_service_down() -> None:
    """The exercise stands on this: without its own retries the service would be well."""
    story = check_service.load(coupling.retries.stub)
    late = story.failed(since_s=check_service.FREEZE_S[1] + 3)
    assert len(late) == (check_service.LOAD_S - check_service.FREEZE_S[1] - 3) * check_service.RATE
    assert check_service.load(coupling.retries.stub, freeze_s=(0, 0)).failed() == []


def test_a_client_that_never_stops_is_stopped() -> None:
    async def reserve(order: str, service: Any, budget: Any, clock: Any) -> bool:
        while True:
            try:
                await service.reserve(order, key=order, timeout_s=0.0)
            except TimeoutError:
                pass

    assert "does the client ever stop?" in repr(coupling.retries.check(reserve))


def test_a_client_that_is_not_async_is_told_so() -> None:
    assert "async def" in repr(coupling.retries.check(lambda order, service, budget, clock: True))


def test_the_list_that_stands_in_for_a_broker_hands_out_again_what_is_not_acknowledged() -> None:
    def never(raw: bytes, reserve: Any, dead_letter: Any, ack: Any) -> None:
        pass

    story = check_consumer.on_a_list(never, [b"1"], set())
    assert len(story.deliveries) == check_consumer.TRIES
    assert story.left == [b"1"]


# --- show


def test_source_names_its_file_and_line_and_no_folder_of_this_machine() -> None:
    shown = show.source(show.source)
    assert shown.text.startswith("def source(")
    file, line = shown.where.split(":")
    assert (course_root() / file).read_text("utf-8").splitlines()[int(line) - 1].startswith("def source(")
    assert f"../{file}#line={int(line) - 1}" in shown._repr_html_()
    assert str(course_root()) not in repr(shown) + shown._repr_html_()


@pytest.mark.parametrize("thing", [show, show.Source, show.Source.__repr__, coupling.chain.check])
def test_modules_classes_and_methods_have_a_source_too(thing: Any) -> None:
    assert show.source(thing).where.startswith("labkit/teach/")


def test_highlighting_changes_no_character() -> None:
    import html

    code = show.source(show).text
    assert html.unescape(re.sub(r"</?span[^>]*>", "", show.highlight(code))) == code


def test_what_has_no_source_is_refused_with_a_cure() -> None:
    with pytest.raises(LabError, match="no Python source"):
        show.source(len)


# --- the same consumer on the real brokers


@pytest.fixture(scope="module", params=["kafka", "rabbitmq"])
def on_broker(request: pytest.FixtureRequest) -> Any:
    lab.start()
    if request.param == "kafka":
        return lambda answer: coupling.on_kafka(answer, lab.kafka_config())
    return lambda answer: coupling.on_rabbitmq(answer, lab.rabbitmq_parameters())


def test_the_solution_is_right_on_a_real_broker_too(on_broker: Any) -> None:
    verdict = on_broker(coupling.react.answer)
    assert verdict, repr(verdict)


def test_a_real_broker_and_the_list_find_the_same_in_wrong_answers(on_broker: Any) -> None:
    for wrong in coupling.react.wrong:
        verdict = on_broker(wrong.answer)
        assert [one.text for one in verdict.findings] == [
            one.text for one in coupling.react.check(wrong.answer).findings or ()
        ]
        assert not verdict


def test_an_untouched_stub_does_not_trouble_a_broker() -> None:
    assert not coupling.on_kafka(coupling.react.stub, {}).attempted
