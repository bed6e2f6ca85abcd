"""Where this machine keeps a Chromium or a Chrome, for the tests that look at a lesson the way a learner does."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from labkit.base.errors import SettingError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

CURE = (
    "install Chromium (Debian: apt-get install chromium; macOS: brew install --cask google-chrome), "
    "or name one in LABKIT_CHROMIUM"
)

_ELSEWHERE = {  # programs that are not on PATH
    "darwin": (
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
    ),
    "win32": (
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
    ),
}


def find(env: Mapping[str, str] | None = None) -> Path | None:
    """The program that LABKIT_CHROMIUM names, else the first that is installed, else None.

    Raises SettingError when LABKIT_CHROMIUM names something that is not there.
    """
    env = os.environ if env is None else env
    named = env.get("LABKIT_CHROMIUM")
    if named:
        found = shutil.which(named, path=env.get("PATH"))
        if not found:
            raise SettingError(f"LABKIT_CHROMIUM={named!r}: there is no such program.", f"correct it, or {CURE}")
        return Path(found)
    on_path = [found for name in NAMES if (found := shutil.which(name, path=env.get("PATH")))]
    elsewhere = [path for path in _ELSEWHERE.get(sys.platform, ()) if Path(path).exists()]
    return Path((on_path + elsewhere)[0]) if on_path or elsewhere else None
