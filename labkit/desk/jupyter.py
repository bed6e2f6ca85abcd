"""JupyterLab as a child of ours: its own settings folder, a token, ready when it answers."""

import os
import secrets
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

from labkit.base import wait
from labkit.base.errors import LabError
from labkit.base.settings import Settings, course_root
from labkit.provision.child import Child

MARK = "labkit"  # in the metadata of a notebook whose outputs the course has stored: see `contents`
READY_WITHIN_S = 120.0
STOP_GRACE_S = 8.0  # JupyterLab ends its kernels one by one


class Server(Child):
    """A running JupyterLab. root: the folder it shows (default: the course folder).

    outputs: whether a lesson opens with the outputs that the course has stored in it.
    """

    def __init__(self, settings: Settings, ip: str, port: int, root: Path | None = None, outputs: bool = False) -> None:
        root = root or course_root()
        folder = settings.home / "jupyter"
        _write_settings(folder)
        token = secrets.token_urlsafe(24)
        # "every address" is no address to call; brackets tell an IPv6 address from its port
        host = "127.0.0.1" if ip in ("0.0.0.0", "::", "") else f"[{ip}]" if ":" in ip else ip
        self._base = f"http://{host}:{port}"
        self._token = token
        options = [
            f"--ServerApp.ip={ip}",
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            "--ServerApp.open_browser=False",
            f"--ServerApp.root_dir={root}",
            "--ServerApp.allow_root=True",  # a container often has no other user
            "--LabApp.news_url=None",  # no request to the outside
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.expose_app_in_browser=True",  # lets the browser tests see when a kernel is ready
        ]
        if not outputs:
            options.append("--ServerApp.contents_manager_class=labkit.desk.contents.BeforeTheRun")
        super().__init__(
            "jupyterlab",
            [sys.executable, "-m", "jupyterlab", *options],
            settings.home / "log" / "jupyterlab.log",
            env=environment(folder) | {"JUPYTER_TOKEN": token},
            cwd=root,
            grace_s=STOP_GRACE_S,
        )

    def address(self, notebook: str) -> str:
        """Where a browser finds the notebook (a path below the folder that JupyterLab shows)."""
        return f"{self._base}/lab/tree/{quote(notebook)}?token={self._token}"

    def await_ready(self) -> None:
        """Wait until it answers. Raises LabError with the end of its log when it dies instead."""

        def answers() -> bool:
            if not self.alive():
                raise LabError(
                    f"JupyterLab ended at once. The end of its log ({self.log}):\n{self.tail()}", "see there"
                )
            try:
                with urllib.request.urlopen(f"{self._base}/api?token={self._token}", timeout=5):
                    return True
            except (urllib.error.URLError, OSError):
                return False

        wait.until(answers, READY_WITHIN_S, "JupyterLab answers", every_s=0.1)


def environment(folder: Path) -> dict[str, str]:
    """The environment for JupyterLab and its kernels: what they write goes below `folder`, and they find labkit."""
    return os.environ | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "IPYTHONDIR": str(folder / "ipython"),
        "MPLCONFIGDIR": str(folder / "matplotlib"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(course_root()), os.environ.get("PYTHONPATH")])),
    }


def _write_settings(folder: Path) -> None:
    """No question about news at the first start. What the learner changes later is kept."""
    file = (
        folder
        / "config"
        / "lab"
        / "user-settings"
        / "@jupyterlab"
        / "apputils-extension"
        / "notification.jupyterlab-settings"
    )
    if not file.exists():
        file.parent.mkdir(parents=True)
        file.write_text('{"fetchNews": "false", "checkForUpdates": false}\n')
