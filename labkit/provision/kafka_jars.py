"""Kafka as its published jars: pinned by SHA-256, fetched by `jgo` (which knows the Maven repository's address).

The pins in `kafka_jars.lock` are the smallest set that formats, starts and passes everything the course does: what
`org.apache.kafka:kafka_2.13` asks for, less twelve jars that only OAuth and log4j's own configuration need, plus
slf4j-simple.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from labkit.base import lock
from labkit.base.errors import DownloadError, LabError
from labkit.provision.model import Say

VERSION = "4.4.0"
TRIES = 3
TIMEOUT_S = 20


@dataclass(frozen=True)
class Pin:
    """One jar: its Maven coordinates, its SHA-256 in hex, and its size in bytes."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def file(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def pins() -> list[Pin]:
    """The pinned jars, in the order of the class path."""
    found = []
    for line in Path(__file__).with_name("kafka_jars.lock").read_text().splitlines():
        if line and not line.startswith("#"):
            coordinates, sha256, size = line.split()
            group, artifact, version = coordinates.split(":")
            found.append(Pin(group, artifact, version, sha256, int(size)))
    return sorted(found, key=lambda pin: pin.file)


def provide(cache: Path, maven_url: str | None, say: Say, wanted: Sequence[Pin] | None = None) -> list[Path]:
    """Have every jar in the cache, intact, and return their paths in the order of the class path.

    A jar that is there and right is left alone; a damaged one is fetched again. Safe to repeat and to kill: a jar gets
    its name only when it is whole. Raises DownloadError.
    """
    wanted = pins() if wanted is None else wanted
    folder = cache / f"kafka-{VERSION}"
    with lock.held(
        cache / "kafka.lock", within_s=900, on_wait=lambda: say("Kafka: another lab is fetching it, waiting")
    ):
        missing = [pin for pin in wanted if not intact(folder / pin.file, pin.sha256)]
        if missing:
            _fetch_all(missing, folder, maven_url, say)
    return [folder / pin.file for pin in wanted]


def intact(path: Path, sha256: str) -> bool:
    """True when the file is there and has the fingerprint."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False


def _fetch_all(missing: Sequence[Pin], folder: Path, maven_url: str | None, say: Say) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(pin.size for pin in missing)
    done = told = 0
    scratch = folder / "fetching"
    shutil.rmtree(scratch, ignore_errors=True)  # we hold the lock: only a killed run can have left it
    try:
        with ThreadPoolExecutor(8) as pool:
            for pin in pool.map(_fetcher(folder, scratch, maven_url), missing):
                done += pin.size
                if done * 4 // total > told:  # a line every quarter: one for every jar would be noise
                    told = done * 4 // total
                    say(f"Kafka: fetched {done / 1e6:.0f} of {total / 1e6:.0f} MB")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _fetcher(folder: Path, scratch: Path, maven_url: str | None) -> Callable[[Pin], Pin]:
    # Here and not above: jgo brings requests along, which a second start without a download need not pay for.
    from jgo.maven import MavenContext

    if os.environ.get("SSL_CERT_FILE"):  # requests looks at its own variable only, companies set this one
        os.environ.setdefault("REQUESTS_CA_BUNDLE", os.environ["SSL_CERT_FILE"])

    def fetch(pin: Pin) -> Pin:
        why = ""
        for attempt in range(TRIES):
            repos = {"mirror": maven_url} if maven_url else None
            here = scratch / f"{pin.artifact}-{attempt}"
            context = MavenContext(repo_cache=here, local_repos=[], remote_repos=repos, timeout=TIMEOUT_S)
            try:
                got = context.project(pin.group, pin.artifact).at_version(pin.version).artifact().resolve()
            except (OSError, RuntimeError) as error:  # requests' errors are OSErrors
                if isinstance(error, OSError) and error.errno:
                    raise  # the disk, not the network
                why = _short(error)
                continue
            if intact(got, pin.sha256):
                got.replace(folder / pin.file)
                return pin
            why = "what came is not what was pinned (its SHA-256 differs)"
        raise _not_fetched(pin, why, maven_url)

    return fetch


def _short(error: Exception) -> str:
    text = str(error)
    if "not found in remote" in text:
        return "the repository does not have it"
    return f"{type(error).__name__}: {text[:160]}"


def _not_fetched(pin: Pin, why: str, maven_url: str | None) -> LabError:
    where = "the repository in LABKIT_MAVEN_URL" if maven_url else "the public Maven repository"
    return DownloadError(
        f"Kafka's {pin.file} could not be fetched from {where}: {why}.",
        "check the network; behind a proxy set HTTPS_PROXY; a company's mirror goes into LABKIT_MAVEN_URL",
    )
