"""OpenVINO and TensorFlow say the same of the same windows."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from landslide_cli.core.networks.predictor import predictor
from landslide_cli.errors import ModelError
from landslide_cli.profile import Profile
from landslide_cli.reporting import SilentReporter
from landslide_cli.runs.engines import (
    BatchShape,
    Engine,
    EngineName,
    OpenVinoEngine,
    TensorFlowEngine,
    processor_threads,
)
from landslide_cli.runs.planning import load_engine
from landslide_cli.runs.run import Run, find_run
from landslide_cli.stages.infer import infer_tiled

ENGINES: tuple[EngineName, EngineName] = ("openvino", "tensorflow")


def both(run: Run) -> list[Engine]:
    return [load_engine(name, run, processor_threads(), SilentReporter()) for name in ENGINES]


def windows(batch: int, rows: int, cols: int) -> NDArray[np.uint8]:
    return np.random.default_rng(rows).integers(0, 256, (batch, rows, cols, 3), np.uint8)


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 64, 48), (2, 4, 100)])
def test_probabilities_agree_to_a_ten_thousandth(
    trained: Profile, shape: tuple[int, int, int]
) -> None:
    run, seen = find_run(trained), windows(*shape)
    first, other = (engine.compiled(BatchShape(*shape), "float32")(seen) for engine in both(run))
    expected = predictor(run.load())(seen)
    for answer in (first, other):
        assert answer.shape == (*shape, 1)
        assert answer.dtype == np.float32
        np.testing.assert_allclose(answer, expected, atol=1e-4)
    assert expected.std() > 0.05
    np.testing.assert_allclose(first, other, atol=1e-4)


def test_maps_of_both_engines_agree(trained: Profile, tmp_path: Path) -> None:
    values = []
    for name in ENGINES:
        changes = {"engine": name, "precision": "float32", "probability": "float32"}
        infer = trained.infer.model_copy(update=changes)
        profile = trained.model_copy(update={"infer": infer})
        result = infer_tiled(profile, output=tmp_path / name)
        assert result.plan.engine == name
        for scene in result.scenes:
            with rasterio.open(scene.files["probability"]) as dataset:
                values.append(dataset.read(1))
    np.testing.assert_allclose(np.stack(values[:2]), np.stack(values[2:]), atol=1e-4)


def test_bfloat16_is_near_float32_whatever_the_processor_makes_of_it(trained: Profile) -> None:
    seen = windows(1, 64, 64)
    for engine in both(find_run(trained)):
        exact, fast = (
            engine.compiled(BatchShape(1, 64, 64), precision)(seen)
            for precision in ("float32", "bfloat16")
        )
        assert fast.dtype == np.float32
        assert float(np.abs(fast - exact).mean()) < 0.02
        assert engine.prefers()[-1] == "float32"


@pytest.mark.parametrize("threshold", ["0.5", "0.9"])
def test_models_of_one_channel_work_with_both(
    save_bright: Callable[..., None],
    bright: Callable[..., Profile],
    plant: Callable[..., Path],
    tmp_path: Path,
    threshold: str,
) -> None:
    save_bright(tmp_path / "run" / "model.keras", outputs=1)
    seen = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    exact = 1 / (1 + np.exp(-(np.arange(256.0) - 127.5) / 32)).reshape(1, 16, 16)
    one_class = "classes=[{name: slide, colour: [255, 0, 0]}]"
    for name in ENGINES:
        profile = bright(
            f"run={tmp_path / 'run'}", one_class,
            f"infer.engine={name}", f"infer.threshold={threshold}",
        )  # fmt: skip
        engine = load_engine(name, find_run(profile), 2, SilentReporter())
        answer = engine.compiled(BatchShape(1, 16, 16), "float32")(seen)
        np.testing.assert_allclose(answer[..., 0], exact, atol=1e-5)
        (scene,) = infer_tiled(profile, [str(plant("a.tif"))], output=tmp_path / name).scenes
        assert scene.totals[0].name == "slide"
        assert scene.totals[0].area == 1800.0


def test_one_engine_serves_windows_of_several_sizes(trained: Profile) -> None:
    run = find_run(trained)
    predict = predictor(run.load())
    for engine in both(run):
        for shape in ((1, 32, 32), (1, 64, 32), (1, 32, 64), (1, 32, 32)):
            seen = windows(*shape)
            answer = engine.compiled(BatchShape(*shape), "float32")(seen)
            np.testing.assert_allclose(answer, predict(seen), atol=1e-4)


def test_answers_stay_when_the_next_windows_are_predicted(trained: Profile) -> None:
    for engine in both(find_run(trained)):
        predict = engine.compiled(BatchShape(1, 32, 32), "float32")
        first = predict(windows(1, 32, 32))
        kept = first.copy()
        predict(255 - windows(1, 32, 32))
        np.testing.assert_array_equal(first, kept)


def test_both_know_what_memory_a_pixel_takes(trained: Profile) -> None:
    sizes = [engine.bytes_per_pixel for engine in both(find_run(trained))]
    # At the least: the input, and both convolutions of the first level with 4 filters.
    assert all(4 * 8 < size < 4 * 100 for size in sizes)
    assert sizes[0] == pytest.approx(sizes[1], rel=0.6)


def test_openvino_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.xml").write_text("no network")
    with pytest.raises(ModelError, match=r"model\.xml: cannot be read; delete its folder"):
        OpenVinoEngine(tmp_path / "model.xml", 3, 2, 1)


def test_model_for_other_bands_is_refused_in_the_same_words(trained: Profile) -> None:
    said = []
    profile = trained.model_copy(update={"bands": 7})
    for name in ENGINES:
        with pytest.raises(ModelError) as caught:
            load_engine(name, find_run(profile), 1, SilentReporter())
        said.append(str(caught.value).partition(": ")[2])
    assert said[0] == said[1]
    assert "expects 3 bands and gives 2 classes; the profile has 7 and 2" in said[0]


def test_tensorflow_predicts_as_the_model_itself(trained: Profile) -> None:
    model, seen = find_run(trained).load(), windows(2, 32, 32)
    answer = TensorFlowEngine(model).compiled(BatchShape(2, 32, 32), "float32")(seen)
    np.testing.assert_allclose(answer, model.predict(seen, verbose=0)[..., 1:], atol=1e-6)


def test_openvino_reports_its_use_to_nobody() -> None:
    script = (
        "import sys; from landslide_cli.runs.openvino_library import import_openvino as i; i();"
        "from openvino.tools.ovc import telemetry as t; sys.exit(not t.__module__.endswith('stub'))"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
