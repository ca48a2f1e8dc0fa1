"""The notebook of the documentation runs, and says what is stored in it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tools.notebook import NOTEBOOK, code_cells, output_of, page, run, with_outputs

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@pytest.fixture
def stored() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return document


def test_notebook_prints_and_draws_what_is_stored(stored: dict[str, Any], tmp_path: Path) -> None:
    outputs = run(stored, tmp_path)
    assert len(outputs) == len(code_cells(stored)) > 4
    for cell, made in zip(code_cells(stored), outputs, strict=True):
        known = output_of(cell)
        assert NUMBER.sub("#", made.text) == NUMBER.sub("#", known.text)
        # Processors differ in the last bits of a probability.
        numbers, expected = NUMBER.findall(made.text), NUMBER.findall(known.text)
        assert [float(number) for number in numbers] == pytest.approx(
            [float(number) for number in expected], rel=0.02
        )
        assert len(made.pictures) == len(known.pictures)
    assert sum(len(made.pictures) for made in outputs) == 1
    assert (tmp_path / "maps" / "valley_landslides.gpkg").exists()


def test_page_is_made_of_the_notebook(stored: dict[str, Any]) -> None:
    text, pictures = page(stored)
    assert NOTEBOOK.with_suffix(".md").read_text(encoding="utf-8") == text
    for name, picture in pictures.items():
        assert NOTEBOOK.with_name(name).read_bytes() == picture
        assert len(picture) < 300_000


def test_outputs_are_stored_in_the_cells_that_made_them(tmp_path: Path) -> None:
    def cell(kind: str, text: str) -> dict[str, Any]:
        return {"cell_type": kind, "source": [text]}

    notebook = {"cells": [cell("code", "a = 1"), cell("markdown", "x"), cell("code", "print(a)")]}
    made = with_outputs(notebook, run(notebook, tmp_path))
    assert [output_of(cell).text for cell in code_cells(made)] == ["", "1\n"]
    assert made["cells"][1] == notebook["cells"][1]
    text, pictures = page(made)
    assert text.startswith(
        "```python\na = 1\n```\n\nx\n\n```python\nprint(a)\n```\n\n```text\n1\n```"
    )
    assert pictures == {}
