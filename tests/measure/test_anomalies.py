import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.events.trace import Row, Trace, role
from labkit.measure import anomalies

S = 1_000_000_000


def row(at_s, what, event="", seq=0, who="inventory", channel="", position=-1, key="42", note="", broker="kafka"):
    return Row(int(at_s * S), what, key, seq, event, channel, position, who, broker, note)


def found(*rows, **options):
    """What is found in these rows, the clock starting at 0."""
    return anomalies.find(Trace([row(0, "start", key=""), *rows]).to_frame(), **options).to_dict("records")


def one(*rows, **options):
    (only,) = found(*rows, **options)
    return only


def sentence(*rows, **options):
    return one(*rows, **options)["sentence"]


def out(at_s, event, seq=0, **more):
    return row(at_s, "published", event, seq, "checkout", more.pop("channel", "orders"), **more)


def test_a_service_that_fails_at_every_try_has_handled_nothing_twice() -> None:
    tries = [row(i, what, "a", 1) for i in (1, 2, 3) for what in ("received", "failed")]
    assert found(out(0.5, "a", 1), *tries, row(4, "dead", "a", 1)) == []


# --- against a slow, obvious finder ------------------------------------------------------------------------------


def obvious(rows, consumers=None):
    """The definitions in the docstring of `anomalies`, word for word, with no care for speed."""
    rows = [(r, role(r.who), (r.t_ns - rows[0].t_ns) / 1e9) for r in rows]
    handlers = {who for r, who, _ in rows if r.what in ("handled", "failed") and r.event_id}
    done = [
        (r, who, at)
        for r, who, at in rows
        if r.event_id and (r.what == "handled" or (r.what == "received" and who not in handlers))
    ]
    return {*lost(rows, done, consumers), *duplicated(done), *reordered(done), *stale(rows)}


def lost(rows, done, consumers):
    sent = {}
    for word in ("published", "confirmed"):  # a `confirmed` row counts only for what nobody has published
        for place, (r, _, at) in enumerate(rows):
            if r.what == word and r.event_id:
                sent.setdefault((r.event_id, r.broker), (place, r.channel, at, r.key))
    got = [(r, who, at) for r, who, at in rows if r.event_id and r.what in ("received", "handled", "dead")]
    should = {(r.event_id, r.broker, who) for r, who, _ in got}
    named = {(*event, who) for event in sent for who in consumers or ()}
    should |= named if consumers is not None else set(learned(sent, got))
    fine = {(r.event_id, r.broker, who) for r, who, _ in done}
    fine |= {(r.event_id, r.broker, who) for r, who, _ in rows if r.what == "dead"}
    for event_id, broker, who in should - fine:
        if (event_id, broker) in sent:
            _, _, at, key = sent[event_id, broker]
        else:
            at, key = next((a, r.key) for r, _, a in rows if (r.event_id, r.broker) == (event_id, broker))
        yield "lost", key, (event_id,), who, at


def learned(sent, got):
    for r, who, _ in got:
        if (r.event_id, r.broker) in sent:
            first, channel, _, _ = sent[r.event_id, r.broker]
            for (event_id, broker), (place, other, _, _) in sent.items():
                if (broker, other) == (r.broker, channel) and place >= first:
                    yield event_id, broker, who


def duplicated(done):
    for i, (r, who, at) in enumerate(done):
        before = [1 for o, w, _ in done[:i] if (o.event_id, o.broker, w) == (r.event_id, r.broker, who)]
        if len(before) == 1:
            yield "duplicated", r.key, (r.event_id,), who, at


def reordered(done):
    numbered = [(r, who, at) for r, who, at in done if r.seq > 0]
    for i, (r, who, at) in enumerate(numbered):
        earlier = [o for o, w, _ in numbered[:i] if (o.broker, w) == (r.broker, who)]
        if r.event_id in [o.event_id for o in earlier]:
            continue
        firsts = [o for j, o in enumerate(earlier) if o.event_id not in [p.event_id for p in earlier[:j]]]
        ahead = [o for o in firsts if o.key == r.key and o.seq > r.seq]
        if ahead:
            yield "reordered", r.key, (r.event_id, ahead[0].event_id), who, at


