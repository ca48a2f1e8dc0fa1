"""Damaged files: what the program makes of GeoTIFFs, profiles and records with bytes gone wrong.

Each file is damaged fifty times, by a seed. Right is a result equal to the undamaged one, a
result of what the file now says, or an error of the program's own; wrong are a traceback, a crash,
and a map with exit status 0 where the file can be told to be damaged. Run with `make mutations`.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from typer.testing import CliRunner

from landslide_cli.app import app
from landslide_cli.console import show_result
from landslide_cli.imagery.raster.images import write_image
from landslide_cli.imagery.synthetic import draw_scene
from landslide_cli.reporting import Result, Table

SEED = 137
MUTANTS = 50
SIDE = 256  # pixels of a scene

PROFILE = """name: mutations
source: {images: images, masks: masks, gsd: 0.5}
dataset: dataset
run: run
classes:
  - {name: background, colour: [0, 0, 0]}
  - {name: landslide, colour: [255, 0, 255]}
prepare: {scale: 0.5, standardize: true, tile: 64, workers: 1}
split: {train: 0.5, valid: 0.25, test: 0.25}
model: {architecture: flexunet, base_filters: 4, base_kernels: 3, num_layers: 3}
train: {epochs: 1, batch: 4, learning_rate: 1.0e-3, loss: crossentropy_dice}
infer: {tta: none}
"""
# The record, and the command that reads it.
RECORDS = {
    "dataset/tiles/prepare.json": "split",
    "dataset/tiles/manifest.csv": "split",
    "dataset/split.json": "evaluate",
    "run/run.json": "infer-tiled",
    "run/model.keras": "evaluate",
    "run/threshold.json": "infer-tiled",
    # Of processors with bfloat16 alone.
    "run/precision.json": "infer-tiled",
    "run/openvino/made_from.json": "infer-tiled",
    "run/infer/infer.json": "infer-tiled",
}


def mutate(content: bytes, random: np.random.Generator) -> tuple[str, bytes]:
    """Return what was done to `content`, and the damaged content.

    Up to eight bytes are changed, or the end is cut off, or a part is doubled, set to noughts or
    taken out.
    """
    kind = str(random.choice(["changed", "cut", "doubled", "noughts", "gap"]))
    start, stop = sorted(random.integers(0, len(content), 2, endpoint=True))
    match kind:
        case "changed":
            damaged = np.frombuffer(content, np.uint8).copy()
            places = random.integers(0, len(content), random.integers(1, 9))
            damaged[places] ^= random.integers(1, 256, len(places), np.uint8)
            return kind, damaged.tobytes()
        case "cut":
            return kind, content[:start]
        case "doubled":
            return kind, content[:stop] + content[start:]
        case "noughts":
            return kind, content[:start] + bytes(stop - start) + content[stop:]
    return kind, content[:start] + content[stop:]


def mutants(content: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the damaged versions of a file, the same ones for the same name."""
    random = np.random.default_rng([SEED, *name.encode()])
    for _ in range(MUTANTS):
        yield mutate(content, random)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    stderr: str

    @classmethod
    def of_process(cls, folder: Path, *words: str) -> "Ended":
        """Run the command in a process of its own, which may crash."""
        command = [sys.executable, "-m", "landslide_cli", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=600, check=False)
        return cls(done.returncode, done.stderr.decode(errors="replace"))

    @classmethod
    def of(cls, folder: Path, *words: str) -> "Ended":
        """Run the command in this process, which has imported TensorFlow already."""
        with contextlib.chdir(folder):
            done = CliRunner().invoke(app, words)
        escaped = done.exception is not None and not isinstance(done.exception, SystemExit)
        text = f"Traceback: {done.exception!r}" if escaped else done.stderr
        return cls(done.exit_code, text)

    @property
    def fault(self) -> str | None:
        """What is wrong however the input was damaged."""
        if "Traceback" in self.stderr:
            return "traceback"
        return "crash" if self.status not in (0, 1, 2) else None


@dataclass(frozen=True)
class Mutations(Result):
    """Outcomes by file and kind of damage."""

    outcomes: Mapping[tuple[str, str], int]
    wrong: list[str]

    @property
    def exit_status(self) -> int:
        return 1 if self.wrong else 0

    def headline(self) -> str:
        return f"{sum(self.outcomes.values())} damaged files, {len(self.wrong)} wrong outcomes"

    def tables(self) -> list[Table]:
        rows = [(*key, str(count)) for key, count in sorted(self.outcomes.items())]
        return [
            Table("damaged files", ["file", "outcome", "count"], rows),
            Table("wrong", ["what"], [(line,) for line in self.wrong]),
        ]

    def document(self) -> dict[str, object]:
        counts = {": ".join(key): count for key, count in self.outcomes.items()}
        return {"outcomes": counts, "wrong": self.wrong}


def main() -> None:
    outcomes: Counter[tuple[str, str]] = Counter()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_project(folder)
        for try_all in (try_profiles, try_records, try_rasters):
            for file, damage, outcome, is_wrong in try_all(folder):
                outcomes[file, outcome] += 1
                if is_wrong:
                    wrong.append(f"{file}, {damage}: {outcome}")
    result = Mutations(outcomes, wrong)
    show_result(result, as_json="--json" in sys.argv)
    sys.exit(result.exit_status)


