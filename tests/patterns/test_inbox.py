"""The inbox: an event and its effect, both or neither, and once."""

import sqlite3
from pathlib import Path

import pytest

from labkit.patterns import inbox


def opened(path: Path | str = ":memory:") -> sqlite3.Connection:
    store = sqlite3.connect(path, timeout=10)
    store.execute("CREATE TABLE IF NOT EXISTS charges (order_id TEXT)")
    inbox.create(store)
    store.commit()
    return store


def charges(store: sqlite3.Connection) -> int:
    return int(store.execute("SELECT count(*) FROM charges").fetchone()[0])


def charge(store: sqlite3.Connection) -> None:
    store.execute("INSERT INTO charges VALUES ('17')")


def test_the_same_event_has_its_effect_once_and_says_which_time_that_was() -> None:
    store = opened()
    done = [inbox.once(store, "a", lambda: charge(store), at=1.0) for _ in range(3)]
    assert done == [True, False, False]
    assert charges(store) == 1
    assert inbox.once(store, "b", lambda: charge(store), at=1.0)
    assert charges(store) == 2


def test_what_the_effect_raises_undoes_the_note_and_the_effect(tmp_path: Path) -> None:
    store = opened(tmp_path / "l.db")

    def half() -> None:
        charge(store)
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        inbox.once(store, "a", half, at=1.0)
    assert charges(opened(tmp_path / "l.db")) == 0
    assert inbox.once(store, "a", lambda: charge(store), at=1.0), "it was not remembered"
    assert charges(opened(tmp_path / "l.db")) == 1, "and now it is stored for everybody"


def test_of_two_connections_only_one_hears_that_the_event_is_new(tmp_path: Path) -> None:
    first, second = opened(tmp_path / "l.db"), opened(tmp_path / "l.db")
    assert inbox.once(first, "a", lambda: charge(first), at=1.0)
    assert not inbox.once(second, "a", lambda: charge(second), at=1.0)
    assert charges(second) == 1


def test_a_forgotten_event_is_done_again_and_a_younger_one_is_not() -> None:
    store = opened()
    for event_id, at in (("old", 1.0), ("young", 9.0)):
        inbox.once(store, event_id, lambda: charge(store), at)
    assert inbox.forget(store, older_than=9.0) == 1
    assert inbox.once(store, "old", lambda: charge(store), at=1.0)
    assert not inbox.once(store, "young", lambda: charge(store), at=9.0)


def test_an_event_without_an_id_is_refused_and_has_no_effect() -> None:
    store = opened()
    with pytest.raises(sqlite3.IntegrityError, match="an_event_needs_an_id"):
        inbox.once(store, "", lambda: charge(store), at=1.0)
    assert charges(store) == 0
