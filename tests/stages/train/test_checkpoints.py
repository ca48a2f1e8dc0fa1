"""Checkpoints: whole or not there, the last two kept, damage noticed."""

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from landslide_cli.errors import DataError, OutputError
from landslide_cli.stages.train.checkpoints import last_checkpoint, save_checkpoint
from tests.conftest import RecordingReporter

VALUES = {"model_00000": np.arange(6.0).reshape(2, 3), "model_00001": np.array(7, np.int64)}


def save(folder: Path, epoch: int, step: int, **document: Any) -> Path:
    return save_checkpoint(folder, epoch, step, VALUES.items(), document)


def test_last_checkpoint_gives_back_what_was_saved(
    tmp_path: Path, reporter: RecordingReporter
) -> None:
    save(tmp_path, 1, 0, rows=[{"loss": 0.1 + 0.2}])
    checkpoint = last_checkpoint(tmp_path, reporter)
    assert checkpoint is not None
    assert checkpoint.document == {"rows": [{"loss": 0.1 + 0.2}]}
    for name, value in VALUES.items():
        np.testing.assert_array_equal(checkpoint.array(name), value)
        assert checkpoint.array(name).dtype == value.dtype
    with pytest.raises(KeyError):
        checkpoint.array("model_00002")


@given(value=arrays_of.arrays(st.sampled_from([np.float32, np.uint32, np.int64, np.bool_]), (3, 2)))
def test_any_array_comes_back_bit_by_bit(
    tmp_path_factory: pytest.TempPathFactory, value: np.ndarray
) -> None:
    folder = tmp_path_factory.mktemp("one")
    save_checkpoint(folder, 1, 1, [("a", value)], {})
    checkpoint = last_checkpoint(folder, RecordingReporter())
    assert checkpoint is not None
    assert checkpoint.array("a").tobytes() == value.tobytes()


def test_there_is_none_in_a_folder_that_is_not_there(
    tmp_path: Path, reporter: RecordingReporter
) -> None:
    assert last_checkpoint(tmp_path / "nothing", reporter) is None


def test_newest_is_taken_by_epoch_and_step_and_two_are_kept(
    tmp_path: Path, reporter: RecordingReporter
) -> None:
    for epoch, step in ((1, 5), (2, 0), (9, 99), (10, 0)):
        save(tmp_path, epoch, step, at=[epoch, step])
    checkpoint = last_checkpoint(tmp_path, reporter)
    assert checkpoint is not None
    assert checkpoint.document == {"at": [10, 0]}
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_damaged_checkpoint_gives_way_to_the_one_before(
    tmp_path: Path, reporter: RecordingReporter, cut_short: Any, share: float
) -> None:
    save(tmp_path, 1, 0, at=1)
    cut_short(save(tmp_path, 2, 0, at=2), share)
    checkpoint = last_checkpoint(tmp_path, reporter)
    assert checkpoint is not None
    assert checkpoint.document == {"at": 1}
    assert "damaged" in reporter.warnings[0]


def test_changed_byte_is_noticed(tmp_path: Path, reporter: RecordingReporter) -> None:
    path = save(tmp_path, 1, 0)
    content = bytearray(path.read_bytes())
    content[content.index(np.arange(6.0).tobytes()) + 9] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="all checkpoints are damaged"):
        last_checkpoint(tmp_path, reporter)


def test_full_disk_keeps_the_last_good_checkpoint(
    tmp_path: Path, reporter: RecordingReporter
) -> None:
    save(tmp_path, 1, 0, at=1)

    def values() -> Any:
        yield from VALUES.items()
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match="free some space"):
        save_checkpoint(tmp_path, 2, 0, values(), {})
    checkpoint = last_checkpoint(tmp_path, reporter)
    assert checkpoint is not None
    assert checkpoint.document == {"at": 1}
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.path.name]


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        save_checkpoint(tmp_path, 1, 0, [("a", np.array([object()]))], {})
    assert list(tmp_path.iterdir()) == []
