"""What JupyterLab opens: a lesson without the outputs of the course's own run.

They are there for who reads on a web page. A learner who bets must not find the answer below the bet.
"""

from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from labkit.desk.jupyter import MARK


class BeforeTheRun(AsyncLargeFileManager):
    """Takes the stored outputs out of a lesson that it opens, and the mark with them. The file stays as it is.

    What a learner saves has no mark: opened again, it has the learner's own outputs.
    """

    async def get(self, path: str, content: bool = True, *rest: Any, **named: Any) -> Any:
        """The model of a file or folder, as the class above gives it."""
        model = await super().get(path, content, *rest, **named)  # type: ignore[no-untyped-call]
        notebook = model["content"] if model["type"] == "notebook" else None
        if notebook is not None and notebook["metadata"].pop(MARK, None) is not None:
            for cell in notebook["cells"]:
                if cell["cell_type"] == "code":
                    cell["outputs"], cell["execution_count"] = [], None
        return model
