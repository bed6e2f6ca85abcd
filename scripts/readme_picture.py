"""Cut the README's picture out of a lesson's saved outputs: the last picture of the cell that calls `outage.timeline`.

python scripts/readme_picture.py
"""

import base64
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LESSON, CELL, PICTURE = "01_coupling.ipynb", "outage.timeline(down", "docs/outage.png"


def main() -> None:
    cells = json.loads((ROOT / "notebooks" / LESSON).read_text(encoding="utf-8"))["cells"]
    found = [
        output["data"]["image/png"]
        for cell in cells
        if cell["cell_type"] == "code" and CELL in "".join(cell["source"])
        for output in cell["outputs"]
        if "image/png" in output.get("data", {})
    ]
    target = ROOT / PICTURE
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(base64.b64decode(found[-1]))
    print(f"{PICTURE}: {target.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
