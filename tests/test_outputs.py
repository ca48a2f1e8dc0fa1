"""Results are whole or not there, and nothing else is left behind."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landslide_cli.errors import OutputError
from landslide_cli.outputs import (
    made_parents,
    partial_name,
    replace_folder,
    scratch_folder,
    whole_file,
    whole_folder,
    write_csv,
    write_text,
)

Content = Callable[[Path], dict[str, bytes | None]]

FAILURES = [ValueError("bad"), KeyboardInterrupt(), OSError(28, "No space left on device")]
failures = pytest.mark.parametrize("failure", FAILURES, ids=lambda error: type(error).__name__)


def test_a_written_file_holds_what_was_written_and_stands_alone(
    tmp_path: Path, content_of: Content
) -> None:
    with whole_file(tmp_path / "result.bin") as partial:
        partial.write_bytes(b"new")
        assert not (tmp_path / "result.bin").exists()
    assert content_of(tmp_path) == {"result.bin": b"new"}


def test_a_file_is_written_under_a_name_of_its_own_format(tmp_path: Path) -> None:
    with whole_file(tmp_path / "model.keras") as partial:
        assert partial.suffix == ".keras"
        assert partial.parent == tmp_path
        partial.touch()


@failures
def test_a_failing_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, content_of: Content, failure: BaseException
) -> None:
    path = tmp_path / "result.txt"
    path.write_bytes(b"old")
    with pytest.raises((type(failure), OutputError)), whole_file(path) as partial:
        partial.write_bytes(b"half of the n")
        raise failure
    assert content_of(tmp_path) == {"result.txt": b"old"}


@failures
def test_a_failing_write_removes_the_folders_that_were_made_on_the_way(
    tmp_path: Path, content_of: Content, failure: BaseException
) -> None:
    (tmp_path / "there").mkdir()
    path = tmp_path / "there" / "a" / "b" / "result.txt"
    with pytest.raises((type(failure), OutputError)), whole_file(path) as partial:
        partial.write_bytes(b"half")
        raise failure
    assert content_of(tmp_path) == {"there": None}


def test_what_cannot_be_written_is_named_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    with pytest.raises(OutputError) as caught, whole_file(path):
        raise OSError(28, "No space left on device")
    message = str(caught.value)
    assert message.startswith(f"{path}: cannot be written: No space left on device")
    assert len(message.splitlines()) <= 2
    assert caught.value.exit_status == 1


def test_an_error_that_is_not_of_the_disk_stays_itself(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bad pixels"), whole_file(tmp_path / "result.txt"):
        raise ValueError("bad pixels")


def test_a_file_where_a_folder_should_be_is_an_output_error(
    tmp_path: Path, content_of: Content
) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    message = f"{tmp_path / 'file'}: is a file, and files are to be written into that folder"
    for path in (tmp_path / "file" / "result.txt", tmp_path / "file" / "deeper" / "result.txt"):
        with pytest.raises(OutputError, match=re.escape(message)):
            write_text(path, "new")
        with pytest.raises(OutputError, match=re.escape(message)), whole_folder(path):
            pass
    assert content_of(tmp_path) == {"file": b"mine"}


def test_a_filled_folder_replaces_the_old_one_whole(tmp_path: Path, content_of: Content) -> None:
    path = tmp_path / "tiles"
    (path / "old").mkdir(parents=True)
    (path / "both").write_bytes(b"old")
    with whole_folder(path) as partial:
        assert list(partial.iterdir()) == []
        (partial / "both").write_bytes(b"new")
        assert (path / "both").read_bytes() == b"old"
    assert content_of(tmp_path) == {"tiles": None, "tiles/both": b"new"}


@failures
def test_a_failing_fill_leaves_the_old_folder_and_nothing_else(
    tmp_path: Path, content_of: Content, failure: BaseException
) -> None:
    path = tmp_path / "tiles"
    path.mkdir()
    (path / "a").write_bytes(b"old")
    before = content_of(tmp_path)
    with pytest.raises((type(failure), OutputError)), whole_folder(path) as partial:
        (partial / "images").mkdir()
        (partial / "images" / "a").write_bytes(b"new")
        raise failure
    assert content_of(tmp_path) == before


@failures
def test_a_failing_fill_removes_the_folders_that_were_made_on_the_way(
    tmp_path: Path, content_of: Content, failure: BaseException
) -> None:
    with (
        pytest.raises((type(failure), OutputError)),
        whole_folder(tmp_path / "datasets" / "x" / "tiles") as partial,
    ):
        (partial / "a").write_bytes(b"new")
        raise failure
    assert content_of(tmp_path) == {}


def test_two_writers_of_one_file_are_not_in_each_others_way(
    tmp_path: Path, content_of: Content
) -> None:
    path = tmp_path / "result.csv"
    with whole_file(path) as first:
        with whole_file(path) as second:
            first.write_bytes(b"first")
            second.write_bytes(b"second")
        assert path.read_bytes() == b"second"
    assert content_of(tmp_path) == {"result.csv": b"first"}


@given(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=60))
def test_names_of_unfinished_files_are_hidden_short_and_told_from_others(name: str) -> None:
    path = Path("folder") / f"a{name}.tif"
    partial = partial_name(path)
    assert partial.name.startswith(".a")
    assert (partial.parent, partial.suffix) == (path.parent, path.suffix)
    assert len(partial.name) < 24 + 50
    assert partial != partial_name(path)


def test_a_folder_that_replaces_a_file_leaves_nothing_else(
    tmp_path: Path, content_of: Content
) -> None:
    (tmp_path / "tiles").write_bytes(b"a file")
    with whole_folder(tmp_path / "tiles") as partial:
        (partial / "a").write_bytes(b"new")
    assert content_of(tmp_path) == {"tiles": None, "tiles/a": b"new"}


def test_a_scratch_folder_is_gone_in_the_end(tmp_path: Path, content_of: Content) -> None:
    with scratch_folder(tmp_path / "split") as scratch:
        (scratch / "a").write_bytes(b"new")
        assert scratch.parent == tmp_path
    assert content_of(tmp_path) == {}


def test_replacing_a_folder_works_with_and_without_an_old_one(
    tmp_path: Path, content_of: Content
) -> None:
    for content in (b"first", b"second"):
        new = tmp_path / "new"
        new.mkdir()
        (new / "a").write_bytes(content)
        replace_folder(new, tmp_path / "final")
        assert content_of(tmp_path) == {"final": None, "final/a": content}


def test_folders_that_hold_somebody_elses_files_are_not_removed(
    tmp_path: Path, content_of: Content
) -> None:
    path = tmp_path / "a" / "b" / "result.txt"
    with pytest.raises(ValueError, match="bad"), made_parents(path):
        (tmp_path / "a" / "theirs").write_bytes(b"")
        raise ValueError("bad")
    assert content_of(tmp_path) == {"a": None, "a/theirs": b""}


def test_folders_that_were_made_stay_when_all_went_well(tmp_path: Path) -> None:
    with made_parents(tmp_path / "a" / "b" / "result.txt"):
        assert (tmp_path / "a" / "b").is_dir()
    assert (tmp_path / "a" / "b").is_dir()


def test_text_is_written_as_utf_8(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "größer\n")
    assert (tmp_path / "a.txt").read_bytes() == "größer\n".encode()


def test_a_table_quotes_what_needs_quoting(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ["name", "n"], [("a,b", 1), ('c"d', 2.5)])
    assert (tmp_path / "a.csv").read_bytes() == b'name,n\n"a,b",1\n"c""d",2.5\n'
