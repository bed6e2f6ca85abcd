"""Fill a virtual environment from a lock file. Whatever does it checks every hash.

With the uv of the user, where there is one; else with a uv that pip fetches; else with pip.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from labkit.base.errors import LabError, SetupError, StorageError
from labkit.bootstrap.venv import Venv

Say = Callable[[str], None]

_SIGNS = {  # what pip writes → what happened
    "storage": ("No space left", "Disk quota", "Read-only file system"),
    "network": (
        "Max retries",
        "connection broken",
        "Temporary failure",
        "Network is unreachable",
        "timed out",
        "ProxyError",
    ),
    "damaged": ("DO NOT MATCH THE HASHES",),
}
_NO_NETWORK = ("A package could not be fetched: no network, or no way to the package index.",
               "connect once and try again (later starts need no network); behind a proxy set HTTPS_PROXY, "
               "with a mirror set PIP_INDEX_URL")  # fmt: skip


def fill(venv: Venv, lock: str, cache: Path, hold: int, say: Say) -> None:
    """Make `venv` hold the packages of `lock`, and mark it ready.

    cache: where uv keeps downloads, unless the user has a uv and a cache of their own.
    hold: descriptor of the lock that keeps others out. The installer inherits it, so that it still keeps them out when
    we are killed and the installer goes on alone. Raises SetupError or StorageError.
    """
    uv = shutil.which("uv")
    done = uv and _with_users_uv(uv, venv, lock, cache, hold)
    if uv and not done:
        # It knows nothing of pip's settings: mirrors, certificates, folders of wheels.
        say("uv could not do it; pip tries now")
    if not done:
        _with_python_alone(venv, lock, cache, hold, say)
    venv.add_labkit()
    venv.mark("ready", lock)


def _with_users_uv(uv: str, venv: Venv, lock: str, cache: Path, hold: int) -> bool:
    env = os.environ | _uv_cache(cache)
    if venv.is_whole():
        venv.mark("making", lock)
    else:
        venv.begin()
        make = [uv, "venv", "--quiet", "--allow-existing", "--python", _base_python(), str(venv.folder)]
        if subprocess.run(make, env=env, stdout=sys.stderr, pass_fds=_fds(hold)).returncode:
            return False
    return _uv_install(uv, venv, lock, env, hold)


def _uv_install(uv: str, venv: Venv, lock: str, env: Mapping[str, str], hold: int) -> bool:
    command = [uv, "pip", "install", "--python", str(venv.python), "--require-hashes", "-r", _path(venv, lock)]
    return subprocess.run(command + _quiet(), env=env, stdout=sys.stderr, pass_fds=_fds(hold)).returncode == 0


def _with_python_alone(venv: Venv, lock: str, cache: Path, hold: int, say: Say) -> None:
    if venv.is_whole() and any(venv.site.glob("pip-*.dist-info")):
        venv.mark("making", lock)
    else:
        _require_venv_module()
        venv.begin()
        _run([_base_python(), "-I", "-m", "venv", str(venv.folder)], hold)
    say("first the installer, then the packages")
    uv = _fetch_uv(venv, hold)
    if uv and _uv_install(uv, venv, lock, os.environ | {"UV_CACHE_DIR": str(cache / "uv")}, hold):
        return
    say("pip does it: that takes a minute or two")
    _run([*_pip_install(venv, lock), *_quiet()], hold)


def _fetch_uv(venv: Venv, hold: int) -> str | None:
    """uv as a package in the venv: what pip does in a minute, it does in seconds. None when it cannot be had."""
    command = [*_pip_install(venv, "installer.lock"), "--quiet", "--retries", "1"]
    nothing = subprocess.DEVNULL
    if subprocess.run(command, env=_pip_env(), stdout=nothing, stderr=nothing, pass_fds=_fds(hold)).returncode:
        return None
    return shutil.which("uv", path=str(venv.python.parent))


def _pip_install(venv: Venv, lock: str) -> list[str]:
    # -I: packages that PYTHONPATH or the user's own folder happen to hold are no substitute for ours.
    pip = [str(venv.python), "-I", "-m", "pip", "install", "--no-input"]
    return [*pip, "--require-hashes", "-r", _path(venv, lock)]


def _pip_env() -> dict[str, str]:
    """The user's settings for pip (mirrors, certificates), without those that would install elsewhere."""
    env = {name: value for name, value in os.environ.items() if name not in ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")}
    return env | {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def _quiet() -> list[str]:
    """Both tools draw a progress bar in a terminal. A log file has no use for it, nor for a list of 130 packages."""
    return [] if sys.stderr.isatty() else ["--quiet"]


def _require_venv_module() -> None:
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise SetupError(
            "This Python cannot make a virtual environment: its `venv` part is not installed, and there is no uv.",
            "on Debian and Ubuntu: sudo apt-get install python3-venv; anywhere without root: install uv, or use conda",
        ) from None


def _run(argv: list[str], hold: int) -> None:
    """Run one step, shown to the user; raise what its error output tells when it fails.

    Its standard output goes to our standard error: the command that follows may print JSON for a program to read.
    """
    lines = []
    with subprocess.Popen(
        argv,
        env=_pip_env(),
        stdout=sys.stderr,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        pass_fds=_fds(hold),
    ) as step:
        assert step.stderr is not None
        for line in step.stderr:
            sys.stderr.write(line)
            lines.append(line)
    if step.returncode:
        raise _what_happened("".join(lines))


def _what_happened(text: str) -> LabError:
    kinds = [kind for kind, signs in _SIGNS.items() if any(sign.lower() in text.lower() for sign in signs)]
    if "storage" in kinds:
        return storage_error()
    if "damaged" in kinds:
        return SetupError(
            "A package that was fetched is not the one that the course was tested with.",
            "try again; if it stays so, a mirror or a proxy on the way changes files: try another network",
        )
    if "network" in kinds:
        return SetupError(*_NO_NETWORK)
    return SetupError(
        "The packages could not be installed; the lines above say why.",
        "try again; or use conda (environment.yml), or your own environment: pip install -e .",
    )


def storage_error(reason: str = "the disk is full, or the folder is read-only") -> StorageError:
    return StorageError(
        f"The packages could not be written: {reason}.",
        "free 1 GB; or set LABKIT_HOME to a folder that you can write",
    )


def _base_python() -> str:
    """The interpreter itself, also when we run in some venv: that one may be about to be made anew."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def _path(venv: Venv, lock: str) -> str:
    return str(venv.root / "requirements" / lock)


def _uv_cache(cache: Path) -> dict[str, str]:
    """uv stops where it cannot write its cache; a user without a home gets one beside the lab."""
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if "UV_CACHE_DIR" in os.environ or is_writable(usual):
        return {}
    return {"UV_CACHE_DIR": str(cache / "uv")}


def is_writable(folder: Path) -> bool:
    """True when `folder` can be written, or made."""
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK)


def _fds(hold: int) -> tuple[int, ...]:
    return () if os.name == "nt" else (hold,)
