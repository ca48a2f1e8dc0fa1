"""Arrays in HDF5 and NumPy files, read as rasters."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from landslide_cli.core.composition import Band, Composition
from landslide_cli.core.palette import Palette
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import probe
from landslide_cli.imagery.raster.masks import read_mask
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.reader import SceneReader

ROWS, COLS, BANDS = 32, 48, 14


def chip() -> np.ndarray:
    return np.random.default_rng(5).normal(1.0, 0.4, (ROWS, COLS, BANDS))


@pytest.fixture
def write_h5(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str = "image_1.h5", **arrays: np.ndarray) -> Path:
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            for key, values in arrays.items():
                file.create_dataset(key.replace("__", "/"), data=values)
        return path

    return write


def image_of(path: Path, bands: int = BANDS) -> np.ndarray:
    entries = [
        Band(f"b{number}", number, scaling="range", low=-1.0, high=4.0)
        for number in range(1, bands + 1)
    ]
    composition = Composition(tuple(entries), takes_all=True)
    with SceneReader(path, Preprocessing(bands, composition=composition)) as scene:
        return scene.read((0, scene.height), (0, scene.width)).image


def levels(values: np.ndarray) -> np.ndarray:
    return np.asarray((np.clip(values, -1.0, 4.0) + 1.0) * 51.0)


def message_of(path: Path, bands: int = BANDS) -> str:
    with pytest.raises(DataError) as caught:
        image_of(path, bands)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("is_last", [True, False])
def test_bands_lie_along_the_last_or_the_shortest_first_axis(
    write_h5: Callable[..., Path], is_last: bool
) -> None:
    path = write_h5(img=chip() if is_last else np.moveaxis(chip(), -1, 0))
    info = probe(path)
    assert (info.width, info.height, info.bands, info.dtype) == (COLS, ROWS, BANDS, "float64")
    np.testing.assert_allclose(image_of(path), levels(chip()), rtol=1e-5, atol=1e-4)


def test_an_array_is_named_where_there_are_several(write_h5: Callable[..., Path]) -> None:
    path = write_h5(data__img=chip(), data__other=chip() + 1.0, count=np.array([1, 2]))
    assert "holds data/img, data/other; name one by source.key" in message_of(path)
    np.testing.assert_allclose(image_of(path / "data/img"), levels(chip()), rtol=1e-5, atol=1e-4)
    assert "has no array 'slope', but data/img, data/other" in message_of(path / "slope")


def test_numpy_archives_are_read_likewise(tmp_path: Path) -> None:
    path = tmp_path / "chip.npz"
    np.savez_compressed(path, img=chip().astype(np.float16))
    np.testing.assert_allclose(image_of(path), levels(chip()), atol=0.2)


def test_what_is_no_image_is_told(tmp_path: Path, write_h5: Callable[..., Path]) -> None:
    compound = np.zeros((4, 4), [("a", "f4"), ("b", "i4")])
    assert "'img' holds compound values" in message_of(write_h5("a.h5", img=compound))
    assert "'img' holds complex128 values" in message_of(write_h5("b.h5", img=1j * chip()))
    four = write_h5("c.h5", img=np.zeros((2, 8, 8, 3)))
    assert "'img' is 2 x 8 x 8 x 3; an image has two axes" in message_of(four)
    assert "no array of two axes or more" in message_of(write_h5("d.h5", img=np.zeros(5)))
    assert "has 14 bands where `bands`" in message_of(write_h5("e.h5", img=chip()), 13)
    pickled = tmp_path / "f.npz"
    np.savez(pickled, img=np.array([[{}]], object))
    assert "f.npz: holds Python objects, which make no image" in message_of(pickled)
    text = tmp_path / "g.npz"
    text.write_text("no archive")
    assert "g.npz: is no archive of NumPy's, or cut short" in message_of(text)


def test_an_array_file_in_an_archive_is_refused(
    tmp_path: Path, write_h5: Callable[..., Path]
) -> None:
    with zipfile.ZipFile(tmp_path / "chips.zip", "w") as archive:
        archive.write(write_h5(img=chip()), "a.h5")
    told = message_of(Path(f"/vsizip/{tmp_path}/chips.zip/a.h5"))
    assert "HDF5 and NumPy files are read from disks of this machine" in told


@pytest.mark.parametrize("name", ["image_1.h5", "image_1.npz"])
def test_a_file_that_is_cut_off_is_told(
    tmp_path: Path, write_h5: Callable[..., Path], cut_short: Callable[..., Path], name: str
) -> None:
    path = write_h5(img=chip())
    if name.endswith(".npz"):
        path = tmp_path / name
        np.savez(path, img=chip())
    told = message_of(cut_short(path))
    assert f"{name}: is " in told
    assert "cut short" in told


def test_masks_are_indices_or_one_hot(
    tmp_path: Path, write_h5: Callable[..., Path], palette: Palette
) -> None:
    mask = (chip()[..., 0] > 1.2).astype(np.uint8)
    np.testing.assert_array_equal(read_mask(write_h5("m.h5", mask=mask), palette).mask, mask)
    path = tmp_path / "m.npz"
    np.savez(path, mask=np.stack([mask == 0, mask == 1], axis=-1))
    np.testing.assert_array_equal(read_mask(path, palette).mask, mask)
