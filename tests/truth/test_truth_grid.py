"""The kept truth table: what is told when an answer changes, who refuses the stand-in, and how the table is shown."""

import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.text import Text

from labkit.base.errors import SettingError
from labkit.cli import truth as command
from labkit.lessons.log_and_queue.plots import truth as plot
from labkit.plots import style
from labkit.provision.model import Running
from labkit.truth import grid, questions
from labkit.truth.answer import NOT_ASKED, WORDS, Answer, not_asked
from labkit.truth.standin import StandInError, needs

NOW = {"kafka": "Kafka 9.9.9"}
TEXTS = {one.slug: one.text for one in questions.QUESTIONS}


def kept() -> list[Answer]:
    answers = grid.committed()
    assert len(answers) == len(questions.QUESTIONS) * len(questions.BACKENDS)
    return answers


def running(source: str) -> list[Running]:
    return [Running("kafka", "2.16.0", source, "127.0.0.1:1", 0.0, {})]


def test_the_kept_table_answers_every_question_for_every_backend_in_known_words() -> None:
    answers = kept()
    assert [(one.question, one.backend) for one in answers] == [
        (question.slug, backend.slug) for question in questions.QUESTIONS for backend in questions.BACKENDS
    ]
    for one in answers:
        assert one.word in WORDS and one.word != NOT_ASKED
        assert one.sentence.endswith(".")
        assert bool(one.short) == (one.word == "conditions"), one
    assert set(grid.versions()) == {"kafka", "rabbitmq", "embedded"}


def test_a_changed_answer_is_told_with_question_backend_and_both_answers() -> None:
    before = Answer("replay", "kafka", "yes", "", "Yes: so.")
    now = Answer("replay", "kafka", "conditions", "if asked", "Yes: this. No: that.")
    (line,) = grid.differences([now], [before], NOW)
    for part in ("Kafka (Kafka 9.9.9)", TEXTS["replay"], "'conditions' (if asked)", "'yes'", now.sentence):
        assert part in line


def test_another_condition_is_a_change_and_what_was_not_asked_is_none() -> None:
    one, other = (Answer("large", "kafka", "conditions", short, "Yes: so. No: not.") for short in ("16 MiB", "1 MiB"))
    assert len(grid.differences([one], [other], NOW)) == 1
    assert grid.differences([one], [one], NOW) == []
    assert grid.differences([not_asked("large", "kafka", "no Kafka here")], [one], NOW) == []


def test_only_a_whole_table_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = kept()
    monkeypatch.setattr(grid, "FILE", tmp_path / "answers.json")
    for some in (answers[1:], [not_asked("key_order", "kafka", "away"), *answers[1:]]):
        with pytest.raises(grid.GridError):
            grid.save(some, NOW)
    assert not grid.FILE.exists()
    grid.save(answers, NOW)
    assert (grid.committed(), grid.versions()) == (answers, NOW)


def test_a_table_that_cannot_be_read_is_an_error_with_a_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "FILE", tmp_path / "answers.json")
    for text in ("", "[]", '{"answers": []}'):
        grid.FILE.write_text(text)
        with pytest.raises(grid.GridError, match=r"answers\.json"):
            grid.committed()


def lies() -> set[str]:
    """Questions that the stand-in answers otherwise than Kafka."""
    words = {(one.question, one.backend): one.word for one in kept()}
    found = {slug for slug in TEXTS if words[slug, "kafka"] != words[slug, "embedded"]}
    assert found, "the stand-in would be Kafka"
    return found


@pytest.mark.parametrize("question", TEXTS)
def test_a_lesson_refuses_the_stand_in_for_what_it_does_otherwise_and_for_nothing_else(question: str) -> None:
    if question not in lies():
        needs(question, running=running("embedded"))
        return
    with pytest.raises(StandInError) as error:
        needs(question, running=running("embedded"))
    for part in ("stand-in", TEXTS[question], "Kafka's answer"):
        assert part in error.value.what
    assert "LABKIT_FROM=native" in error.value.cure


def test_real_kafka_is_never_refused_and_an_unknown_question_always() -> None:
    needs(*TEXTS, running=running("native"))
    for source in ("native", "embedded"):
        with pytest.raises(SettingError, match="replya"):
            needs("replya", running=running(source))


def test_the_grid_on_the_command_line_fits_120_columns_and_explains_every_number() -> None:
    lines = command.lines(kept(), list(grid.versions().values()))
    assert max(map(len, lines)) <= command.WIDE
    text = "\n".join(lines)
    for slug in TEXTS:
        assert f"({slug})" in text
    assert sum(line.startswith("[") for line in lines) == len({one.sentence for one in kept()})


def test_the_command_prints_the_kept_answers_without_a_broker(capsys: pytest.CaptureFixture[str]) -> None:
    from labkit import cli

    assert cli.main(["truth", "--kept", "--only", "replay", "--backends", "kafka", "embedded"]) == 0
    out = capsys.readouterr().out
    assert "(replay)" in out and "(kill)" not in out and "quorum" not in out
    assert cli.main(["truth", "--kept", "--only", "nothing"]) == SettingError.exit_code


def words_of(picture: style.Picture) -> list[str]:
    figure = picture.figure
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_the_picture_has_every_cell_marks_the_lies_and_uses_the_colour_of_broken_nowhere() -> None:
    picture = plot.grid(kept(), TEXTS, grid.stamp())
    words = words_of(picture)
    assert sum(word.endswith(" ≠") for word in words) == len(lies())
    signs = sum(word.removesuffix(" ≠") in plot.WORDS.values() for word in words)
    assert signs == len(kept())
    shorts = [one.short for one in kept() if one.short]
    assert len(shorts) == sum(word in shorts for word in words)
    assert grid.stamp() in words and picture.alt.startswith("A table of 15 questions")
    assert style.BROKEN.lower() not in json.dumps([str(artist) for artist in _colours(picture)]).lower()


def _colours(picture: style.Picture) -> list[Any]:
    from matplotlib.colors import to_hex

    return [to_hex(text.get_color()) for text in picture.figure.findobj(Text)]


def test_no_word_of_the_picture_covers_another_or_leaves_the_sheet() -> None:
    picture = plot.grid(kept(), TEXTS, grid.stamp())
    with style.paper():
        picture.figure.canvas.draw()
        boxes = [(t.get_text(), t.get_window_extent()) for t in picture.figure.findobj(Text) if t.get_text().strip()]
    assert len(boxes) > 100
    width, height = picture.figure.canvas.get_width_height()
    for i, (word, box) in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, word
        for other, its in boxes[i + 1 :]:
            assert not box.shrunk(0.96, 0.8).overlaps(its.shrunk(0.96, 0.8)), (word, other)


def test_a_picture_of_a_few_answers_has_only_their_rows_and_columns_and_none_is_an_error() -> None:
    some = [one for one in kept() if one.question in ("replay", "kill") and one.backend in ("kafka", "rabbitmq-quorum")]
    words = words_of(plot.grid(some, TEXTS))
    assert "Kafka" in words and "stream" not in words
    assert "Kafka and a quorum queue differ in 1 of 2 questions." in words
    with pytest.raises(ValueError, match="no answers"):
        plot.grid([], TEXTS)
