"""`python -m labkit open`: the brokers, JupyterLab on the first lesson, and everything stopped when JupyterLab ends."""

import argparse
import signal
import socket
import webbrowser
from pathlib import Path
from types import FrameType

from labkit.base import ports, settings
from labkit.base.errors import SettingError
from labkit.base.settings import course_root
from labkit.cli import wanted
from labkit.desk import jupyter
from labkit.lab import Table
from labkit.provision import holder

HELP = "start both brokers and open JupyterLab on the first lesson"
FIRST_LESSON = "00_start_here.ipynb"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", nargs="?", default=FIRST_LESSON, help=f"a notebook (default: {FIRST_LESSON})")
    parser.add_argument("--no-browser", action="store_true", help="print JupyterLab's address, open no browser")
    parser.add_argument("--port", type=int, help="JupyterLab's port (default: a free one)")
    parser.add_argument("--ip", default="127.0.0.1", help="the address JupyterLab listens on (default: 127.0.0.1)")
    parser.add_argument("--outputs", action="store_true", help="open the lessons with the outputs stored in them")
    wanted.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    port = _port(args.port, args.ip)
    lesson = _lesson(args.lesson)
    signal.signal(signal.SIGTERM, _as_interrupt)
    found = settings.read()
    hold = holder.start(wanted.read(args), lambda line: print(line, flush=True), who="labkit open", found=found)
    server = None
    try:
        server = jupyter.Server(found, args.ip, port, outputs=args.outputs)
        server.await_ready()
        print(f"\n{Table(hold.brokers)}\n\nJupyterLab: {server.address(lesson)}")
        print("It ends with Ctrl-C here, or with File > Shut Down there; the brokers end with it.", flush=True)
        if not args.no_browser:
            webbrowser.open(server.address(lesson))
        server.wait()
    except KeyboardInterrupt:
        print("\nStopping …", flush=True)
    finally:
        if server is not None:
            server.stop()
        hold.close()
        _stop_unless_used(found.home)
    return 0


def _as_interrupt(signum: int, frame: FrameType | None) -> None:
    """SIGTERM ends us like Ctrl-C: in order."""
    raise KeyboardInterrupt


def _port(asked: int | None, ip: str) -> int:
    if asked is None:
        return ports.free(1)[0]
    if not 0 < asked < 65_536:
        raise SettingError(f"--port {asked}: a port is a number from 1 to 65535.", "leave --port out to get a free one")
    with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ip, asked))
        except OSError as error:
            raise SettingError(
                f"JupyterLab cannot listen on {ip}:{asked}: {error.strerror}.", "take another --port, or leave it out"
            ) from error
    return asked


def _lesson(name: str) -> str:
    """The notebook's path below the course folder, as JupyterLab wants it."""
    for path in (Path(name).absolute(), course_root() / "notebooks" / name, course_root() / name):
        if path.is_file() and path.is_relative_to(course_root()):
            return path.relative_to(course_root()).as_posix()
    raise SettingError(
        f"There is no notebook {name!r}.", "name one of the folder notebooks/, such as 00_start_here.ipynb"
    )


def _stop_unless_used(home: Path) -> None:
    """Stop the brokers with JupyterLab, unless `up` has pinned them or somebody else still works with them."""
    told = holder.ask("status", home)
    if told is None:
        return
    others = [user["who"] for user in told["holders"] if user["who"] != "labkit open"]
    if told["pinned"]:
        print("The brokers run on, because `up` started them: `python -m labkit down` stops them.")
    elif others:
        print(f"The brokers run on for {', '.join(others)}.")
    else:
        holder.stop(home)
        print("Everything has stopped.")
