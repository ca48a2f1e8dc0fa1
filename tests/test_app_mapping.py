"""`landslide infer-tiled` as it is typed, with a model of which all is known."""

import json
from pathlib import Path

import numpy as np
import pytest

from landslide_cli.app import main
from landslide_cli.imagery.raster.images import write_image


@pytest.fixture(scope="module")
def bright_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a profile, a model that takes bright ground for landslides, and two scenes."""
    from landslide_cli.core.networks.backend import keras

    folder = tmp_path_factory.mktemp("bright")
    inputs = keras.Input((None, None, 3))
    head = keras.layers.Conv2D(2, (1, 1), activation="softmax")
    model = keras.Model(inputs, head(inputs))
    weights = np.zeros((1, 1, 3, 2), np.float32)
    weights[0, 0, 0, 1] = 0.1
    head.set_weights([weights, np.array([0.0, -12.0], np.float32)])
    (folder / "run").mkdir()
    model.save(folder / "run" / "model.keras")
    (folder / "p.yaml").write_text(
        "name: bright\nrun: run\nmodel: {num_layers: 2}\n"
        "infer: {engine: tensorflow, precision: float32, tile: 64, overlap: 16}\n",
        encoding="utf-8",
    )
    (folder / "scenes").mkdir()
    image = np.full((60, 80, 3), 5, np.uint8)
    image[10:30, 20:50] = 250
    write_image(folder / "scenes" / "good.png", image)
    (folder / "scenes" / "hurt.png").write_bytes(b"\x89PNG\r\n\x1a\n half a picture")
    return folder


def test_scene_that_fails_is_named_and_the_status_is_one(
    bright_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(bright_run)
    assert main(["infer-tiled", "p.yaml", "scenes", "--output", str(tmp_path / "maps")]) == 1
    out, error = capsys.readouterr()
    assert "1 scene mapped, 1 failed" in out
    assert str(tmp_path / "maps") in out
    assert "not mapped" in error
    assert "hurt.png: is" in error
    assert "Traceback" not in error
    assert (tmp_path / "maps" / "good_mask.tif").is_file()


def test_quiet_run_with_a_scene_that_fails_says_only_that(
    bright_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(bright_run)
    arguments = ["infer-tiled", "p.yaml", "scenes", "--output", str(tmp_path), "--quiet", "--json"]
    assert main(arguments) == 1
    out, error = capsys.readouterr()
    document = json.loads(out)
    assert [scene["scene"] for scene in document["scenes"]] == ["good"]
    assert [scene["scene"] for scene in document["failed"]] == ["hurt"]
    assert "hurt.png" in document["error"]
    assert document["scenes"][0]["totals"][0]["landslides"] == 1
    assert len(error.splitlines()) <= 2
    assert "hurt.png" in error


def test_probability_is_written_when_asked_for(
    bright_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(bright_run)
    arguments = ["infer-tiled", "p.yaml", "scenes/good.png", "--output", str(tmp_path), "--json"]
    assert main(arguments) == 0
    assert "probability" not in json.loads(capsys.readouterr().out)["scenes"][0]
    assert main([*arguments, "--probability"]) == 0
    (scene,) = json.loads(capsys.readouterr().out)["scenes"]
    assert Path(scene["probability"]) == tmp_path / "good_probability.tif"
    assert Path(scene["probability"]).is_file()
    assert scene["unchanged"] is False


def test_short_options_set_keys_of_the_profile(
    bright_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(bright_run)
    arguments = ["infer-tiled", "p.yaml", "scenes/good.png", "--output", str(tmp_path), "--json"]
    assert main([*arguments, "--threshold", "0.75", "--tta", "flips"]) == 0
    assert json.loads(capsys.readouterr().out)["threshold"] == 0.75
    assert '"infer.tta": "flips"' in (tmp_path / "infer.json").read_text()
    assert main([*arguments, "--gsd", "2"]) == 1
    assert "instead of infer.gsd" in json.loads(capsys.readouterr().out)["error"]


def test_wrong_scheduler_is_status_two(
    bright_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(bright_run)
    arguments = ["infer-tiled", "p.yaml", "scenes/good.png", "--output", str(tmp_path), "-q"]
    assert main([*arguments, "--scheduler", "local:many"]) == 2
    error = capsys.readouterr().err
    assert "write it as local:2" in error
    assert len(error.splitlines()) == 1
