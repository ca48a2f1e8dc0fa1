"""Unchanged means unchanged: an image by all of its files, however they were replaced."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landslide_cli.records import Input
from landslide_cli.stages.infer.identity import identity_of, is_unchanged

Write = Callable[..., Path]


@pytest.fixture
def scene(write_raster: Write) -> Path:
    return write_raster("scene.tif", np.zeros((6, 8), np.uint8))


def rewrite(path: Path, content: bytes) -> None:
    """Write other content of the same size, and give it the times that it had."""
    status = path.stat()
    time.sleep(0.02)  # file systems have ticks
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size


def flipped(path: Path) -> bytes:
    content = bytearray(path.read_bytes())
    content[-1] ^= 255
    return bytes(content)


def test_image_is_itself_and_not_another_of_its_size_and_time(scene: Path, tmp_path: Path) -> None:
    identity = identity_of(scene)
    assert is_unchanged(scene, identity)
    other = tmp_path / "other.tif"
    shutil.copy2(scene, other)
    rewrite(other, flipped(other))
    assert not is_unchanged(other, identity)


def test_image_that_was_moved_with_what_lies_beside_it_is_the_same(
    scene: Path, tmp_path: Path
) -> None:
    scene.with_name("scene.tfw").write_text("1")
    identity = identity_of(scene)
    (tmp_path / "there").mkdir()
    for path in (scene, scene.with_name("scene.tfw")):
        path.rename(tmp_path / "there" / path.name)
    assert is_unchanged(tmp_path / "there" / "scene.tif", identity)
    (tmp_path / "there" / "scene.tfw").unlink()
    assert not is_unchanged(tmp_path / "there" / "scene.tif", identity)


def test_nothing_is_read_where_sizes_and_times_are_the_same(
    scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.with_name("scene.tfw").write_text("1")
    identity = identity_of(scene)
    monkeypatch.setattr(Path, "open", lambda *arguments: pytest.fail("it was read"))
    assert is_unchanged(scene, identity)


def test_other_pixels_of_the_same_size_and_time_are_noticed(scene: Path) -> None:
    identity = identity_of(scene)
    rewrite(scene, flipped(scene))
    assert not is_unchanged(scene, identity)


def test_copy_over_it_that_keeps_its_time_is_the_same_if_its_bytes_are(
    scene: Path, tmp_path: Path
) -> None:
    identity = identity_of(scene)
    shutil.copy2(scene, tmp_path / "copy.tif")
    (tmp_path / "copy.tif").replace(scene)
    assert is_unchanged(scene, identity)


@pytest.mark.parametrize(
    "name",
    ["scene.tif.msk", "scene.tfw", "scene.tif.ovr", "scene.prj", "scene.RPB", "scene.rpb",
     "SCENE.RPB", "scene_RPC.TXT", "scene_rpc.txt", "SCENE_RPC.txt"],
)  # fmt: skip
def test_file_beside_it_that_comes_changes_or_goes_is_noticed(scene: Path, name: str) -> None:
    path = scene.with_name(name)
    without = identity_of(scene)
    path.write_text("3")
    assert not is_unchanged(scene, without)
    present = identity_of(scene)
    assert is_unchanged(scene, present)
    rewrite(path, b"4")
    assert not is_unchanged(scene, present)
    path.unlink()
    assert not is_unchanged(scene, present)
    assert is_unchanged(scene, without)


@pytest.fixture
def mosaic(scene: Path, tmp_path: Path) -> Path:
    """A VRT of a VRT of the scene."""
    source = scene
    for name in ("inner.vrt", "outer.vrt"):
        text = (
            '<VRTDataset rasterXSize="8" rasterYSize="6"><VRTRasterBand dataType="Byte" band="1">'
            f'<SimpleSource><SourceFilename relativeToVRT="1">{source.name}</SourceFilename>'
            "</SimpleSource></VRTRasterBand></VRTDataset>"
        )
        source = tmp_path / name
        source.write_text(text)
    return source


@pytest.mark.parametrize("name", ["scene.tif", "inner.vrt", "outer.vrt"])
def test_source_of_a_mosaic_belongs_to_it(mosaic: Path, name: str) -> None:
    identity = identity_of(mosaic)
    assert is_unchanged(mosaic, identity)
    path = mosaic.with_name(name)
    rewrite(path, path.read_bytes()[:-1] + b"\n")
    assert not is_unchanged(mosaic, identity)


def test_what_lies_beside_a_source_of_a_mosaic_belongs_to_it(mosaic: Path) -> None:
    identity = identity_of(mosaic)
    mosaic.with_name("scene.tif.msk").touch()
    assert not is_unchanged(mosaic, identity)


def test_source_that_is_gone_is_noticed(mosaic: Path) -> None:
    identity = identity_of(mosaic)
    mosaic.with_name("scene.tif").unlink()
    assert not is_unchanged(mosaic, identity)


def test_mosaic_of_many_files_reads_little_of_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int | None] = []
    described = Input.of

    def of(path: Path, known: Any = None, most: int | None = None) -> Input:
        read.append(most)
        return described(path, known, most)

    sources = "".join(f"<SourceFilename>{tmp_path / str(n)}</SourceFilename>" for n in range(2100))
    (tmp_path / "m.vrt").write_text(f"<VRTDataset>{sources}</VRTDataset>")
    for number in range(2100):
        (tmp_path / str(number)).touch()
    monkeypatch.setattr(Input, "of", of)
    assert len(identity_of(tmp_path / "m.vrt").files) == 2101
    assert set(read) == {2**15}


FILES = st.sampled_from(["scene.tif", "scene.tfw", "scene.tif.msk", "notes.txt"])
ACTIONS = st.sampled_from(["write", "touch", "delete"])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(FILES, ACTIONS), max_size=4))
def test_image_is_unchanged_exactly_if_its_files_are(
    tmp_path: Path, steps: list[tuple[str, str]]
) -> None:
    for path in tmp_path.iterdir():
        path.unlink()
    scene = tmp_path / "scene.tif"
    scene.write_bytes(b"0")
    (tmp_path / "scene.tfw").write_bytes(b"0")
    identity, before = identity_of(scene), state_of(tmp_path)
    for number, (name, action) in enumerate(steps, 1):
        path = tmp_path / name
        if action == "delete":
            path.unlink(missing_ok=True)
        elif action == "write":
            path.write_bytes(str(number).encode())
        else:
            path.touch()
            os.utime(path, ns=(0, number))
    assert is_unchanged(scene, identity) == (state_of(tmp_path) == before)


def state_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.iterdir()
        if path.name != "notes.txt"
    }
