"""Repeating a step behaves like make: nothing to do, or a refusal that names what changed."""

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from landslide_cli.documents import read_json, write_json
from landslide_cli.errors import ChangedError, DataError, OutputError
from landslide_cli.records import Input, Record, Step, check_file, refuse_overwrite

SETTINGS = {"prepare.tile": 16, "prepare.resize": (640, 512), "limit": None}


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        file.write_bytes(file.name.encode())
    return files


@pytest.fixture
def repeat(tmp_path: Path, inputs: list[Path]) -> Callable[..., Mapping[str, Any] | None]:
    """Finish the step, and give a function that takes it up again with other settings."""
    path = tmp_path / "out" / "prepare.json"
    Step.of(path, SETTINGS, inputs).finish({"tiles": 3})

    def again(
        files: list[Path] | None = None, overwrite: bool = False, **settings: Any
    ) -> Mapping[str, Any] | None:
        changed = SETTINGS | {f"prepare.{key}": value for key, value in settings.items()}
        step = Step.of(path, changed, inputs if files is None else files)
        return step.finished_before("prepare", overwrite)

    return again


Repeat = Callable[..., Mapping[str, Any] | None]


def changes(repeat: Repeat, **how: Any) -> str:
    with pytest.raises(ChangedError) as caught:
        repeat(**how)
    message = str(caught.value)
    assert caught.value.exit_status == 1
    assert "--overwrite" in message
    assert len(message.splitlines()) <= 2
    return message


def test_a_step_that_was_never_finished_is_to_be_made(tmp_path: Path, inputs: list[Path]) -> None:
    step = Step.of(tmp_path / "out" / "prepare.json", SETTINGS, inputs)
    assert step.finished_before("prepare", overwrite=False) is None


def test_an_unchanged_step_gives_its_earlier_result(repeat: Repeat) -> None:
    assert repeat() == {"tiles": 3}


def test_overwriting_makes_a_step_again(repeat: Repeat) -> None:
    assert repeat(overwrite=True) is None
    assert repeat(overwrite=True, tile=32) is None


def test_a_changed_setting_is_named_with_both_values(repeat: Repeat, tmp_path: Path) -> None:
    message = changes(repeat, tile=32)
    assert "prepare.tile (16 -> 32)" in message
    assert "resize" not in message
    assert message.startswith(str(tmp_path / "out"))


def test_a_new_setting_is_a_change(repeat: Repeat) -> None:
    assert "prepare.tiel (null -> 3)" in changes(repeat, tiel=3)


def test_many_changes_are_not_all_listed(repeat: Repeat) -> None:
    assert " and 5 more" in changes(repeat, **{f"key{i}": i for i in range(9)})


def test_inputs_that_come_go_or_change_are_named(
    repeat: Repeat, tmp_path: Path, inputs: list[Path]
) -> None:
    new = tmp_path / "c.png"
    new.write_bytes(b"c")
    inputs[0].write_bytes(b"edited")
    message = changes(repeat, files=[inputs[0], new])
    assert f"{inputs[0]} (edited)" in message
    assert f"{inputs[1]} (gone)" in message
    assert f"{new} (new)" in message


def test_an_input_of_the_same_size_but_another_content_is_edited(
    repeat: Repeat, inputs: list[Path]
) -> None:
    size = inputs[0].stat().st_size
    inputs[0].write_bytes(b"x" * size)
    os.utime(inputs[0], ns=(1, 1))
    assert f"{inputs[0]} (edited)" in changes(repeat)


def test_an_input_that_was_only_touched_is_unchanged(repeat: Repeat, inputs: list[Path]) -> None:
    os.utime(inputs[0], ns=(1, 1))
    assert repeat() == {"tiles": 3}


def test_the_order_of_inputs_and_settings_does_not_matter(
    repeat: Repeat, inputs: list[Path]
) -> None:
    assert repeat(files=inputs[::-1]) == {"tiles": 3}
    assert repeat(tile=16) == {"tiles": 3}


def test_a_record_of_an_older_form_is_a_change(repeat: Repeat, tmp_path: Path) -> None:
    path = tmp_path / "out" / "prepare.json"
    write_json(path, (read_json(path) or {}) | {"format": 0})
    assert "format (0 -> " in changes(repeat)


def test_a_record_is_read_as_it_was_written(tmp_path: Path, inputs: list[Path]) -> None:
    record = Record({"a": [1, None]}, {"x": Input.of(inputs[0])}, {"tiles": 3})
    record.write(tmp_path / "record.json")
    read = Record.read(tmp_path / "record.json")
    assert read is not None
    assert read.changes(record.settings, record.inputs) == []
    assert (read.inputs, read.result) == (record.inputs, record.result)


