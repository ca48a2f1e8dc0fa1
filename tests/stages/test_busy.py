"""Two commands at once: in one dataset or run the second is refused before it does anything."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from landslide_cli.dataset.files import DATASET_LOCK
from landslide_cli.errors import BusyError
from landslide_cli.locks import refusing
from landslide_cli.profile import Profile
from landslide_cli.reporting import Advance, SilentReporter
from landslide_cli.runs.files import run_lock
from landslide_cli.stages.evaluate import evaluate
from landslide_cli.stages.infer import infer_tiled
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.split import split
from landslide_cli.stages.train import train


@pytest.mark.parametrize("stage", [prepare, split])
def test_a_dataset_is_prepared_and_split_by_one_at_a_time(
    tmp_path: Path, stage: Callable[[Profile], object]
) -> None:
    profile = Profile(name="a", dataset=tmp_path / "dataset", run=tmp_path / "run")
    with (
        refusing(profile.dataset / DATASET_LOCK, "prepared", profile.dataset),
        pytest.raises(BusyError, match=r"is being prepared by process \d+ on .+ since 20"),
    ):
        stage(profile)


@pytest.mark.parametrize("stage", [train, evaluate])
def test_a_run_is_trained_or_evaluated_by_one_at_a_time(
    trained: Profile, stage: Callable[[Profile], object]
) -> None:
    with (
        refusing(run_lock(trained.run_folder), "trained", trained.run_folder),
        pytest.raises(BusyError, match=r"is being trained by process \d+ on .+ since 20"),
    ):
        stage(trained)


class _TrainingMeanwhile(SilentReporter):
    """Has somebody train the run anew while it is mapped with."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self.refusals: list[str] = []

    @contextmanager
    def track(self, description: str, total: float, unit: str = "") -> Iterator[Advance]:
        with pytest.raises(BusyError) as caught:
            train(self._profile, overwrite=True)
        self.refusals.append(str(caught.value))
        yield lambda amount=1.0, *, name=None: None


def test_run_is_not_trained_anew_while_maps_are_written_into_it(trained: Profile) -> None:
    model = (trained.run_folder / "model.keras").read_bytes()
    meanwhile = _TrainingMeanwhile(trained)
    assert infer_tiled(trained, limit=1, reporter=meanwhile).exit_status == 0
    (refusal,) = meanwhile.refusals
    maps = re.escape(str(trained.run_folder / "infer"))
    assert re.match(rf"{maps} is being filled with maps by process \d+ on .+ since 20", refusal)
    assert (trained.run_folder / "model.keras").read_bytes() == model
    assert list((trained.run_folder / "infer").glob("*_mask.tif"))
    assert not list(trained.run_folder.rglob(".*.lock"))


# Waits as a command does, in the middle of its work.
WAIT = """
import sys, time
from landslide_cli import app
from landslide_cli.stages import prepare
def wait(*arguments, **options):
    print("works", flush=True)
    time.sleep(60)
prepare.prepare = wait
sys.argv = ["landslide", "prepare", "landslide"]
sys.exit(app.main())
"""


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_commands_end_by_signals_like_errors(name: str, status: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAIT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "works\n"
        process.send_signal(getattr(signal, name))
        _, errors = process.communicate(timeout=30)
    assert process.returncode == status
    assert "Traceback" not in errors
