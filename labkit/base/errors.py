"""What can go wrong, and its cure. One tree, so that one `except LabError` catches what labkit raises.

Every error says two things: what happened, and what to do about it. The command line prints both and ends with
the class's `exit_code`, so that a script can tell a wrong setting (2) from a broker that would not start (4).
"""


class LabError(Exception):
    """Something in the lab went wrong in a way we understand.

    what: one or two plain sentences. cure: what the reader can do, as a command or a setting where possible.
    """

    exit_code = 1

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(what, cure)  # both, so that pickling and copying keep them
        self.what = what
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.what}\n  Cure: {self.cure}"


class SettingError(LabError):
    """A `LABKIT_*` variable, a command line option or a setting of an experiment has a value that cannot be used."""

    exit_code = 2


class NotRunningError(LabError):
    """The lab was asked for something and is not running."""

    exit_code = 3


class StoppingError(NotRunningError):
    """The lab is about to end. Who wants one waits for that end, and starts another."""


class BrokerError(LabError):
    """A broker could not be provided, did not start, or went away."""

    exit_code = 4


class DownloadError(BrokerError):
    """A part of a broker could not be fetched, or is not what it should be."""


class StorageError(LabError):
    """The lab's folder cannot be written: read-only, full, or owned by somebody else."""

    exit_code = 5


class NotInTimeError(LabError):
    """A fact that was waited for did not become true in time."""

    exit_code = 6


class SetupError(LabError):
    """The course's Python packages, or the Python that is to run them, could not be installed."""

    exit_code = 7
