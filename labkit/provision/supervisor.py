"""The process that owns a lab's brokers. Run by `holder.start`, never by hand.

It stops everything when its last holder has been gone for the grace time, when it is told to, or when it gets SIGTERM.
When it is killed, the guardians of the brokers notice and stop them (see `guardian`).
"""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from labkit.base import errors, ports, settings
from labkit.provision import state
from labkit.provision.fleet import Fleet, as_failure
from labkit.provision.model import Place, Wanted


@dataclass
class Holder:
    """One open connection that keeps the lab alive."""

    who: str
    since: float = field(default_factory=time.time)


class Supervisor:
    """One lab: its brokers, its holders, and the control socket."""

    def __init__(self, place: Place, lab_id: str) -> None:
        self.place = place
        self.id = lab_id
        self.token = secrets.token_urlsafe(24)
        self.pinned = False
        self.phase = "starting"
        self.failure: dict[str, str] | None = None
        self._fleet = Fleet(place)
        self._lines: list[str] = []  # progress so far; a holder that comes late reads it from the start
        self._changed = asyncio.Condition()
        self._holders: dict[int, Holder] = {}
        self._idle_since = time.monotonic()
        self._stop = asyncio.Event()
        self._failure_told = asyncio.Event()
        self._reviving = asyncio.Lock()

    async def run(self) -> None:
        port = ports.free(1)[0]
        await asyncio.start_server(self._serve, "127.0.0.1", port)
        state.write(self.place.settings.home, state.State(self.id, os.getpid(), port, self.token))
        loop = asyncio.get_running_loop()
        for sig in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sig, self._stop.set)
        starting = asyncio.create_task(self._start())
        watching = asyncio.create_task(self._watch_grace())
        await self._stop.wait()
        self.phase = "stopping"
        watching.cancel()
        # A start in progress ends by itself; whatever it has started by then is stopped below.
        await asyncio.wait([starting], timeout=0.1)
        await asyncio.to_thread(self._fleet.stop)
        shutil.rmtree(self.place.run, ignore_errors=True)
        state.remove(self.place.settings.home, self.id)
        async with self._changed:
            self.phase = "stopped"
            self._changed.notify_all()
        await asyncio.sleep(0.05)  # lets the last answers leave; the exit closes the connections

    async def _start(self) -> None:
        """Start the brokers. When one fails, the other is stopped too: half a lab helps nobody."""
        loop = asyncio.get_running_loop()

        def say(line: str) -> None:
            asyncio.run_coroutine_threadsafe(self._say(line), loop)

        wrong = await asyncio.to_thread(self._fleet.start, say)
        async with self._changed:
            if wrong:
                self.failure = as_failure(wrong)
            self.phase = "failed" if wrong else "ready"
            self._changed.notify_all()
        if wrong:
            # Whoever started us may still be on the way to ask: he is to hear the reason, not to find us gone.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._failure_told.wait(), 10)
            self._stop.set()

    async def _say(self, line: str) -> None:
        async with self._changed:
            self._lines.append(line)
            self._changed.notify_all()

    async def _watch_grace(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, self.place.settings.grace_s / 4))
            idle = time.monotonic() - self._idle_since
            if not self._holders and not self.pinned and idle > self.place.settings.grace_s:
                self._stop.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = json.loads(await asyncio.wait_for(reader.readline(), 5) or b"{}")
            if not isinstance(first, dict) or not secrets.compare_digest(str(first.get("token")), self.token):
                return
            await _send(writer, lab=self.id)
            while line := await reader.readline():
                await self._answer(json.loads(line), reader, writer)
        except (OSError, ValueError):
            pass
        finally:
            writer.close()

    async def _answer(self, asked: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match asked.get("op"):
            case "hold":
                await self._hold(asked.get("who", "?"), reader, writer)
            case "pin":
                self.pinned = True
                await _send(writer, pinned=True)
            case "revive":
                await self._revive()
                await _send(writer, **({"failed": self.failure} if self.failure else {"revived": True}))
            case "status":
                await _send(writer, **self.status())
            case "stop":
                self._stop.set()
                async with self._changed:
                    await self._changed.wait_for(lambda: self.phase == "stopped")
                await _send(writer, stopped=True)

    async def _hold(self, who: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        key = id(writer)
        self._holders[key] = Holder(who)
        try:
            await self._tell_progress(writer)
            while await reader.readline():  # silent from here on; its end is what we wait for
                pass
        finally:
            del self._holders[key]
            self._idle_since = time.monotonic()

    async def _tell_progress(self, writer: asyncio.StreamWriter) -> None:
        too_late = self.phase in ("stopping", "stopped")  # who waits while it starts is not to begin anew
        sent = 0 if self.phase == "starting" else len(self._lines)  # who joins later is not told how it began
        while True:
            async with self._changed:
                while len(self._lines) == sent and self.phase == "starting":
                    await self._changed.wait()
            for line in self._lines[sent:]:
                await _send(writer, say=line)
            sent = len(self._lines)
            if self.phase != "starting":
                break
        await self._revive()
        if self.phase == "ready":
            await _send(writer, ready=self._fleet.ready())
        else:
            kind = errors.StoppingError if too_late else errors.NotRunningError
            stopping = kind("The lab is stopping.", "start it again")
            await _send(writer, failed=self.failure or as_failure([stopping]))
            self._failure_told.set()

    async def _revive(self) -> None:
        """A broker that has died since is started again on its data, so that who joins finds a whole lab."""
        async with self._reviving:
            if self.phase != "ready":
                return
            try:
                await asyncio.to_thread(self._fleet.revive)
            except Exception as error:
                self.phase, self.failure = "failed", as_failure([error])
                self._stop.set()

    def status(self) -> dict[str, Any]:
        """What `python -m labkit status --json` shows."""
        return {
            "id": self.id,
            "phase": self.phase,
            "pid": os.getpid(),
            "pinned": self.pinned,
            "wanted": asdict(self.place.wanted),
            "grace_s": self.place.settings.grace_s,
            "holders": [{"who": holder.who, "since": holder.since} for holder in self._holders.values()],
            "progress": self._lines[-1:],
            "brokers": self._fleet.status(),
        }


async def _send(writer: asyncio.StreamWriter, **message: Any) -> None:
    writer.write(json.dumps(message).encode() + b"\n")
    await writer.drain()


def main() -> None:
    """Arguments: the lab's id, and what is wanted, as JSON. Settings come from the environment."""
    lab_id, wanted = sys.argv[1], Wanted(**json.loads(sys.argv[2]))
    found = settings.read()
    runs = found.home / "run"
    # One lab a home, and we hold its lock by way of our starter: whatever lies here was left by a crash.
    shutil.rmtree(runs, ignore_errors=True)
    place = Place(found, runs / lab_id, wanted)
    place.run.mkdir(parents=True, mode=0o700)
    place.logs.mkdir(exist_ok=True)

    async def supervise() -> None:
        await Supervisor(place, lab_id).run()
        os._exit(0)  # here, because the loop's end would wait for a start that still hangs in a thread

    asyncio.run(supervise())


if __name__ == "__main__":
    main()