def test_without_a_record_there_is_none(tmp_path: Path, inputs: list[Path]) -> None:
    assert Record.read(tmp_path / "none.json") is None
    assert Record.read(tmp_path / "none" / "none.json") is None
    assert Record.read(inputs[0] / "none.json") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"3",
        b"{}",
        b'{"format": 1, "result": {}, "settings": [], "inputs": {}}',
        b'{"format": 1, "result": {}, "settings": {}, "inputs": []}',
        b'{"format": 1, "result": {}, "settings": {}, "inputs": {"a": [1]}}',
        b'{"format": 1, "settings": {}, "inputs": {}}',
        b"\xff\xfe\x00",
    ],
)
def test_what_is_no_record_is_called_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "prepare.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as a record") as caught:
        Record.read(path)
    assert str(path) in str(caught.value)


def test_files_beside_a_record_are_those_of_its_step(tmp_path: Path) -> None:
    file, path = tmp_path / "model.keras", tmp_path / "run.json"
    file.write_bytes(b"weights")
    check_file(file, path)  # no record, as of a model from elsewhere
    Step.of(path, {}, []).finish({}, files=["model.keras"])
    check_file(file, path)
    check_file(tmp_path / "curves.png", path)
    file.write_bytes(b"weighty")
    with pytest.raises(DataError, match=r"is not the file that run\.json describes;\n.*train"):
        check_file(file, path)
    file.unlink()
    with pytest.raises(DataError, match=r"model\.keras: is missing"):
        check_file(file, path)


def test_record_of_version_0_1_0_takes_any_file(tmp_path: Path) -> None:
    old = {"format": 2, "result": {}, "settings": {}, "inputs": {"a.png": [1, 2, "digest"]}}
    (tmp_path / "run.json").write_text(json.dumps(old), encoding="utf-8")
    record = Record.read(tmp_path / "run.json")
    assert record is not None
    assert record.inputs == {"a.png": Input(1, 2, "digest")}
    check_file(tmp_path / "model.keras", tmp_path / "run.json")


def test_damaged_record_is_replaced_where_the_step_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "prepare.json"
    path.write_text("{")
    with pytest.raises(DataError, match="landslide prepare --overwrite"):
        Step.of(path, {}, [])
    step = Step.of(path, {}, [], overwrite=True)
    assert step.finished_before("prepare", overwrite=True) is None


def test_an_input_is_described_by_its_content(tmp_path: Path, inputs: list[Path]) -> None:
    same = tmp_path / "same.png"
    same.write_bytes(inputs[0].read_bytes())
    first, other, third = Input.of(inputs[0]), Input.of(same), Input.of(inputs[1])
    assert first.digest == other.digest != third.digest
    assert first.size == 5


def test_an_input_of_known_size_and_times_is_not_read_again(
    inputs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Input.of(inputs[0])
    monkeypatch.setattr(Path, "open", lambda *arguments: pytest.fail("it was read"))
    assert Input.of(inputs[0], known) is known


def test_other_content_with_the_same_size_and_time_is_noticed(inputs: list[Path]) -> None:
    known = Input.of(inputs[0])
    status = inputs[0].stat()
    time.sleep(0.02)  # file systems have ticks
    inputs[0].write_bytes(b"v.png")
    os.utime(inputs[0], ns=(status.st_atime_ns, status.st_mtime_ns))
    assert Input.of(inputs[0], known).digest != known.digest


def test_large_file_is_told_by_samples_from_all_over_it(tmp_path: Path) -> None:
    path, size, most = tmp_path / "large.tif", 2**20, 2**16
    content = bytearray(size)
    path.write_bytes(content)
    digests = {Input.of(path, most=most).digest, Input.of(path).digest}
    for place in (0, size - 1, (size - 2**14) // 3):
        content[place] = 1
        path.write_bytes(content)
        digests.add(Input.of(path, most=most).digest)
    path.write_bytes(content[:-1])
    digests.add(Input.of(path, most=most).digest)
    assert len(digests) == 6
    assert Input.of(path, most=size) == Input.of(path)


def test_a_folder_that_holds_something_foreign_is_refused(
    tmp_path: Path, inputs: list[Path]
) -> None:
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.mkdir()
    full.mkdir()
    refuse_overwrite([empty, full, tmp_path / "none"], overwrite=False)
    (full / "mine.txt").touch()
    for foreign in (full, inputs[0]):
        with pytest.raises(OutputError, match="not made by this step") as caught:
            refuse_overwrite([empty, foreign], overwrite=False)
        assert str(foreign) in str(caught.value)
        assert str(empty) not in str(caught.value)
    refuse_overwrite([full, inputs[0]], overwrite=True)


@pytest.mark.parametrize(("probability", "changes"), [(0.0, 0), (0.5, 2)])
def test_removed_settings_that_had_no_effect_are_no_change(
    tmp_path: Path, probability: float, changes: int
) -> None:
    key = "train.augment.recolour"
    recorded = {f"{key}.range": [90, 245], f"{key}.probability": probability, "seed": 1}
    Record(recorded, {}, {}).write(tmp_path / "run.json")
    record = Record.read(tmp_path / "run.json")
    assert record is not None
    assert len(record.changes({"seed": 1}, {})) == changes