Outcome = tuple[str, str, str, bool]


def make_project(folder: Path) -> None:
    """Draw scenes, and make everything that the six commands make from them."""
    for index in range(6):
        image, mask = draw_scene(SEED, index, SIDE, SIDE)
        colours = np.zeros((SIDE, SIDE, 3), np.uint8)
        colours[mask == 1] = (255, 0, 255)
        for kind, pixels in (("images", image), ("masks", colours)):
            (folder / kind).mkdir(exist_ok=True)
            write_image(folder / kind / f"scene{index}.png", pixels)
    (folder / "p.yaml").write_text(PROFILE)
    for command in ("prepare", "split", "train", "evaluate", "infer-tiled"):
        ended = Ended.of(folder, command, "p.yaml")
        if ended.status:
            raise SystemExit(ended.stderr)


def try_profiles(folder: Path) -> Iterator[Outcome]:
    """Read damaged profiles; each may be wrong, or a profile of something else."""
    content = (folder / "p.yaml").read_bytes()
    for number, (damage, damaged) in enumerate(mutants(content, "profile")):
        path = folder / f"mutant{number}.yaml"
        path.write_bytes(damaged)
        # A folder without scenes: a profile that is read ends there.
        empty = folder / "empty"
        empty.mkdir(exist_ok=True)
        ended = Ended.of(empty, "prepare", str(path), "--limit", "1")
        outcome = ended.fault or ("refused" if ended.status == 2 else "read")
        yield "profile", damage, outcome, bool(ended.fault)


def try_records(folder: Path) -> Iterator[Outcome]:
    """Run the command that reads a record with that record damaged.

    Right is that it is refused, or that the results are those of the undamaged one. A command that
    is told by a record that something has changed also refuses.
    """
    with tempfile.TemporaryDirectory() as name:
        whole = Path(name) / "whole"
        shutil.copytree(folder, whole)
        for record, command in RECORDS.items():
            if not (whole / record).exists():
                yield record, "", "not made on this processor", False
                continue
            for damage, damaged in mutants((whole / record).read_bytes(), record):
                # In the same place: maps know where their images lie, and refuse others.
                _replace(folder, whole)
                (folder / record).write_bytes(damaged)
                ended = Ended.of(folder, command, "p.yaml")
                outcome, is_wrong = ended.fault or "refused", bool(ended.fault)
                if ended.status == 0 and not is_wrong:
                    is_wrong = _results(folder, command) != _results(whole, command)
                    outcome = "OTHER RESULT" if is_wrong else "same result"
                yield record, damage, outcome, is_wrong
        _replace(folder, whole)


def _replace(folder: Path, whole: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(whole, folder)


def _results(folder: Path, command: str) -> dict[str, object]:
    """Return what a command made, in a form that can be compared."""
    record = {"split": "dataset/split.json", "evaluate": "run/evaluation.json"}.get(command)
    if record is not None:
        document = json.loads((folder / record).read_text())
        return dict(document.get("result", document))
    masks = sorted((folder / "run/infer").glob("*_mask.tif"))
    return {path.name: _pixels(path).tobytes() for path in masks}


def _pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return np.asarray(file.read())


def try_rasters(folder: Path) -> Iterator[Outcome]:
    """Map damaged GeoTIFFs, all in one call: none may keep the others from being mapped.

    A file whose blocks GDAL reads in full without an error is to be mapped, any other one not.
    """
    image, _ = draw_scene(SEED, 9, SIDE, SIDE)
    scene = folder / "scene.tif"
    _write_geotiff(scene, image)
    rasters = folder / "rasters"
    rasters.mkdir()
    damages = {}
    for number, (damage, damaged) in enumerate(mutants(scene.read_bytes(), "raster")):
        damages[f"mutant{number:02}"] = damage
        (rasters / f"mutant{number:02}.tif").write_bytes(damaged)
    ended = Ended.of_process(folder, "infer-tiled", "p.yaml", "rasters", "--output", "maps")
    if ended.fault:
        yield "GeoTIFF", "all", f"{ended.fault} {ended.stderr[-300:]}", True
    for name, damage in damages.items():
        is_mapped = (folder / "maps" / f"{name}_mask.tif").exists()
        is_whole = _reads_in_full(rasters / f"{name}.tif")
        outcome = f"{'whole' if is_whole else 'damaged'}, {'mapped' if is_mapped else 'refused'}"
        yield "GeoTIFF", damage, outcome, is_mapped and not is_whole


def _write_geotiff(path: Path, image: np.ndarray) -> None:
    transform = rasterio.Affine(0.5, 0, 400_000, 0, -0.5, 3_450_000)
    layout = {"tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate"}
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=SIDE,
        width=SIDE,
        count=3,
        dtype="uint8",
        crs="EPSG:32648",
        transform=transform,
        **layout,
    ) as file:
        file.write(np.moveaxis(image, -1, 0))


def _reads_in_full(path: Path) -> bool:
    try:
        _pixels(path)
    except (RasterioError, OSError, ValueError):
        return False
    return True


if __name__ == "__main__":
    main()
