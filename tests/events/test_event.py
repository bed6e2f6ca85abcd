import json
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.base.errors import LabError
from labkit.events.event import Event, EventError, choose

PLACED = Event("OrderPlaced", "/shop/checkout", "42", {"total_cents": 1290}, seq=1)

texts = st.text(st.characters(codec="utf-8"))
words = st.text(st.characters(codec="utf-8"), min_size=1)
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
events = st.builds(
    Event,
    words,
    words,
    words,
    st.dictionaries(texts, json_values, max_size=4),
    id=words,
    time=st.datetimes(
        datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))])
    ),
    correlation_id=words,
    causation_id=st.none() | words,
    seq=st.integers(0, 2**40),
)


@settings(deadline=None)
@given(events)
def test_an_event_comes_back_from_its_bytes_as_it_was(event):
    assert Event.from_bytes(event.to_bytes()) == event
    assert Event.from_dict(event.to_dict()) == event


def test_the_bytes_are_a_cloudevent_with_three_extensions():
    told = json.loads(PLACED.caused("StockReserved", "/shop/inventory", {}, seq=2).to_bytes())
    assert told["specversion"] == "1.0"
    assert told["datacontenttype"] == "application/json"
    assert told["correlationid"] == told["causationid"] == PLACED.id
    assert told["sequence"] == "0000000002"
    assert told["time"].endswith("Z")
    assert all(name.islower() and name.isalnum() for name in told), "CloudEvents wants lower case names"


def test_sequences_sort_as_text_as_they_do_as_numbers():
    sequences = [json.loads(Event("A", "b", "c", {}, seq=n).to_bytes())["sequence"] for n in (2, 9, 10, 100)]
    assert sequences == sorted(sequences)


def test_a_story_keeps_its_correlation_id_and_names_each_cause():
    reserved = PLACED.caused("StockReserved", "/shop/inventory", {})
    mailed = reserved.caused("MailSent", "/shop/notification", {}, subject="household-7", seq=3)
    assert PLACED.correlation_id == PLACED.id
    assert (mailed.correlation_id, mailed.causation_id) == (PLACED.id, reserved.id)
    assert (reserved.subject, mailed.subject, mailed.seq) == ("42", "household-7", 3)
    assert len({PLACED.id, reserved.id, mailed.id}) == 3


def test_an_event_cannot_be_changed_and_can_be_put_into_a_set():
    read = Event.from_bytes(PLACED.to_bytes())
    for event in (PLACED, read):
        with pytest.raises(AttributeError):
            event.seq = 7
    assert type(read) is Event
    assert {PLACED, read} == {PLACED}


