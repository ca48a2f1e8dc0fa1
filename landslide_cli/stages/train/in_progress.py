"""A training that has not finished: what it was begun with, and whether it can be taken up."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from landslide_cli.errors import ChangedError, listed
from landslide_cli.outputs import made_parents, remove_folder, replace_folder
from landslide_cli.records import Record, Step, refuse_overwrite
from landslide_cli.reporting import Reporter
from landslide_cli.runs.files import RUN_RECORD
from landslide_cli.stages.train import checkpoints
from landslide_cli.stages.train.checkpoints import Checkpoint, last_checkpoint

UNFINISHED = "unfinished.json"
CACHE = "cache"

# Settings that only prolong a training, or watch it: they may change before it is taken up again.
_MAY_CHANGE = ("train.epochs", "train.stop_patience", "train.preview_scenes")


def can_go_on(folder: Path, step: Step) -> bool:
    """Whether the folder holds an unfinished training that `step` would go on with."""
    begun = (folder / checkpoints.FOLDER).is_dir()
    return begun and _changes(folder, step) == []


def checkpoint_of(
    folder: Path, step: Step, machine: dict[str, Any], overwrite: bool, reporter: Reporter
) -> Checkpoint | None:
    """Return what a training goes on from; None to begin it.

    Args:
        folder: of the unfinished run.
        step: the training's settings and files.
        machine: hardware and versions, by which bits may differ.
        overwrite: begin it whatever is there.
        reporter: told of a checkpoint that is damaged, or of another machine.

    Raises:
        ChangedError: there is an unfinished training with other settings or files.
        OutputError: the folder holds something else.
    """
    if overwrite:
        return None
    changes = _changes(folder, step)
    if changes is None:
        refuse_overwrite([folder], overwrite)
        return None
    checkpoint = last_checkpoint(folder / checkpoints.FOLDER, reporter)
    if checkpoint is None:
        return None  # nothing is lost
    if changes:
        raise ChangedError(
            f"{folder}: holds an unfinished training of something else: "
            f"{listed(changes, most=4)};\nmove it away to keep it, or start afresh with --overwrite"
        )
    record = Record.read(folder / UNFINISHED)
    if record is not None and record.result.get("machine") != machine:
        reporter.warn(
            "the training was begun on another machine, whose bits differ from this one's"
        )
    return checkpoint


@contextmanager
def unfinished(
    folder: Path, step: Step, machine: dict[str, Any], is_new: bool, reporter: Reporter
) -> Iterator[None]:
    """Work in the folder of an unfinished run; an error leaves it if it holds a checkpoint.

    Args:
        folder: made, and emptied for a new training.
        step: recorded in it.
        machine: likewise.
        is_new: whether nothing of what is there is needed.
        reporter: told that something is left.
    """
    with made_parents(folder):
        try:
            if is_new:
                shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(exist_ok=True)
            Record(step.settings, step.inputs, {"machine": machine}).write(folder / UNFINISHED)
            yield
        except BaseException:
            if (folder / checkpoints.FOLDER).is_dir():
                reporter.warn(
                    f"not finished; `landslide train` goes on from the last checkpoint in {folder}"
                )
            else:
                shutil.rmtree(folder, ignore_errors=True)
            raise


def put_in_place(folder: Path, step: Step, result: dict[str, Any], run: Path) -> None:
    """Give a finished run its record and its name, without what only an unfinished one needs."""
    step.finish(result, folder / RUN_RECORD)
    for name in (checkpoints.FOLDER, CACHE):
        remove_folder(folder / name)
    (folder / UNFINISHED).unlink(missing_ok=True)
    replace_folder(folder, run)


def _changes(folder: Path, step: Step) -> list[str] | None:
    """Name what has changed since the unfinished training was begun; None if there is none."""
    record = Record.read(folder / UNFINISHED)
    if record is None:
        return None
    free = {key: record.settings.get(key) for key in _MAY_CHANGE}
    return record.changes({**step.settings, **free}, step.inputs)
