"""A training that has not finished: what it was started with, and whether it can be resumed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from landslide_cli.errors import ChangedError, listed
from landslide_cli.locks import Owner, clear_leftovers, wait_for_work_in
from landslide_cli.outputs import made_parents, remove_folder, replace_folder
from landslide_cli.records import Record, Step, refuse_overwrite
from landslide_cli.reporting import Reporter
from landslide_cli.runs.files import RUN_RECORD, TIED, UNFINISHED_RECORD
from landslide_cli.stages.train.checkpoints import CHECKPOINTS, Checkpoint, last_checkpoint

CACHE = "cache"

# Settings that only prolong or watch a training: they may change before it is resumed.
_MAY_CHANGE = ("train.epochs", "train.stop_patience", "train.preview_scenes")


def can_resume(folder: Path, step: Step) -> bool:
    """Whether the folder holds an unfinished training with the settings and files of `step`."""
    return (folder / CHECKPOINTS).is_dir() and _changes(folder, step) == []


def checkpoint_to_resume(
    folder: Path, step: Step, machine: dict[str, Any], overwrite: bool, reporter: Reporter
) -> Checkpoint | None:
    """Return the checkpoint that a training resumes from; None to start it.

    Args:
        folder: of the unfinished run.
        step: the training's settings and files.
        machine: hardware and versions, by which bits may differ.
        overwrite: start it whatever the folder contains.
        reporter: told of a damaged checkpoint, or of another machine.

    Raises:
        ChangedError: there is an unfinished training with other settings or files.
        OutputError: the folder contains other files.
    """
    if overwrite:
        return None
    changes = _changes(folder, step)
    if changes is None:
        refuse_overwrite([folder], overwrite)
        return None
    checkpoint = last_checkpoint(folder / CHECKPOINTS, reporter)
    if checkpoint is None:
        return None  # nothing is lost
    if changes:
        raise ChangedError(
            f"{folder}: contains an unfinished run with different settings or files: "
            f"{listed(changes, most=4)};\nmove it away to keep it, or start over with --overwrite"
        )
    record = Record.read(folder / UNFINISHED_RECORD)
    if record is not None and record.result.get("machine") != machine:
        reporter.warn(
            f"{folder}: was started on a different machine or with different library versions: "
            "results will not be bit-identical"
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
        is_new: whether nothing in the folder is needed.
        reporter: told that the folder is left.
    """
    with made_parents(folder):
        try:
            if is_new:
                shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(exist_ok=True)
            for inside in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
                clear_leftovers(inside)
            # That of a training whose folder did not get its name.
            (folder / RUN_RECORD).unlink(missing_ok=True)
            Record(step.settings, step.inputs, {"machine": machine}).write(
                folder / UNFINISHED_RECORD
            )
            yield
        except BaseException:
            if (folder / CHECKPOINTS).is_dir():
                reporter.warn(
                    f"not finished; `landslide train` resumes from the last checkpoint in {folder}"
                )
            else:
                shutil.rmtree(folder, ignore_errors=True)
            raise


def finish_run(
    folder: Path, step: Step, result: dict[str, Any], run: Path, reporter: Reporter
) -> None:
    """Give a finished run its record and its name, without what only an unfinished run needs.

    Commands that work in the run that it replaces, and have begun meanwhile, are waited for.
    """

    def tell(where: Path, owner: Owner) -> None:
        reporter.note(f"{where}: waiting for {owner}, which works in the run to be replaced")

    wait_for_work_in(run, tell)
    files = [name for name in TIED if (folder / name).exists()]
    step.finish(result, folder / RUN_RECORD, files)
    for name in (CHECKPOINTS, CACHE):
        remove_folder(folder / name)
    (folder / UNFINISHED_RECORD).unlink(missing_ok=True)
    replace_folder(folder, run)


def _changes(folder: Path, step: Step) -> list[str] | None:
    """Name what has changed since the unfinished training was started; None if there is none."""
    record = Record.read(folder / UNFINISHED_RECORD)
    if record is None:
        return None
    unchecked = {key: record.settings.get(key) for key in _MAY_CHANGE}
    return record.changes({**step.settings, **unchecked}, step.inputs)