def stale(rows):
    state = [(r, who, at) for r, who, at in rows if r.seq > 0 and r.what in ("effect", "used")]
    for i, (r, who, at) in enumerate(state):
        applied = [
            o
            for o, w, _ in state[:i]
            if o.what == "effect" and (o.key, o.broker) == (r.key, r.broker) and (r.what == "used" or w == who)
        ]
        if applied and max(o.seq for o in applied) > r.seq:
            leader = max(applied, key=lambda o: o.seq)
            yield "stale", r.key, tuple(name for name in (r.event_id, leader.event_id) if name), who, at


# What matters together comes often, so that it meets: most rows are of one service on one broker.
ids = st.sampled_from(["", *"abcd" * 3])
words = st.sampled_from(
    ["handled"] * 6 + ["published", "received", "effect", "used"] * 2 + ["confirmed", "dead", "failed"]
)
whos = st.sampled_from(["inventory"] * 4 + ["inventory#2", "mail", "shop"])
on_brokers = st.sampled_from(["kafka"] * 4 + ["rabbitmq"])


@st.composite
def some_rows(draw):
    """Rows of few events, keys and services, so that everything happens to everything."""
    key_of = {name: draw(st.sampled_from(["1", "2"])) for name in "abcd"} | {"": ""}
    seq_of = {name: draw(st.integers(0, 4)) for name in "abcd"} | {"": 0}
    rows = []
    for i in range(draw(st.integers(1, 30))):
        event = draw(ids)
        what = draw(words)
        of_state = what in ("effect", "used")
        rows.append(
            Row(
                (i + 1) * S // 7,
                what,
                draw(st.sampled_from(["1", "2"])) if of_state else key_of[event],
                draw(st.integers(0, 4)) if of_state else seq_of[event],
                event,
                draw(st.sampled_from(["", "orders", "orders/1", "orders/2"])),
                draw(st.integers(-1, 3)),
                draw(whos),
                draw(on_brokers),
                draw(st.sampled_from(["", "OrderPlaced"])),
            )
        )
    return rows


@settings(max_examples=60, deadline=None)
@given(some_rows(), st.none() | st.lists(st.sampled_from(["inventory", "mail", "fraud"]), unique=True))
def test_the_fast_finder_finds_what_the_obvious_one_finds(rows, consumers):
    table = anomalies.find(Trace(rows).to_frame(), consumers)
    told = [(a.kind, a.key, a.event_ids, a.who, a.at_s) for a in table.itertuples()]
    assert len(told) == len(set(told)), "one row for each anomaly"
    assert set(told) == obvious(rows, consumers)
    assert table["at_s"].is_monotonic_increasing
    for a in table.itertuples():
        assert a.sentence.startswith(f"Order {a.key}: ")
        assert a.sentence.endswith(".")
        assert a.who in a.sentence


# --- each kind, and what its sentence says -----------------------------------------------------------------------


def test_a_good_run_has_no_anomalies():
    rows = [out(1, "a", 1), out(2, "b", 2)]
    rows += [
        row(3 + i, what, event, i + 1) for i, event in enumerate("ab") for what in ("received", "handled", "acked")
    ]
    assert found(*rows) == []


def test_no_rows_have_no_anomalies():
    table = anomalies.find(Trace().to_frame())
    assert list(table.columns) == list(anomalies.COLUMNS)
    assert len(table) == 0


def test_a_table_that_is_no_trace_is_refused():
    with pytest.raises(ValueError, match="no column what"):
        anomalies.find(pd.DataFrame({"t_ns": [1], "key": [""]}))


def test_overtaking_between_partitions_is_told_with_both():
    told = one(
        row(1.2, "handled", "c", 3, channel="orders/2", note="OrderPaid"),
        row(1.203, "handled", "b", 2, channel="orders/5", note="OrderPacked"),
    )
    assert told["sentence"] == (
        "Order 42: event 3 (OrderPaid) was handled before event 2 (packed) by inventory, at 1.200 s and 1.203 s, "
        "because they came over different partitions (2 and 5)."
    )
    assert (told["kind"], told["event_ids"], told["at_s"]) == ("reordered", ("b", "c"), 1.203)