def test_a_time_is_kept_in_utc_and_one_without_a_zone_is_refused():
    cest = datetime(2017, 7, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert Event("A", "b", "c", {}, time=cest).time == datetime(2017, 7, 1, 12, tzinfo=UTC)
    assert Event("A", "b", "c", {}, time=cest).time.tzinfo is UTC
    with pytest.raises(EventError, match="time zone"):
        Event("A", "b", "c", {}, time=datetime(2017, 7, 1))


def test_an_event_of_another_writer_needs_no_extensions():
    told = {"specversion": "1.0", "id": "7", "source": "s", "type": "T", "subject": "k", "time": "2017-03-01T08:00:00Z"}
    event = Event.from_bytes(orjson.dumps(told | {"traceparent": "00-ab", "dataschema": "urn:x"}))
    assert (event.correlation_id, event.causation_id, event.seq, event.data) == ("7", None, 0, {})
    for sequence in (5, "5", "0005"):
        assert Event.from_dict(told | {"sequence": sequence}).seq == 5


WRONG = [
    ("specversion", "0.3"),
    ("specversion", None),
    ("id", ""),
    ("id", 7),
    ("source", None),
    ("type", ["OrderPlaced"]),
    ("subject", ""),
    ("subject", 42),
    ("time", "yesterday"),
    ("time", "2017-03-01T08:00:00"),
    ("time", 1488355200),
    ("data", "text"),
    ("data", [1]),
    ("data", None),
    ("correlationid", 3),
    ("correlationid", ""),
    ("causationid", 3),
    ("causationid", ""),
    ("sequence", -1),
    ("sequence", "one"),
    ("sequence", 1.5),
    ("sequence", True),
    ("sequence", None),
    ("sequence", "9" * 5000),
]


@pytest.mark.parametrize(("field", "value"), WRONG, ids=lambda value: str(value)[:20])
def test_a_wrong_value_is_refused_with_the_name_of_its_field_and_the_bytes(field, value):
    raw = orjson.dumps(PLACED.to_dict() | {field: value})
    with pytest.raises(EventError) as caught:
        Event.from_bytes(raw)
    assert caught.value.field == field
    assert field in caught.value.what
    assert caught.value.raw == raw
    assert caught.value.cure


@pytest.mark.parametrize("field", ["specversion", "id", "source", "type", "subject", "time"])
def test_a_missing_attribute_is_named(field):
    told = PLACED.to_dict()
    del told[field]
    with pytest.raises(EventError, match=f"{field} is missing") as caught:
        Event.from_dict(told)
    assert caught.value.field == field


@pytest.mark.parametrize("raw", [b"", b"{nope", b"\xff\xfe", b'{"id": "1"', b"[" * 5000])
def test_bytes_that_are_not_json_are_refused_and_kept(raw):
    with pytest.raises(EventError, match="not JSON") as caught:
        Event.from_bytes(raw)
    assert caught.value.raw == raw


@pytest.mark.parametrize("raw", [b"[]", b"7", b"null", b'"OrderPlaced"'])
def test_json_that_is_not_an_object_is_refused(raw):
    with pytest.raises(EventError, match="JSON object") as caught:
        Event.from_bytes(raw)
    assert caught.value.raw == raw


@settings(deadline=None)
@given(st.binary(max_size=200) | json_values.map(orjson.dumps))
def test_any_other_bytes_give_an_event_error_and_nothing_else(raw):
    with pytest.raises(EventError) as caught:
        Event.from_bytes(raw)
    assert caught.value.raw == raw


@settings(deadline=None)
@given(st.sampled_from(list(PLACED.to_dict())), json_values)
def test_any_value_in_any_field_is_read_or_refused_by_name(field, value):
    raw = orjson.dumps(PLACED.to_dict() | {field: value})
    try:
        Event.from_bytes(raw)
    except EventError as error:
        assert error.field == field


def test_data_that_json_cannot_hold_is_refused_by_the_writer():
    with pytest.raises(EventError) as caught:
        Event("A", "b", "c", {"when": {1, 2}}).to_bytes()
    assert caught.value.field == "data"


def test_an_event_error_is_a_lab_error_and_survives_pickling():
    with pytest.raises(LabError) as caught:
        Event.from_bytes(b"{")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.what, again.field, again.raw) == (caught.value.what, "", b"{")


def test_an_event_survives_pickling():
    assert pickle.loads(pickle.dumps(Event.from_bytes(PLACED.to_bytes()))) == PLACED


def test_the_handler_is_chosen_by_type_and_an_unknown_type_keeps_its_bytes():
    assert choose(PLACED, {"OrderPlaced": str.upper}) is str.upper
    with pytest.raises(EventError, match="OrderPlaced") as caught:
        choose(PLACED, {"OrderShipped": print}, raw=b"as it came")
    assert (caught.value.field, caught.value.raw) == ("type", b"as it came")
    assert "OrderShipped" in caught.value.cure


def test_events_load_nothing_heavy():
    code = (
        "import sys, labkit.events.event, labkit.events.trace\n"
        "heavy = {'pandas', 'numpy', 'matplotlib', 'confluent_kafka', 'pika'} & set(sys.modules)\n"
        "assert 'orjson' in sys.modules\n"
        "print(*sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
