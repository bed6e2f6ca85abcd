import os
import signal
import subprocess
import sys
import threading

import numpy as np
import orjson
import pytest

from labkit.base.errors import StorageError
from labkit.events import trace as tracing
from labkit.events.trace import Row, Trace, TraceFile

MS = 1_000_000


def told(*rows):
    """A trace of (ms, what, event_id, channel, who[, more])."""
    trace = Trace()
    for ms, what, event_id, channel, who, *more in rows:
        trace.add(what, "42", 1, event_id, channel, who=who, t_ns=int(ms * MS), **(more[0] if more else {}))
    return trace


def test_a_row_says_when_and_what_happened():
    before = tracing.now_ns()
    trace = Trace()
    trace.add(
        "handled", key="42", seq=3, event_id="e", channel="orders/2", position=7, who="inventory#2", broker="kafka"
    )
    (row,) = trace.rows()
    assert before <= row.t_ns <= tracing.now_ns()
    assert row[1:] == ("handled", "42", 3, "e", "orders/2", 7, "inventory#2", "kafka", "")
    assert tracing.role(row.who) == "inventory"


def test_many_threads_lose_no_row():
    trace = Trace()

    def work(name):
        for seq in range(2000):
            trace.add("handled", key=name, seq=seq)

    threads = [threading.Thread(target=work, args=(str(i),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(trace) == 16_000
    frame = trace.to_frame()
    assert frame["t_ns"].is_monotonic_increasing
    for _, of_key in frame.groupby("key"):
        assert sorted(of_key["seq"]) == list(range(2000))


def test_clearing_forgets_the_rows_and_adding_goes_on():
    trace = Trace([Row(1, "due")])
    trace.clear()
    trace.add("due")
    assert len(trace) == 1


def test_the_frame_has_the_rows_columns_and_seconds_from_the_first_row():
    frame = Trace([Row(5_000 * MS, "handled", "b"), Row(2_000 * MS, "due", "a", 7)]).to_frame()
    assert list(frame.columns) == [*Row._fields, "t_s"]
    assert list(frame["key"]) == ["a", "b"], "rows stand in order of time"
    assert list(frame["t_s"]) == [0.0, 3.0]
    assert [str(frame[name].dtype) for name in ("t_ns", "seq", "position")] == ["int64"] * 3


def test_an_empty_trace_has_an_empty_frame_and_no_deliveries():
    assert list(Trace().to_frame().columns) == [*Row._fields, "t_s"]
    assert len(Trace().to_frame()) == len(Trace().deliveries()) == 0
    assert "handled_s" in Trace().deliveries().columns


def test_a_delivery_is_one_line_with_its_times():
    trace = told(
        (0, "due", "e", "orders", "checkout"),
        (1, "published", "e", "orders", "checkout"),
        (2, "confirmed", "e", "orders/1", "checkout"),
        (3, "received", "e", "orders/1", "inventory"),
        (4, "received", "e", "orders/1", "analytics"),
        (5, "handled", "e", "orders/1", "inventory"),
        (6, "acked", "e", "orders/1", "inventory"),
        (7, "published", "never read", "orders", "checkout"),
    )
    first, second = trace.deliveries().to_dict("records")
    times = ("due_s", "published_s", "confirmed_s", "received_s", "handled_s", "acked_s")
    assert [first[name] * 1000 for name in times] == pytest.approx([0, 1, 2, 3, 5, 6])
    assert (first["who"], second["who"]) == ("inventory", "analytics")
    assert second["published_s"] == pytest.approx(0.001)
    assert np.isnan([second["handled_s"], second["acked_s"], second["failed_s"]]).all()


def test_a_redelivery_is_a_second_line():
    trace = told(
        (1, "received", "e", "stock", "inventory"),
        (2, "failed", "e", "stock", "inventory"),
        (3, "received", "e", "stock", "inventory"),
        (4, "handled", "e", "stock", "inventory"),
    )
    first, second = trace.deliveries().to_dict("records")
    assert (first["attempt"], second["attempt"]) == (1, 2)
    assert (first["failed_s"], second["handled_s"]) == pytest.approx((0.001, 0.003))
    assert np.isnan([first["handled_s"], second["failed_s"]]).all()


def test_a_service_that_only_says_handled_has_a_line_for_each_time():
    trace = told((1, "handled", "e", "", "inventory"), (2, "handled", "e", "", "inventory"))
    assert list(trace.deliveries()["attempt"]) == [1, 2]


def test_the_same_event_on_two_brokers_keeps_its_times_apart():
    on = [{"broker": "kafka"}, {"broker": "rabbitmq"}]
    trace = told(
        (1, "published", "e", "orders", "checkout", on[0]),
        (5, "published", "e", "orders", "checkout", on[1]),
        (6, "received", "e", "orders", "inventory", on[1]),
        (7, "received", "e", "orders", "inventory", on[0]),
    )
    table = trace.deliveries().set_index("broker")
    assert table["published_s"].to_dict() == pytest.approx({"kafka": 0.0, "rabbitmq": 0.004})


def test_of_an_event_that_was_published_twice_the_first_time_counts():
    trace = told(
        (0, "start", "", "", ""),
        (1, "published", "e", "orders", "checkout"),
        (2, "published", "e", "orders", "checkout"),
        (3, "received", "e", "orders", "inventory"),
    )
    assert list(trace.deliveries()["published_s"]) == pytest.approx([0.001])


def test_a_refused_publish_is_no_delivery():
    trace = told((1, "published", "e", "x", "checkout"), (2, "failed", "e", "x", "checkout"))
    assert len(trace.deliveries()) == 0


def test_files_of_several_processes_come_together_in_order_of_time(tmp_path):
    for who in ("inventory", "analytics"):
        file = TraceFile(tmp_path / f"{who}.jsonl", who)
        for seq in range(3):
            file.add("handled", "42", seq, note='a "quoted"\nline · ü')
        file.add("effect", who="somebody else", t_ns=5)
        file.close()
    trace = Trace()
    assert trace.read_folder(tmp_path) == 0
    rows = trace.rows()
    assert tracing.read(tmp_path) == (rows, 0)
    assert [row.t_ns for row in rows] == sorted(row.t_ns for row in rows)
    assert [row.who for row in rows].count("inventory") == 3
    assert {row.note for row in rows if row.what == "handled"} == {'a "quoted"\nline · ü'}


def test_a_line_cut_off_at_any_byte_is_skipped_and_counted(tmp_path):
    path = tmp_path / "inventory.jsonl"
    file = TraceFile(path)
    for seq in (1, 2):
        file.add("handled", "42", seq, note="ü")
    file.close()
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    for cut in range(start + 1, len(whole) - 1):
        path.write_bytes(whole[:cut])
        rows, broken = tracing.read(tmp_path)
        assert ([row.seq for row in rows], broken) == ([1], 1), whole[:cut]


def test_who_writes_on_after_a_cut_line_loses_no_row(tmp_path):
    path = tmp_path / "inventory.jsonl"
    path.write_bytes(b'[1,"handled","42"')
    file = TraceFile(path)
    file.add("handled", "43")
    file.close()
    rows, broken = tracing.read(tmp_path)
    assert ([row.key for row in rows], broken) == (["43"], 1)


@pytest.mark.parametrize(
    "line", [b"{}", b"7", b"[]", b"\xff\x00", b'["1","handled","k",0,"","",-1,"","",""]', b"[1,2,3,4,5,6,7,8,9,10]"]
)
def test_a_line_that_is_no_row_is_skipped_and_counted(tmp_path, line):
    good = orjson.dumps(tuple(Row(1, "handled", "42")))
    (tmp_path / "a.jsonl").write_bytes(good + b"\n" + line + b"\n" + good + b"\n")
    rows, broken = tracing.read(tmp_path)
    assert (len(rows), broken) == (2, 1)


def test_a_folder_without_files_has_no_rows(tmp_path):
    assert tracing.read(tmp_path) == ([], 0)
    assert tracing.read(tmp_path / "not there") == ([], 0)


def test_rows_survive_kill_9(tmp_path):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from labkit.events.trace import TraceFile\n"
        "file = TraceFile(Path(sys.argv[1]), 'inventory')\n"
        "for seq in range(1, 1_000_000_000):\n"
        "    file.add('handled', '42', seq)\n"
        "    if seq == 100: print('ready', flush=True)\n"
    )
    path = tmp_path / "inventory.jsonl"
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    rows, broken = tracing.read(tmp_path)
    assert broken == 0, "one system call writes the whole line"
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) >= 100


def test_a_trace_file_that_cannot_be_written_is_an_error_with_a_cure(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        TraceFile(tmp_path / "file" / "x.jsonl")
    file = TraceFile(tmp_path / "x.jsonl")
    file.close()
    file.close()
    with pytest.raises(StorageError):
        file.add("handled")


def test_a_full_disk_is_an_error_and_not_half_a_line():
    full = tracing.Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(StorageError, match="space"):
        TraceFile(full).add("handled")
