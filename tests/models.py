"""A small dataset of tiles and a trained model, made once for the stages that need them."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pyogrio import raw as ogr

from landslide_cli.core.arrays import Image
from landslide_cli.core.palette import IGNORE, Palette
from landslide_cli.core.parts import PARTS
from landslide_cli.core.tiling.streaming import Predict
from landslide_cli.documents import read_json, write_json
from landslide_cli.imagery.raster.images import write_image, write_mask, write_picture
from landslide_cli.profile import Profile, load_profile
from landslide_cli.records import Record
from landslide_cli.reporting import SilentReporter
from landslide_cli.runs import openvino_model
from landslide_cli.runs.engines import BatchShape, OpenVinoEngine, Precision

PALETTE = Palette(("background", "landslide"), ((0, 0, 0), (255, 0, 255)))


def bright_square(seed: int, side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """A dark noisy tile with a bright square, which is the landslide."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 60, (side, side, 3), np.uint8)
    mask = np.zeros((side, side), np.uint8)
    row, col = rng.integers(2, side // 2, 2)
    mask[row : row + side // 3, col : col + side // 3] = 1
    image[mask == 1] += 150
    return image, mask


@pytest.fixture(scope="session", autouse=True)
def conversion_without_a_process() -> Iterator[None]:
    """Have models converted in this process: another one would first load TensorFlow, for seconds.

    Tests of the process itself take `conversion_process`.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openvino_model, "ProcessPoolExecutor", lambda n, *_: ThreadPoolExecutor(n))
        yield


_printed = Figure.savefig


@pytest.fixture(scope="session", autouse=True)
def plots_left_empty() -> Iterator[None]:
    """Have empty pictures in the place of plots, whose drawing took a tenth of all time.

    Tests of the plots themselves take `printed_figures`.
    """

    def sketched(self: Figure, path: Any, **options: Any) -> None:
        # Sheets of pictures are laid out by themselves.
        is_plot = self.get_layout_engine() is not None and isinstance(path, Path)
        if is_plot and path.suffix == ".png":
            write_picture(path, np.zeros((8, 8, 3), np.uint8))
        elif is_plot and path.suffix == ".svg":
            path.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>', encoding="utf-8")
        else:
            _printed(self, path, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", sketched)
        yield


@pytest.fixture
def printed_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have figures drawn as the program does."""
    monkeypatch.setattr(Figure, "savefig", _printed)


@pytest.fixture
def conversion_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have models converted in a process of its own, as the program does."""
    monkeypatch.setattr(openvino_model, "ProcessPoolExecutor", ProcessPoolExecutor)
    monkeypatch.setattr(openvino_model, "has_tensorflow", lambda: False)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Have a folder made by whichever test process needs it first; the others wait for it."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # which all workers have in common
    folder, whole = base / name, base / f"{name}.whole"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)  # half made, where another one failed
            make(folder)
            whole.touch()
    return folder


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with scenes, a dataset in the experiment's layout, a profile and its trained run.

    It is for all tests, and only to read.
    """
    return made_once(tmp_path_factory, "trained", _train_in)


def _train_in(folder: Path) -> None:
    from landslide_cli.stages.train import train

    for part, count in zip(PARTS, (12, 4, 5), strict=True):
        for name in ("images", "masks"):
            (folder / "dataset" / part / name).mkdir(parents=True)
        for index in range(count):
            image, mask = bright_square(100 * PARTS.index(part) + index)
            if index == 0:
                mask[-6:] = IGNORE
            write_image(folder / "dataset" / part / "images" / f"t{index}.png", image)
            write_mask(folder / "dataset" / part / "masks" / f"t{index}.png", mask, PALETTE)
    for name in ("images", "masks"):
        (folder / "scenes" / name).mkdir(parents=True)
    for index in range(2):
        image, mask = bright_square(1000 + index, side=75)
        write_image(folder / "scenes" / "images" / f"s{index}.png", image)
        write_mask(folder / "scenes" / "masks" / f"s{index}.png", mask, PALETTE)
    (folder / "profile.yaml").write_text(
        f"""\
name: squares
dataset: '{folder / "dataset"}'
run: '{folder / "run"}'
source: {{images: '{folder / "scenes/images"}', masks: '{folder / "scenes/masks"}'}}
prepare: {{tile: 32}}
model: {{base_filters: 4, base_kernels: 3, num_layers: 3}}
train:
  epochs: 12
  batch: 4
  learning_rate: 5e-3
  loss: crossentropy_dice
  preview_scenes: [s1]
infer: {{overlap: 8}}
""",
        encoding="utf-8",
    )
    train(load_profile(folder / "profile.yaml"))


@pytest.fixture
def trained(trained_folder: Path, tmp_path: Path) -> Profile:
    """The profile of the trained run, in a copy for the test to write to."""
    return copy_of_run(trained_folder, tmp_path / "trained")


def copy_of_run(trained_folder: Path, run: Path) -> Profile:
    """Copy the trained run, and return the profile of the copy.

    The model keeps its time, so that its conversion is known to be current.
    """
    shutil.copytree(trained_folder / "run", run)
    return load_profile(trained_folder / "profile.yaml", [f"run={run}"])


def untie(run: Path) -> None:
    """Rewrite a run's record as of version 0.1.0, whose files may be exchanged."""
    record = read_json(run / "run.json")
    assert record is not None
    write_json(run / "run.json", record | {"files": {}})


@pytest.fixture
def untrained(trained_folder: Path, tmp_path: Path) -> Profile:
    """The same dataset with a run of the test's own, of two epochs."""
    overrides = [f"run={tmp_path / 'run'}", "train.epochs=2", "train.preview_scenes=[]"]
    return load_profile(trained_folder / "profile.yaml", overrides)


def save_bright_model(
    path: Path, bands: int = 3, outputs: int = 2, middle: float = 127.5, steepness: float = 1 / 32
) -> None:
    """Save a model of which all is known: landslide where the first band is above `middle`.

    The probability is 1 / (1 + exp(-steepness * (value - middle))). With more outputs than two,
    class i is where band i is the first that is bright.
    """
    from landslide_cli.core.networks.backend import keras

    inputs = keras.Input((None, None, bands))
    activation = "sigmoid" if outputs == 1 else "softmax"
    head = keras.layers.Conv2D(outputs, (1, 1), activation=activation, dtype="float32")
    model = keras.Model(inputs, head(inputs))
    weights, bias = np.zeros((1, 1, bands, outputs), np.float32), np.zeros(outputs, np.float32)
    for band, channel in enumerate(range(min(1, outputs - 1), outputs)):
        weights[0, 0, band, channel] = steepness
        bias[channel] = -steepness * middle
    head.set_weights([weights, bias])
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path)


@pytest.fixture(scope="session")
def bright_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a profile and the run of a model that says landslide where it is bright.

    It is for all tests, and only to read.
    """
    return made_once(tmp_path_factory, "bright", _save_bright_run)


def _save_bright_run(folder: Path) -> None:
    save_bright_model(folder / "run" / "model.keras")
    openvino_model.converted(folder / "run" / "model.keras", SilentReporter())
    (folder / "profile.yaml").write_text(
        f"""\
name: bright
dataset: '{folder / "dataset"}'
run: '{folder / "run"}'
prepare: {{tile: 64}}
model: {{num_layers: 2}}
# Scenes are drawn with ground of one value, which would be a border.
infer: {{tile: 64, overlap: 16, engine: openvino, precision: float32, nodata: none}}
""",
        encoding="utf-8",
    )


@pytest.fixture
def bright(bright_folder: Path) -> Callable[..., Profile]:
    """Load the bright model's profile with overrides, such as `infer.scale=0.5`."""
    return lambda *overrides: load_profile(bright_folder / "profile.yaml", overrides)


@pytest.fixture
def bright_at(bright_folder: Path, tmp_path: Path) -> Callable[..., Profile]:
    """Load the profile of a bright model whose run has recorded scale and GSD of its training."""
    run = tmp_path / "run"
    shutil.copytree(bright_folder / "run", run)

    def load(*overrides: str, **recorded: Any) -> Profile:
        preprocessing = {"bands": 3, "scale": 0.25, "gsd": 2.0, "gsd_range": [1.33, 3.08]}
        Record({}, {}, {"preprocessing": preprocessing | recorded}).write(run / "run.json")
        return load_profile(bright_folder / "profile.yaml", [f"run={run}", *overrides])

    return load


@pytest.fixture
def save_bright() -> Callable[..., None]:
    """Save another bright model."""
    return save_bright_model


def planted_image(
    shape: tuple[int, int], places: Sequence[tuple[slice, slice]], bands: int = 3
) -> NDArray[np.uint8]:
    """A dark image with bright rectangles, which the bright model tells without a doubt."""
    image = np.full((*shape, bands), 5, np.uint8)
    for place in places:
        image[place] = 250
    return image


@pytest.fixture
def plant(write_raster: Callable[..., Path]) -> Callable[..., Path]:
    """Write a raster with bright rectangles; options are rasterio's, such as crs, transform."""

    def write(
        name: str,
        shape: tuple[int, int] = (96, 160),
        places: Sequence[tuple[slice, slice]] = (np.s_[20:50, 30:90],),
        bands: int = 3,
        **options: Any,
    ) -> Path:
        return write_raster(name, planted_image(shape, places, bands), **options)

    return write


@dataclass(frozen=True)
class Layer:
    """The polygons of a file, and what it says of them."""

    geometries: NDArray[np.object_]
    fields: dict[str, list[Any]]
    crs: str | None


@pytest.fixture
def read_polygons() -> Callable[[Path], Layer]:
    """Read a file of polygons."""

    def read(path: Path) -> Layer:
        meta, _, geometries, values = ogr.read(path, layer=0)
        fields = {
            str(name): column.tolist() for name, column in zip(meta["fields"], values, strict=True)
        }
        return Layer(shapely.from_wkb(geometries), fields, meta["crs"])

    return read


@pytest.fixture
def seen_windows(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.uint8]]:
    """Collect what the model is called with in OpenVINO."""
    seen: list[NDArray[np.uint8]] = []
    compiled = OpenVinoEngine.compiled

    def watching(self: OpenVinoEngine, shape: BatchShape, precision: Precision) -> Predict:
        predict = compiled(self, shape, precision)

        def watched(windows: Image) -> NDArray[np.float32]:
            seen.append(np.array(windows, np.uint8))
            return predict(windows)

        return watched

    monkeypatch.setattr(OpenVinoEngine, "compiled", watching)
    return seen
