"""Tiled inference: its speed beside the model's own and the processor's, its memory, its seams."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
from affine import Affine
from rasterio.windows import Window as RasterWindow

from landslide_cli.core.networks.build import build_model
from landslide_cli.core.networks.summary import summarise_layers
from landslide_cli.core.tiling.layout import Tiling
from landslide_cli.core.tiling.predict import predict_scene
from landslide_cli.core.tiling.source import ImageSource
from landslide_cli.imagery.raster.images import write_image
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.synthetic import draw_scene
from landslide_cli.profile import Profile, load_profile
from landslide_cli.reporting import SilentReporter
from landslide_cli.runs.engines import BatchShape, processor_threads
from landslide_cli.runs.files import MODEL, RUN_RECORD, THRESHOLD
from landslide_cli.runs.planning import load_engine
from landslide_cli.runs.run import find_run
from landslide_cli.stages.infer import infer_tiled
from landslide_cli.stages.infer.result import InferResult
from landslide_cli.stages.train import train
from tools.bench.measuring import MEASURED, least_seconds, run_alone

Rows = list[tuple[str, ...]]

DRAWN = 1024  # pixels, the side of a drawn scene
SIZES = [(8192, 8192), (20_480, 20_480), (2048, 100_000), (100_000, 2048)]


def bench_inference(folder: Path) -> Iterator[tuple[str, ...]]:
    """Measure all of it, with a sichuan-small that has seen a few drawn scenes."""
    trained = _trained(folder)
    yield from _packaged(folder)
    yield from _overhead(folder, trained)
    yield from _flexunet(folder)
    yield from _rates(folder, trained)
    yield from _memory(folder, trained)
    yield from _seams(folder, trained)


def _packaged(folder: Path) -> Rows:
    """Map a large scene with the packaged model, at the scale that it was trained at."""
    scene = large_scene(folder / "packaged", 8192, 8192, 1.0)
    path = Path(__file__).parents[2] / "configs" / "landslide.yaml"
    profile = load_profile(path, [f"run={folder / 'ready'}"])
    rows: Rows = []
    for tta, aim in (("none", 12), ("symmetries", 5)):
        for precision in ("float32", "auto"):
            sets = {"precision": precision, "tta": tta}
            result = _mapped(profile, [scene], folder / "maps", sets)
            rate = _megapixels(result) / result.seconds
            ground = result.document()["square_kilometres_per_hour"]
            name = f"infer with the packaged model, 8192 x 8192, {result.plan.precision}, {tta}"
            shown = f"{rate:.1f} Mpx/s, {ground:,.0f} km² an hour"
            rows.append((f"{name}, to the aim of {aim}", shown, f"{rate / aim:.2f}"))
    return rows


def _overhead(folder: Path, profile: Profile) -> Rows:
    """Compare the wall time of mapping a large scene with the time in the model."""
    rows: Rows = []
    for scale in (1.0, 0.25):
        # Each at the scale of the model, so that the landslides are those that it knows.
        scene = large_scene(folder / f"large-{scale}", 8192, 8192, 0.25 / scale)
        for precision in ("float32", "auto"):
            sets = {"scale": scale, "precision": precision}
            result = _mapped(profile, [scene], folder / "maps", sets)
            outside = 1 - result.model_seconds / result.seconds
            rate = f"{_megapixels(result) / result.seconds:.2f} Mpx/s"
            name = f"infer sichuan-small at {scale:g}, 8192 x 8192, {result.plan.precision}"
            rows.append((f"{name}, share outside the model", rate, f"{outside:.3f}"))
    return rows


def _flexunet(folder: Path) -> Rows:
    """Compare FlexUNet of `configs/sichuan.yaml` with large matrix products, and its precisions."""
    profile = _untrained(folder, "sichuan")
    scenes = [_drawn(folder / "scenes", index, 1024) for index in range(4)]
    gflop = _gflop(profile, 1024)
    rates = {}
    for precision in ("float32", "bfloat16", "int8"):
        sets = {"precision": precision, "scale": 1.0}
        # The first call makes the int8 form.
        _mapped(profile, scenes[:1], folder / "maps", sets)
        result = _mapped(profile, scenes, folder / "maps", sets)
        rates[precision] = gflop * len(scenes) / result.seconds
    compared = {
        "float32, to float32 matrix products": (rates["float32"], _matrix_products()),
        "bfloat16, to float32": (rates["bfloat16"], rates["float32"]),
        "int8, to bfloat16": (rates["int8"], rates["bfloat16"]),
    }
    return [
        (
            f"infer sichuan, 1024 x 1024, {name}",
            f"{gflop / rate:.2f} s a scene, {rate:.0f} GFLOP/s",
            f"{rate / other:.2f}",
        )
        for name, (rate, other) in compared.items()
    ]


def _rates(folder: Path, trained: Profile) -> Rows:
    """Map drawn scenes by each shipped profile and engine, against OpenVINO in float32."""
    demo, sichuan = _untrained(folder, "demo"), _untrained(folder, "sichuan")
    rows: Rows = []
    for name, profile, count in (("demo", demo, 24), ("sichuan-small", trained, 24),
                                 ("sichuan", sichuan, 2)):  # fmt: skip
        scenes = [_drawn(folder / "scenes", index, 1024) for index in range(count)]
        first = 0.0
        for engine in ("openvino", "tensorflow"):
            for precision in ("float32", "bfloat16"):
                sets: dict[str, object] = {"engine": engine, "precision": precision}
                _mapped(profile, scenes[:1], folder / "maps", sets)
                result = _mapped(profile, scenes, folder / "maps", sets)
                rate = _megapixels(result) / result.seconds
                first = first or rate
                what = f"infer {name}, {engine}, {precision}, to openvino in float32"
                rows.append((what, f"{rate:.2f} Mpx/s", f"{rate / first:.2f}"))
    return rows


def _memory(folder: Path, profile: Profile) -> Rows:
    """Measure the peak memory of the whole command on scenes of other sizes."""
    rows: Rows = []
    first = 0.0
    for height, width in SIZES:
        scene = large_scene(folder / "large", height, width)
        peak = _peak_memory(profile, scene, folder / "memory")
        first = first or peak
        what = f"infer sichuan-small, {height} x {width}, peak memory, to the first"
        rows.append((what, f"{peak:.2f} GB", f"{peak / first:.2f}"))
        scene.unlink()
    return rows


def _seams(folder: Path, profile: Profile) -> Rows:
    """Compare blended windows with a single pass over a scene of 1024 x 1024 model pixels."""
    run = find_run(profile)
    engine = load_engine("openvino", run, processor_threads(), SilentReporter())
    image = _mosaic(1024, 1024, 0.25)
    multiple = profile.model.multiple

    def predicted(tile: int | None, overlap: int) -> tuple[Any, int]:
        tiling = Tiling(tile, overlap, multiple=multiple)
        layout = tiling.layout(1024, 1024)
        shape = BatchShape(1, layout.grid.rows.side, layout.grid.cols.side)
        predict = engine.compiled(shape, "float32")
        source = ImageSource(image)
        return predict_scene(source, predict, layout, channels=1)[0][..., 0], len(layout.grid)

    whole, _ = predicted(None, 0)
    rows: Rows = []
    for tile in (256, 416, 544):
        for overlap in (0, 32, 64, 128, 256):
            if overlap < tile:
                blended, count = predicted(tile, overlap)
                off = f"{np.abs(blended - whole).mean():.4f} off"
                changed = ((blended >= 0.5) != (whole >= 0.5)).mean()
                what = f"seams, windows of {tile}, overlap {overlap}: work, {off}, mask changed"
                rows.append((what, f"{count * tile**2 / 1024**2:.2f}", f"{changed:.4f}"))
    return rows


def large_scene(folder: Path, height: int, width: int, scale: float = 1.0) -> Path:
    """Write a GeoTIFF of drawn scenes side by side, resized, in UTM at half a metre per pixel."""
    path = folder / f"scene-{height}x{width}.tif"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    options = {"compress": "deflate", "zlevel": 1, "bigtiff": "if_safer", "num_threads": 2}
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=3, dtype="uint8",
        crs="EPSG:32648", transform=Affine(0.5, 0, 400_000, 0, -0.5, 3_500_000),
        tiled=True, blockxsize=512, blockysize=512, photometric="rgb", **options,
    ) as dataset:  # fmt: skip
        row_off = 0
        for band in _mosaic_bands(height, width, scale):
            window = RasterWindow(0, row_off, width, band.shape[0])
            dataset.write(np.moveaxis(band, -1, 0), window=window)
            row_off += band.shape[0]
    return path


def _mosaic(height: int, width: int, scale: float) -> np.ndarray:
    return np.concatenate(list(_mosaic_bands(height, width, scale)))


def _mosaic_bands(height: int, width: int, scale: float) -> Iterator[np.ndarray]:
    side = round(DRAWN * scale)
    scenes = [draw_scene(1, index, DRAWN, DRAWN)[0] for index in range(11)]
    drawn = [cv2.resize(scene, (side, side), interpolation=cv2.INTER_AREA) for scene in scenes]
    number = 0
    for row_off in range(0, height, side):
        images = []
        for _ in range(0, width, side):
            images.append(drawn[number % len(drawn)])
            number += 3
        yield np.concatenate(images, axis=1)[: height - row_off, :width]


def _drawn(folder: Path, index: int, side: int) -> Path:
    path = folder / f"scene-{index}.png"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_image(path, draw_scene(2, index, side, side)[0])
    return path


def _trained(folder: Path) -> Profile:
    """Train sichuan-small on drawn scenes for two minutes, so that its masks look like masks."""
    from landslide_cli.stages.prepare import prepare
    from landslide_cli.stages.split import split

    profile = load_profile(
        Path("configs/sichuan-small.yaml"),
        [
            f"dataset={folder / 'small-dataset'}", f"run={folder / 'small'}", 
            "source={synthetic: {scenes: 48, width: 1024, height: 1024}}",
            "prepare.augment={hflip: true, rotate90: true}",
            "split.overlap.content=false", "train.epochs=6",
        ],
    )  # fmt: skip
    prepare(profile)
    split(profile)
    train(profile)
    return profile


def _untrained(folder: Path, name: str) -> Profile:
    """Give a shipped profile a run whose network has learned nothing."""
    run = folder / f"untrained-{name}"
    profile = load_profile(Path(f"configs/{name}.yaml"), [f"run={run}"])
    if not run.exists():
        run.mkdir()
        build_model(profile.model, profile.model_inputs, 2).save(run / MODEL)
        scale = profile.prepare.scale or 1.0
        preprocessing = asdict(Preprocessing(profile.model_inputs, scale=scale))
        (run / RUN_RECORD).write_text(json.dumps({"result": {"preprocessing": preprocessing}}))
        # Its masks are noise; a few specks are all that the polygons should cost.
        (run / THRESHOLD).write_text(json.dumps({"threshold": 0.999}))
    return profile


def _mapped(
    profile: Profile, scenes: list[Path], output: Path, sets: Mapping[str, object]
) -> InferResult:
    infer = profile.infer.model_copy(update=sets)
    changed = profile.model_copy(update={"infer": infer})
    return infer_tiled(changed, [str(scene) for scene in scenes], output=output, overwrite=True)


def _megapixels(result: InferResult) -> float:
    return float(result.document()["megapixels"])


def _gflop(profile: Profile, side: int) -> float:
    model = find_run(profile).load()
    return sum(layer.flop for layer in summarise_layers(model, side, side)) / 1e9


def _matrix_products() -> float:
    """Return the GFLOP/s of TensorFlow's float32 product of two 4096 x 4096 matrices."""
    from landslide_cli.core.networks.backend import tf

    matrix = tf.random.normal((4096, 4096))
    product = tf.function(lambda: tf.matmul(matrix, matrix))
    return 2 * 4096**3 / least_seconds(lambda: product().numpy(), 5) / 1e9


def _peak_memory(profile: Profile, scene: Path, output: Path) -> float:
    """Run the command on a scene and return its peak resident memory in GB."""
    command = [
        sys.executable, "-c", MEASURED, "infer-tiled", "configs/sichuan-small.yaml", str(scene),
        "--output", str(output), "--overwrite", "--quiet", "--set", f"run={profile.run}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stderr.split()[-1])


if __name__ == "__main__":
    run_alone(bench_inference)
