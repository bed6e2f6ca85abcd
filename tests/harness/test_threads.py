"""The threads of a run of lesson 08: none ends unseen."""

import threading

from labkit.harness.threads import Threads


def test_what_a_thread_raises_is_handed_on_and_the_others_go_on() -> None:
    seen: list[BaseException] = []
    may_end, ended = threading.Event(), threading.Event()

    def breaks(word: str) -> None:
        raise KeyError(word)

    def goes_on() -> None:
        if may_end.wait(10):
            ended.set()

    threads = Threads(seen.append)
    assert not threads
    threads.start(goes_on)
    threads.start(breaks, "orders")
    may_end.set()
    threads.join()
    assert len(threads) == 2
    assert [(type(error), error.args) for error in seen] == [(KeyError, ("orders",))]
    assert ended.is_set(), "`join` waited for both"
