"""The notebook of the documentation: run without Jupyter, and written as a page.

`make notebook` runs the cells of docs/notebook.ipynb one after the other in a temporary folder, and
stores what they print and draw, in the notebook and in docs/notebook.md with its pictures. A test
runs them again, and compares.
"""

import base64
import contextlib
import io
import json
import os
import runpy
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"

# Called after each cell of the script; no name that a cell would have.
_END_OF_CELL = "_end_of_cell_"


@dataclass(frozen=True)
class Output:
    """What a cell has printed, and the pictures (PNG) that it has drawn."""

    text: str
    pictures: tuple[bytes, ...]


def source_of(cell: dict[str, Any]) -> str:
    """Return the text of a cell."""
    return "".join(cell["source"])


def output_of(cell: dict[str, Any]) -> Output:
    """Return what is stored as the output of a code cell."""
    outputs = cell["outputs"]
    text = "".join("".join(output["text"]) for output in outputs if "text" in output)
    encoded = [output["data"]["image/png"] for output in outputs if "data" in output]
    return Output(text, tuple(base64.b64decode("".join(picture)) for picture in encoded))


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the cells that are run."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run(notebook: dict[str, Any], folder: Path) -> list[Output]:
    """Run the code cells as one script in a folder; return the output of each.

    Figures of Matplotlib that are open at the end of a cell are its pictures, as in Jupyter.
    """
    outputs: list[Output] = []
    printed = io.StringIO()

    def end_of_cell() -> None:
        outputs.append(Output(printed.getvalue(), tuple(_pictures())))
        printed.seek(0)
        printed.truncate()

    script = "\n".join(f"{source_of(cell)}\n{_END_OF_CELL}()" for cell in code_cells(notebook))
    path = folder / "notebook.py"
    path.write_text(script, encoding="utf-8")
    with _inside(folder), contextlib.redirect_stdout(printed):
        runpy.run_path(os.fspath(path), {_END_OF_CELL: end_of_cell})
    return outputs


def with_outputs(notebook: dict[str, Any], outputs: list[Output]) -> dict[str, Any]:
    """Return the notebook with other outputs in its code cells."""
    numbered = iter(enumerate(outputs, 1))
    cells = [
        cell if cell["cell_type"] != "code" else cell | _stored(*next(numbered))
        for cell in notebook["cells"]
    ]
    return notebook | {"cells": cells}


def page(notebook: dict[str, Any]) -> tuple[str, dict[str, bytes]]:
    """Write the notebook as a page of the documentation.

    Returns:
        The Markdown, and the contents of its pictures by their names beside it.
    """
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            parts.append(source_of(cell))
            continue
        parts.append(f"```python\n{source_of(cell)}\n```")
        output = output_of(cell)
        if output.text:
            parts.append(f"```text\n{output.text.rstrip()}\n```")
        for picture in output.pictures:
            name = f"notebook-{len(pictures) + 1}.png"
            pictures[name] = picture
            parts.append(f"![What the cell draws]({name})")
    note = "*Made from [notebook.ipynb](notebook.ipynb), to be run yourself, by `make notebook`.*"
    return "\n\n".join([*parts, note]) + "\n", pictures


def main() -> None:
    """Run the notebook, and write it and its page with the outputs."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        notebook = with_outputs(notebook, run(notebook, Path(folder)))
    text, pictures = page(notebook)
    stored = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    NOTEBOOK.write_text(stored, encoding="utf-8")
    NOTEBOOK.with_suffix(".md").write_text(text, encoding="utf-8")
    for name, picture in pictures.items():
        NOTEBOOK.with_name(name).write_bytes(picture)
    sys.stdout.write(f"{NOTEBOOK}\n{NOTEBOOK.with_suffix('.md')}\n")


def _stored(number: int, output: Output) -> dict[str, Any]:
    """Return the keys of a code cell that has been run, in the notebook's format."""
    outputs: list[dict[str, Any]] = []
    if output.text:
        lines = output.text.splitlines(keepends=True)
        outputs.append({"output_type": "stream", "name": "stdout", "text": lines})
    for picture in output.pictures:
        data = {"image/png": base64.b64encode(picture).decode(), "text/plain": ["<Figure>"]}
        outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
    return {"execution_count": number, "outputs": outputs}


def _pictures() -> Iterator[bytes]:
    """Yield the open figures as PNG, and close them."""
    from matplotlib import pyplot

    for number in pyplot.get_fignums():
        with io.BytesIO() as file:
            # No version in it, which would change the picture with the library's.
            pyplot.figure(number).savefig(file, format="png", metadata={"Software": None})
            yield file.getvalue()
    pyplot.close("all")


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Work in a folder, and draw without a window."""
    from matplotlib import pyplot

    backend = pyplot.get_backend()
    pyplot.switch_backend("agg")
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        pyplot.switch_backend(backend)


if __name__ == "__main__":
    main()
