"""Chips of Landslide4Sense's form, through tiles on disk and from NumPy arrays in memory.

Each measurement is a process of its own, so that its peak memory is its own:
`python -m tools.bench.chips WHAT PROFILE` prints one as JSON. Run alone with
`python -m tools.bench.chips`.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np

from landslide_cli.profile import Profile, load_profile
from tools.bench.measuring import peak_memory, run_alone

CHIPS, SIDE, BANDS, BATCH, EPOCHS = 100, 128, 14, 16, 3

_PROFILE = """\
name: chips
dataset: '{folder}/dataset'
source:
  images: '{folder}/img/image_*.h5'
  masks: '{folder}/mask/mask_*.h5'
  key: img
  mask_key: mask
  gsd: 10
bands: [{bands}]
prepare: {{tile: 128, workers: 1}}
split: {{train: 0.8, valid: 0.1, test: 0.1, by: scene}}
"""


def bench_chips(folder: Path) -> Iterator[tuple[str, ...]]:
    """Measure `prepare` and `split`, and epochs of the chips from tiles and from arrays."""
    folder = folder / "chips"
    profile = _draw(folder)
    made = _measured("prepare", profile)
    yield f"prepare and split, {CHIPS} chips of {BANDS} bands", f"{made['seconds']:.1f} s", ""
    yield "the same, peak memory", f"{made['peak']:.2f} GB", ""
    arrays, tiles = _measured("arrays", profile), _measured("tiles", profile)
    for what, key, unit in (
        ("first epoch", "first", "s"),
        ("later epoch", "seconds", "s"),
        ("peak memory", "peak", "GB"),
    ):
        yield f"{CHIPS} chips in NumPy arrays, {what}", f"{arrays[key]:.2f} {unit}", "1.00"
        ratio = f"{tiles[key] / arrays[key]:.2f}"
        yield f"{CHIPS} chips in tiles, {what}, to NumPy", f"{tiles[key]:.2f} {unit}", ratio


def _draw(folder: Path) -> Path:
    """Write chips of float64 with their masks; return the profile."""
    for name in ("img", "mask"):
        (folder / name).mkdir(parents=True)
    for number in range(1, CHIPS + 1):
        rng = np.random.default_rng(number)
        values = rng.gamma(9.0, 0.1, (SIDE, SIDE, BANDS))
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[40:60, 30:80] = 1
        with h5py.File(folder / "img" / f"image_{number}.h5", "w") as file:
            file["img"] = values
        with h5py.File(folder / "mask" / f"mask_{number}.h5", "w") as file:
            file["mask"] = mask
    bands = ", ".join(f"{{name: b{number}, auto: true}}" for number in range(1, BANDS + 1))
    path = folder / "chips.yaml"
    path.write_text(_PROFILE.format(folder=folder, bands=bands))
    return path


def _measured(what: str, profile: Path) -> dict[str, float]:
    arguments = [sys.executable, "-m", "tools.bench.chips", what, str(profile)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def _prepare(profile: Profile) -> tuple[float, float]:
    from landslide_cli.stages.prepare import prepare
    from landslide_cli.stages.split import split

    began = time.perf_counter()
    prepare(profile)
    split(profile)
    taken = time.perf_counter() - began
    return taken, taken


def _tiles(profile: Profile) -> tuple[float, float]:
    from landslide_cli.training_data.inputs import examples_of, files_of_part

    began = time.perf_counter()
    examples = examples_of(profile, files_of_part(profile, "train", None), None)
    count = len(examples)

    def epoch() -> None:
        for start in range(0, count, BATCH):
            pairs = [examples.example(0, n) for n in range(start, min(start + BATCH, count))]
            _ = np.stack([image for image, _ in pairs]), np.stack([mask for _, mask in pairs])

    first, later = _seconds(began, epoch)
    return first * CHIPS / count, later * CHIPS / count


def _arrays(profile: Profile) -> tuple[float, float]:
    began = time.perf_counter()
    folder = Path(profile.sources[0].images or "").parent.parent
    images, masks = [], []
    for number in range(1, CHIPS + 1):
        with h5py.File(folder / "img" / f"image_{number}.h5") as file:
            images.append(file["img"][()].astype(np.float32))
        with h5py.File(folder / "mask" / f"mask_{number}.h5") as file:
            masks.append(file["mask"][()])
    values, labels = np.stack(images), np.stack(masks)
    mean, deviation = values.mean((0, 1, 2)), values.std((0, 1, 2))

    def epoch() -> None:
        order = np.random.default_rng(1).permutation(CHIPS)
        for start in range(0, CHIPS, BATCH):
            chosen = order[start : start + BATCH]
            _ = (values[chosen] - mean) / deviation, labels[chosen]

    return _seconds(began, epoch)


def _seconds(began: float, epoch: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds until the first epoch is over, and those of a later one."""
    epoch()
    first, began = time.perf_counter() - began, time.perf_counter()
    for _ in range(EPOCHS):
        epoch()
    return first, (time.perf_counter() - began) / EPOCHS


def _main(what: str, path: str) -> None:
    profile = load_profile(Path(path))
    work = {"prepare": _prepare, "tiles": _tiles, "arrays": _arrays}[what]
    first, later = work(profile)
    print(json.dumps({"first": first, "seconds": later, "peak": peak_memory()}))  # noqa: T201


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _main(*sys.argv[1:])
    else:
        run_alone(bench_chips)
