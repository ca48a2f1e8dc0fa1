"""Fixtures that write small profiles, rasters and labelled scenes into the test's own folder."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import settings
from numpy.typing import NDArray

from landslide_cli.core.palette import Palette
from landslide_cli.imagery.raster.images import write_image, write_mask
from landslide_cli.profile import Profile, load_profile
from landslide_cli.reporting import Advance

# Trained models, and models of which all is known, for all rooms.
pytest_plugins = ["tests.models"]

settings.register_profile("tests", deadline=None, max_examples=25)
settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    # The program ignores it for the whole process; pytest resets the filters before each test.
    config.addinivalue_line("filterwarnings", "ignore::rasterio.errors.NotGeoreferencedWarning")
    # A shell has what it starts in the background ignore Ctrl-C, and so would all that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


_DRIVERS = {".png": "PNG", ".jpg": "JPEG", ".tif": "GTiff", ".bmp": "BMP"}


class RecordingReporter:
    """A reporter that keeps what it is told, and may press Ctrl-C after so many advances."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.advances = 0
        self.interrupt_after: int | None = None

    def track(
        self, description: str, total: float, unit: str = ""
    ) -> AbstractContextManager[Advance]:
        return nullcontext(self._advance)

    def working(self, words: str) -> AbstractContextManager[None]:
        return nullcontext()

    def live(
        self, title: str, columns: Sequence[str], least: Sequence[str] = ()
    ) -> AbstractContextManager[Callable[[Sequence[str]], None]]:
        return nullcontext(lambda cells: None)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def _advance(self, amount: float = 1.0, *, name: str | None = None) -> None:
        if amount == 0.0:
            return
        self.advances += 1
        if self.advances == self.interrupt_after:
            raise KeyboardInterrupt


@pytest.fixture
def reporter() -> RecordingReporter:
    return RecordingReporter()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address at which a server of this machine has the files of the test's folder."""
    # A process of its own: GDAL may keep Python's lock while it waits for the answer.
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        [*command, "--directory", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split("(")[1].split("/)")[0]
        server.kill()


@pytest.fixture
def palette() -> Palette:
    return Palette(("background", "landslide"), ((0, 0, 0), (255, 0, 255)))


@pytest.fixture
def write_profile(tmp_path: Path) -> Callable[[str], Path]:
    """Write the text of a profile."""

    def write(text: str) -> Path:
        path = tmp_path / "profile.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_raster(tmp_path: Path) -> Callable[..., Path]:
    """Write (rows, cols[, bands]) values of any type as PNG, JPEG, TIFF or BMP, by the suffix."""

    def write(
        name: str,
        values: NDArray[Any],
        colormap: Mapping[int, tuple[int, int, int, int]] | None = None,
        **options: Any,
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        bands = values[..., None] if values.ndim == 2 else values
        with rasterio.open(
            path,
            "w",
            driver=_DRIVERS[path.suffix],
            width=bands.shape[1],
            height=bands.shape[0],
            count=bands.shape[2],
            dtype=bands.dtype,
            **options,
        ) as dataset:
            dataset.write(np.moveaxis(bands, -1, 0))
            if colormap is not None:
                dataset.write_colormap(1, colormap)
        return path

    return write


@pytest.fixture
def cut_short() -> Callable[..., Path]:
    """Keep only the first part of a file's bytes."""

    def cut(path: Path, share: float = 0.5) -> Path:
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        return path

    return cut


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The folder of the scenes that `write_scene` writes: raw/images and raw/masks."""
    return tmp_path / "raw"


@pytest.fixture
def write_scene(raw: Path, palette: Palette) -> Callable[..., tuple[Path, Path]]:
    """Write a scene of noise, with the landslide where its first band is bright."""

    def write(
        name: str,
        rows: int = 40,
        cols: int = 56,
        bands: int = 3,
        image: NDArray[np.uint8] | None = None,
        mask: NDArray[np.uint8] | None = None,
    ) -> tuple[Path, Path]:
        if image is None:
            rng = np.random.default_rng(list(name.encode()))
            image = rng.integers(0, 256, (rows, cols, bands), np.uint8)
        if mask is None:
            mask = (image[..., 0] > 127).astype(np.uint8)
        suffix = ".png" if image.shape[-1] in (1, 3) else ".tif"
        image_path, mask_path = raw / "images" / f"{name}{suffix}", raw / "masks" / f"{name}.png"
        for path in (image_path, mask_path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_image(image_path, image)
        write_mask(mask_path, mask, palette)
        return image_path, mask_path

    return write


@pytest.fixture
def profile_file(raw: Path, tmp_path: Path, write_profile: Callable[[str], Path]) -> Path:
    """A profile for the scenes that `write_scene` writes, with tiles of 16 pixels."""
    return write_profile(
        f"""\
name: tiny
dataset: '{tmp_path / "dataset"}'
run: '{tmp_path / "run"}'
source: {{images: '{raw / "images"}', masks: '{raw / "masks"}'}}
prepare: {{tile: 16, workers: 1}}
model: {{num_layers: 3}}
infer: {{overlap: 4}}
"""
    )


@pytest.fixture
def profile_with(profile_file: Path) -> Callable[..., Profile]:
    """Load that profile with overrides, such as `split.seed=3`."""
    return lambda *overrides: load_profile(profile_file, overrides)


@pytest.fixture
def content_of() -> Callable[[Path], dict[str, bytes | None]]:
    """Take a folder's content: every file's bytes, and None for every folder."""

    def take(folder: Path) -> dict[str, bytes | None]:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
            for path in sorted(folder.rglob("*"))
        }

    return take
