"""Starts one Compose project, writes its containers' logs, and stays until it is told to go.

Run as a script by `docker.py`:
    python -I -S docker_keeper.py '{"up": [...], "docker": "...", "project": "...", "logs": {"kafka": "kafka-1.log"}}'

Containers belong to the engine, not to us: killing a `docker` command leaves them running. So this script is what the
lab owns and what its guardian watches. However it ends, the guardian's stop command then takes the containers down.
Standard library only. Ends with the exit code of `up` when that fails.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

asked_to_stop = threading.Event()


def containers(spec: dict[str, Any]) -> list[tuple[str, str]]:
    """(id, service) of every container of the project."""
    wanted = f"label=com.docker.compose.project={spec['project']}"
    form = '{{.ID}} {{.Label "com.docker.compose.service"}}'
    argv = [spec["docker"], "ps", "-a", "--no-trunc", "--filter", wanted, "--format", form]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False)
    return [(line.split()[0], line.split()[1]) for line in answer.stdout.splitlines()]


def follow(spec: dict[str, Any], container: str, service: str) -> None:
    """Append the container's output to its log file; go on when it was started again."""
    path = Path(spec["logs"][service])
    since, mode = "0", "wb"
    while not asked_to_stop.is_set():
        with path.open(mode) as log:
            argv = [spec["docker"], "logs", "-f", "--since", since, container]
            subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
        since, mode = f"{time.time():.3f}", "ab"
        asked_to_stop.wait(1)  # it has stopped; perhaps it is started again


def main() -> None:
    spec = json.loads(sys.argv[1])
    os.umask(0o077)  # logs are their owner's
    # A stop in the middle of `up` waits for its end, so that nothing is created while the stop command looks around.
    signal.signal(signal.SIGTERM, lambda *_: asked_to_stop.set())
    up = subprocess.run(spec["up"], stdin=subprocess.DEVNULL, check=False)
    if up.returncode != 0:
        sys.exit(up.returncode)
    for container, service in containers(spec):
        threading.Thread(target=follow, args=(spec, container, service), daemon=True).start()
    print("up", flush=True)
    asked_to_stop.wait()
    os._exit(0)


if __name__ == "__main__":
    main()
