"""The packaged model for other programs, with what they are to know of it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from landslide_cli.app import main
from landslide_cli.core.networks.backend import captured_stderr, tf
from landslide_cli.core.networks.build import build_model
from landslide_cli.core.tiling.blur import blur_windows
from landslide_cli.core.tiling.local_statistics import local_statistics
from landslide_cli.core.tiling.source import ImageSource
from landslide_cli.core.tiling.standardize import standardize
from landslide_cli.errors import UsageError
from landslide_cli.imagery.synthetic import draw_scene
from landslide_cli.profile import Profile, load_profile
from landslide_cli.runs.engines import BatchShape, OpenVinoEngine
from landslide_cli.runs.files import MODEL
from landslide_cli.stages.show import show
from tests.conftest import RecordingReporter

SIDE = 128


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return load_profile(
        Path("landslide"), [f"run={tmp_path / 'run'}", f"infer.tile={SIDE}", "infer.overlap=32"]
    )


def test_packaged_model_answers_in_onnx_as_it_maps(profile: Profile, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    reporter = RecordingReporter()
    (path,) = show(profile, export="onnx", reporter=reporter).files
    assert path == tmp_path / "run.packaged" / "show" / "model.onnx"
    assert any("standardized by itself" in note for note in reporter.notes)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    image, _ = draw_scene(1, 3, SIDE, SIDE)
    levels = local_statistics(ImageSource(image, standardized=False), (1.0, 1.0))
    engine = OpenVinoEngine(tmp_path / "run.packaged" / "openvino" / "model.xml", 3, 2, threads=1)
    seen = standardize(image, levels)[None].astype(np.float32)
    model = engine.compiled(BatchShape(1, SIDE, SIDE, is_float=True), "float32")
    known = model(blur_windows(seen, profile.infer.blur))[0]
    given = (image.astype(np.float32) / 255).transpose(2, 0, 1)[None]
    (answer,) = session.run(None, {"image": given})
    assert answer.shape == (1, 2, SIDE, SIDE)
    assert known.max() > 0.1
    np.testing.assert_allclose(answer[0, 1], known[..., 0], atol=1e-4)

    metadata = session.get_modelmeta().custom_metadata_map
    values = {key: json.loads(text) for key, text in metadata.items()}
    assert values["model_type"] == "Segmentor"
    assert values["class_names"] == {"0": "background", "1": "landslide"}
    assert values["resolution"] == 200  # centimetres per pixel
    assert values["tile_size"] == values["tiles_size"] == SIDE
    assert values["tiles_overlap"] == 25  # per cent
    assert values["standardization_mean"] == [0, 0, 0]
    assert values["standardization_std"] == [1, 1, 1]
    assert values["seg_thresh"] == 0.5
    assert values["licence"]


def test_model_in_litert_comes_with_its_description(
    profile_with: Callable[..., Profile], tmp_path: Path
) -> None:
    profile = profile_with("infer.tile=64", "infer.overlap=16", "model.base_filters=2")
    profile.run.mkdir()
    network = build_model(profile.model, 3, len(profile.classes))
    network.save(profile.run / MODEL)

    model, description = show(profile, export="litert", output=tmp_path / "show").files
    assert [model.name, description.name] == ["model.tflite", "model.tflite.json"]
    image, _ = draw_scene(1, 3, 64, 64)
    with captured_stderr():
        exported = tf.lite.Interpreter(model_path=str(model)).get_signature_runner()
        answer = exported(image=image[None].astype(np.float32) / 255)["probability"]
    known = network(image[None].astype(np.float32), training=False)
    np.testing.assert_allclose(answer, known, atol=1e-4)

    values = json.loads(description.read_text(encoding="utf-8"))
    assert values["classes"] == [entry.name for entry in profile.classes]
    assert (values["tile"], values["overlap"], values["bands"]) == (64, 16, 3)
    assert values["gsd"] is None
    assert values["input_range"] == [0, 1]
    assert not values["standardized_inside"]


@pytest.mark.parametrize("name", ["onnx", "onnxruntime"])
def test_missing_package_is_an_error_that_names_the_extra(
    name: str, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=r"pip install 'landslide-cli\[onnx\]'"):
        show(profile, export="onnx")
    assert not (tmp_path / "run.packaged" / "show").exists()


def test_export_excludes_other_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "landslide", "--model", "--export", "onnx"]) == 2
    assert "exclude each other" in capsys.readouterr().err