def test_overtaking_is_told_with_the_first_that_overtook():
    rows = [row(i, "handled", event, seq) for i, (event, seq) in enumerate([("d", 4), ("e", 5), ("c", 3)])]
    assert one(*rows)["event_ids"] == ("c", "d")


@pytest.mark.parametrize(
    ("later", "words"),
    [(0.0142, "at 0.013 s and 0.014 s"), (0.0134, "at 13.1 ms and 13.4 ms"), (0.01312, "at 13.100 ms and 13.120 ms")],
)
def test_two_times_that_would_look_the_same_have_more_decimals(later, words):
    assert words in sentence(row(0.0131, "handled", "c", 3), row(later, "handled", "b", 2))


LATE = {
    "two workers of a consumer worked side by side": (
        row(2, "handled", "c", 3, "inventory#1.2"),
        row(3, "handled", "b", 2, "inventory#1.1"),
    ),
    "failed at 1.000 s and was tried again": (
        row(1, "failed", "b", 2),
        row(2, "handled", "c", 3),
        row(3, "handled", "b", 2),
    ),
    "it lies behind it in orders/2 (7 and 9)": (
        row(2, "handled", "c", 3, channel="orders/2", position=7),
        row(3, "handled", "b", 2, channel="orders/2", position=9),
    ),
    "two copies worked side by side (inventory 1 and inventory 2)": (
        row(2, "handled", "c", 3, "inventory#1"),
        row(3, "handled", "b", 2, "inventory#2"),
    ),
    "one consumer worked on both at the same time: it had event 2 first": (
        row(1, "received", "b", 2),
        row(1.5, "received", "c", 3),
        row(2, "handled", "c", 3),
        row(3, "handled", "b", 2),
    ),
    "event 2 was published later, at 0.900 s": (
        out(0.8, "c", 3),
        out(0.9, "b", 2),
        row(1, "received", "c", 3),
        row(2, "handled", "c", 3),
        row(2, "received", "b", 2),
        row(3, "handled", "b", 2),
    ),
    "event 2 came later, at 2.000 s": (
        row(1, "received", "c", 3),
        row(2, "handled", "c", 3),
        row(2, "received", "b", 2),
        row(3, "handled", "b", 2),
    ),
    "they came over different channels (fast and slow)": (
        row(2, "handled", "c", 3, channel="fast"),
        row(3, "handled", "b", 2, channel="slow"),
    ),
}


@pytest.mark.parametrize("why", LATE)
def test_the_sentence_says_why_an_event_was_late(why):
    assert f"because {why}." in sentence(*LATE[why]) or f"because event 2 {why}." in sentence(*LATE[why])


def test_a_second_handling_of_an_old_event_is_a_double_and_not_out_of_order():
    rows = [row(1, "handled", "a", 1), row(2, "handled", "b", 2), row(3, "handled", "a", 1)]
    assert [a["kind"] for a in found(*rows)] == ["duplicated"]


def test_an_event_without_a_number_is_never_out_of_order():
    assert found(row(1, "handled", "b", 2), row(2, "handled", "a", 0)) == []


def test_a_double_says_how_often_when_and_why():
    rows = [row(1, "received", "a", 1), row(1.1, "handled", "a", 1), row(2, "received", "a", 1)]
    rows += [row(2.1, "handled", "a", 1), row(2.2, "acked", "a", 1)]
    assert sentence(*rows) == (
        "Order 42: event 1 was handled twice by inventory, at 1.100 s and again at 2.100 s, because it was delivered "
        "again before it was acknowledged."
    )
    assert "three times" in sentence(*rows, row(3, "handled", "a", 1))
    assert "published more than once" in sentence(out(0.1, "a", 1), out(0.2, "a", 1), *rows)


def test_a_call_that_was_made_again_is_not_told_as_a_delivery():
    rows = [row(1, "received", "a", 1, broker=""), row(1.1, "handled", "a", 1, broker="")]
    rows += [row(2, "received", "a", 1, broker=""), row(2.1, "handled", "a", 1, broker="")]
    assert sentence(*rows).endswith("because its caller tried again.")


