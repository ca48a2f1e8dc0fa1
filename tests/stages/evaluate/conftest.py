"""Fixtures of these tests."""

from pathlib import Path

import pytest

from landslide_cli.stages.evaluate import evaluate
from landslide_cli.stages.evaluate.result import EvaluateResult
from tests.models import copy_of_run


@pytest.fixture(scope="module")
def on_tiles(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> EvaluateResult:
    """The trained run scored on the tiles of test, with the files that this writes."""
    return evaluate(copy_of_run(trained_folder, tmp_path_factory.mktemp("scored") / "run"))
