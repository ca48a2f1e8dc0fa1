"""Start-up, preparing, input, training and tiled inference, against the least that each could cost.

It also times the search for shared ground among a thousand scenes, and an orthophoto of 20,480 x
20,480 pixels in blocks, and compares chips of 14 bands with NumPy arrays. Run with `make bench`; it
takes about forty-five minutes and writes nothing outside a temporary folder.
"""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2

from landslide_cli.console import show_result
from landslide_cli.imagery.raster.images import read_image, write_image
from landslide_cli.imagery.synthetic import draw_scene
from landslide_cli.profile import Profile, load_profile
from landslide_cli.reporting import Result, Table
from tools.bench.blocks import bench_blocks
from tools.bench.chips import bench_chips
from tools.bench.inference import bench_inference
from tools.bench.measuring import least_seconds
from tools.bench.overlaps import bench_overlaps
from tools.bench.training import bench_training

SCENE = 1024  # pixels


def bench_start_up(folder: Path) -> list[tuple[str, ...]]:
    """Compare `landslide --help` with a Python that does nothing."""
    empty = [sys.executable, "-c", ""]
    python = least_seconds(lambda: subprocess.run(empty, check=True), least=1.0)
    command = [sys.executable, "-m", "landslide_cli", "--help"]
    answer = least_seconds(
        lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), least=1.0
    )
    return [("landslide --help, to an empty Python", f"{answer:.2f} s", f"{answer / python:.1f}")]


def bench_prepare(folder: Path) -> list[tuple[str, ...]]:
    """Compare two worker processes with one, on eight scenes."""
    from landslide_cli.stages.prepare import prepare

    def profile(workers: int) -> Profile:
        settings = folder / "prepare.yaml"
        settings.write_text(
            f"dataset: '{folder / 'dataset'}'\n"
            "source: {synthetic: {scenes: 8, width: 1024, height: 1024}}\n"
            f"prepare: {{workers: {workers}, augment: {{hflip: true, distortions: [0.02]}}}}\n"
        )
        return load_profile(settings)

    prepare(profile(2))
    times = {
        workers: least_seconds(lambda: prepare(profile(workers), overwrite=True))  # noqa: B023
        for workers in (1, 2)
    }
    megapixels = 8 * SCENE**2 / 1e6
    return [
        (
            f"prepare, drawing included, {workers} workers to 1",
            f"{megapixels / taken:.1f} Mpx/s",
            f"{times[1] / taken:.2f}",
        )
        for workers, taken in times.items()
    ]


def bench_reading(folder: Path) -> list[tuple[str, ...]]:
    """Compare reading a PNG, damage noticed, with OpenCV's plain reading."""
    image, _ = draw_scene(1, 0, SCENE, SCENE)
    path = folder / "scene.png"
    write_image(path, image)
    ours = least_seconds(lambda: read_image(path, 3), least=1.0)
    plain = least_seconds(lambda: cv2.imread(str(path)), least=1.0)
    return [
        ("read a 1024 x 1024 PNG, to cv2.imread", f"{1e3 * ours:.0f} ms", f"{ours / plain:.2f}")
    ]


def bench_training_input(folder: Path) -> list[tuple[str, ...]]:
    """Compare reading the training tiles with reading them again from memory."""
    from landslide_cli.dataset.tiles import TILES, TileFiles
    from landslide_cli.training_data.batches import Batches
    from landslide_cli.training_data.tiles import TileExamples

    tiles = folder / "dataset" / TILES
    files = [
        TileFiles(image, tiles / "masks" / image.name)
        for image in sorted((tiles / "images").iterdir())
    ]

    def pixels_a_second(cache: str) -> float:
        examples = TileExamples(files, Profile().palette, 3, cache=cache)  # type: ignore[arg-type]
        batches = Batches(examples, 3, 8)
        taken = least_seconds(lambda: [None for _ in batches.epoch()], least=1.0)
        return len(files) * examples.rows * examples.cols / taken / 1e6

    fresh, kept = pixels_a_second("none"), pixels_a_second("memory")
    return [
        ("tiles read from disk", f"{fresh:.0f} Mpx/s", "1.00"),
        ("tiles kept in memory, to disk", f"{kept:.0f} Mpx/s", f"{kept / fresh:.2f}"),
    ]


@dataclass(frozen=True)
class Measured(Result):
    """The benchmark's table, in the form of a stage's result."""

    rows: list[tuple[str, ...]]

    def headline(self) -> str:
        return f"{len(self.rows)} measurements"

    def tables(self) -> list[Table]:
        return [Table("landslide bench", ["what", "measured", "ratio"], self.rows)]

    def document(self) -> dict[str, object]:
        return {name: [value, ratio] for name, value, ratio in self.rows}


def main() -> None:
    rows: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory() as name:
        for bench in (
            bench_start_up,
            bench_reading,
            bench_prepare,
            bench_training_input,
            bench_training,
            bench_inference,
            bench_overlaps,
            bench_blocks,
            bench_chips,
        ):
            rows += bench(Path(name))
    show_result(Measured(rows), as_json="--json" in sys.argv)


if __name__ == "__main__":
    main()