def test_two_services_that_handle_one_event_are_no_double_and_two_copies_of_one_are():
    assert found(row(1, "handled", "a"), row(2, "handled", "a", who="mail")) == []
    assert one(row(1, "handled", "a", who="mail#1"), row(2, "handled", "a", who="mail#2"))["kind"] == "duplicated"


def test_the_same_event_on_two_brokers_is_no_double():
    assert found(row(1, "handled", "a"), row(2, "handled", "a", broker="rabbitmq")) == []


LOST = {
    "it never came there, although the broker confirmed it at 2.100 s": [
        row(2.1, "confirmed", "b", 2, "checkout", "orders/1")
    ],
    "the handler that received it at 3.000 s did not come to its end": [row(3, "received", "b", 2)],
    "its last try failed at 4.000 s (no stock)": [
        row(3, "received", "b", 2),
        row(4, "failed", "b", 2, note="no stock"),
    ],
    "the broker did not take it at 2.100 s (timed out)": [
        row(2.1, "failed", "b", 2, "checkout", "orders", note="timed out")
    ],
    "it never came there, and no broker has confirmed it": [],
}


@pytest.mark.parametrize("why", LOST)
def test_the_sentence_says_as_far_as_known_why_an_event_was_lost(why):
    rows = [out(1, "a", 1), out(2, "b", 2, note="OrderPaid"), row(1.5, "received", "a", 1), row(1.6, "handled", "a", 1)]
    told = one(*rows, *LOST[why])
    assert told["sentence"] == (
        f"Order 42: event 2 (OrderPaid), published at 2.000 s, was never handled by inventory, because {why}."
    )
    assert (told["kind"], told["event_ids"], told["who"], told["at_s"]) == ("lost", ("b",), "inventory", 2.0)


def test_a_dead_letter_is_not_lost():
    assert found(out(1, "a"), row(2, "received", "a"), row(3, "dead", "a")) == []


def test_who_comes_late_has_lost_nothing_unless_it_should_have_got_all():
    rows = [out(1, "a", 1), out(2, "b", 2), row(3, "handled", "b", 2, "fraud")]
    assert found(*rows) == []
    assert one(*rows, consumers=["fraud"])["event_ids"] == ("a",)


def test_a_service_that_got_nothing_is_found_when_it_is_named():
    rows = [out(1, "a"), row(3, "handled", "a")]
    assert found(*rows) == []
    assert one(*rows, consumers=["inventory", "mail"])["who"] == "mail"


def test_a_service_that_only_writes_received_has_done_what_it_received():
    assert found(out(1, "a"), row(2, "received", "a")) == []


def test_a_service_is_not_asked_for_what_went_out_on_channels_that_it_does_not_read():
    assert found(out(1, "a"), out(1, "b", channel="returns"), row(2, "handled", "a")) == []


def test_an_old_state_over_a_new_one_is_stale():
    assert sentence(row(1, "effect", "c", 3), row(2, "effect", "b", 2)) == (
        "Order 42: inventory applied state 2 over state 3 at 2.000 s, because it did not compare it with what it had "
        "applied at 1.000 s."
    )
    assert found(row(1, "effect", "c", 3), row(2, "effect", "b", 2, "mail")) == []


def test_reading_an_old_state_is_stale_wherever_the_newer_one_was_applied():
    assert sentence(row(1, "effect", "c", 3), row(2, "used", "", 2, "billing")) == (
        "Order 42: billing used state 2 at 2.000 s, because it had not seen state 3, which inventory applied at "
        "1.000 s."
    )
    assert found(row(1, "effect", "c", 3), row(2, "used", "", 3, "billing"), row(3, "used", "", 4, "billing")) == []


def test_a_key_need_not_be_an_order():
    rows = [row(1, "handled", "c", 3), row(2, "handled", "b", 2)]
    assert sentence(*rows, noun="Customer").startswith("Customer 42: ")


def test_the_rows_that_are_given_stay_as_they_are():
    table = Trace([row(1, "handled", "a"), row(2, "handled", "a")]).to_frame()
    before = table.copy()
    anomalies.find(table)
    pd.testing.assert_frame_equal(table, before)
