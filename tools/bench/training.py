"""Training: speed beside `model.fit` and beside one thread, memory, and twenty kills.

Each measurement is a process of its own, as threads and determinism are settled once per process:
`python -m tools.bench.training WHAT PROFILE` prints one as JSON.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from landslide_cli.profile import Profile, dump_profile, load_profile
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.split import split
from landslide_cli.stages.train import train
from tests.killing import assert_same_bits, logged, start_training, train_with_kills, weights_of
from tools.bench.measuring import peak_memory

Rows = list[tuple[str, ...]]

ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
KILLS = 20


def bench_training(folder: Path) -> Iterator[tuple[str, ...]]:
    """Measure all of it, on drawn scenes."""
    yield from _beside_fit(folder / "speed")
    yield from _normalization(folder / "normalization")
    yield from _flexunet(folder / "flexunet")
    yield from _memory(folder / "memory")
    yield from _kills(folder / "kills")


def _beside_fit(folder: Path) -> Rows:
    """Compare our steps with `model.fit` on the same tiles in memory; in turns, the best of two."""
    small = _prepared(folder, "sichuan-small", "{scenes: 16, width: 1024, height: 1024}")
    rows: Rows = []
    best: dict[str, dict[str, float]] = {}
    for _ in range(2):
        for what in ("fit", "steps"):
            measured = _measured(what, small)
            if what not in best or measured["rate"] > best[what]["rate"]:
                best[what] = measured
    fit, ours = best["fit"], best["steps"]
    rows.append(("train sichuan-small, model.fit", f"{fit['rate']:.2f} steps/s", "1.00"))
    ratio = f"{ours['rate'] / fit['rate']:.2f}"
    rows.append(("train sichuan-small, to model.fit", f"{ours['rate']:.2f} steps/s", ratio))
    what = "train sichuan-small, input wait, to a step"
    rows.append((what, f"{1e3 * ours['wait'] / ours['rate']:.1f} ms", f"{ours['wait']:.3f}"))
    return rows


def _normalization(folder: Path) -> Rows:
    """Compare batch normalization in one operation with Keras's; in turns, the best of two."""
    profile = _prepared(folder, "landslide", "{scenes: 4, width: 1024, height: 1024}")
    plain, ours = 0.0, 0.0
    for _ in range(2):
        plain = max(plain, _measured("plain", profile, "train.crops=64")["rate"])
        ours = max(ours, _measured("steps", profile, "train.crops=64")["rate"])
    return [
        ("train landslide, Keras's normalization", f"{plain:.2f} steps/s", "1.00"),
        ("train landslide, to Keras's", f"{ours:.2f} steps/s", f"{ours / plain:.2f}"),
    ]


def _flexunet(folder: Path) -> Rows:
    """Compare FlexUNet of `configs/sichuan.yaml` with the experiment's single thread."""
    profile = _prepared(folder, "sichuan", "{scenes: 4, width: 1024, height: 1024}")
    rows: Rows = []
    first = 0.0
    for name, precision, environment in (
        ("float32, one thread", "float32", ONE_THREAD),
        ("float32, all threads", "float32", {}),
        ("bfloat16, all threads", "bfloat16", {}),
    ):
        measured = _measured("few-steps", profile, f"train.precision={precision}", **environment)
        rate = measured["rate"] * measured["batch"]
        first = first or rate
        rows.append(
            (
                f"train sichuan, {name}, to one thread",
                f"{rate:.3f} images/s, {measured['memory']:.1f} GB",
                f"{rate / first:.2f}",
            )
        )
    return rows


def _memory(folder: Path) -> Rows:
    """Measure the peak memory of the whole command with few and with many tiles."""
    demo = _prepared(folder, "demo", "{scenes: 24, width: 512, height: 512}")
    rows: Rows = []
    for cache in ("none", "disk"):
        first = 0.0
        for count in (200, 5000):
            dataset = _tiles(folder / f"tiles-{count}", demo, count)
            path = folder / "memory.yaml"
            sets: dict[str, object] = {"cache": cache, "epochs": 2, "preview_scenes": []}
            path.write_text(dump_profile(_with(demo, dataset, folder / "memory-run", sets)))
            peak = _peak_memory(path)
            first = first or peak
            what = f"train demo, {count} tiles, cache {cache}, peak memory, to 200"
            rows.append((what, f"{peak:.3f} GB", f"{peak / first:.3f}"))
    return rows


def _kills(folder: Path) -> Rows:
    """Kill a training twenty times, and compare its weights with an undisturbed one's."""
    demo = _prepared(folder, "demo", "{scenes: 24, width: 512, height: 512}")
    sets: dict[str, object] = {
        "epochs": 100,
        "stop_patience": None,
        "checkpoint_minutes": 1e-3,
        "ema": 0.9,
        "preview_scenes": [],
    }
    killed = _with(demo, demo.dataset, folder / "killed", sets)
    path = folder / "kills.yaml"
    path.write_text(dump_profile(killed), encoding="utf-8")
    began = time.perf_counter()
    taken_up = train_with_kills(path, killed.run, KILLS, random.Random(1), 1.5)  # noqa: S311
    seconds = time.perf_counter() - began
    whole = killed.model_copy(update={"run": folder / "whole"})
    train(whole)
    assert_same_bits(weights_of(killed.run), weights_of(whole.run))
    assert logged(killed.run) == logged(whole.run)
    what = f"train, {KILLS} kills, taken up {taken_up} times: the same bits"
    return [(what, f"{seconds:.0f} s", "1.00")]


def _prepared(folder: Path, name: str, synthetic: str) -> Profile:
    sets = [
        f"source={{synthetic: {synthetic}}}",
        f"dataset={folder / 'dataset'}",
        f"run={folder / 'run'}",
        "split.overlap.content=false",
    ]
    profile = load_profile(Path("configs") / f"{name}.yaml", sets)
    prepare(profile)
    split(profile)
    return profile


def _with(profile: Profile, dataset: Path, run: Path, settings: Mapping[str, object]) -> Profile:
    changed = profile.train.model_copy(update=settings)
    return profile.model_copy(update={"dataset": dataset, "run": run, "train": changed})


def _tiles(folder: Path, profile: Profile, count: int) -> Path:
    """Draw so many tiles to learn from, a few different ones under many names."""
    from landslide_cli.dataset.tiles import IMAGES, MASKS, part_tiles

    if folder.exists():
        return folder
    for part, wanted in (("train", count), ("valid", 16)):
        tiles = part_tiles(profile.parts_folder, "train")
        for name in (IMAGES, MASKS):
            (folder / part / name).mkdir(parents=True)
        for index in range(wanted):
            tile = tiles[index % len(tiles)]
            for name, path in ((IMAGES, tile.image), (MASKS, tile.mask)):
                os.link(path, folder / part / name / f"t{index:05d}.png")
    return folder


def _peak_memory(path: Path) -> float:
    """Train, and return the most memory that the process has held, in GB."""
    process = start_training(path, "--quiet", "--overwrite")
    peak = 0.0
    while process.poll() is None:
        try:
            peak = max(peak, peak_memory(process.pid))
        except OSError:
            break
        time.sleep(0.05)
    _, text = process.communicate()
    assert process.returncode == 0, text
    return peak


def _measured(what: str, profile: Profile, *sets: str, **environment: str) -> dict[str, float]:
    path = profile.run.with_suffix(".yaml")
    path.write_text(dump_profile(profile), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tools.bench.training", what, str(path), *sets],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def measure(what: str, profile: Profile) -> dict[str, float]:
    """Train for a while, and return steps per second, share of waiting, and memory."""
    from landslide_cli.core.networks.backend import enable_determinism
    from landslide_cli.core.networks.batch_norm import with_fused_normalization
    from landslide_cli.core.networks.build import build_model
    from landslide_cli.stages.train.step import LossScale, Stepper
    from landslide_cli.stages.train.workers import WorkerRank, Workers
    from landslide_cli.training_data.batches import Batches
    from landslide_cli.training_data.inputs import examples_of, files_of_part

    settings = profile.train
    examples = examples_of(profile, files_of_part(profile, "train", None), None)
    batches = Batches(examples, profile.model_inputs, settings.batch, wraps=True)
    if what == "fit":
        return _fit(profile, batches)
    enable_determinism()
    model = build_model(profile.model, profile.model_inputs, 2, settings.seed, settings.precision)
    if what != "plain":
        model = with_fused_normalization(model)
    stepper = Stepper(model, settings, 2, Workers(WorkerRank(0, 1)))
    loss_scale = LossScale.of(settings.precision)
    waited: list[float] = []
    taken: list[float] = []
    epochs = 1 if what == "few-steps" else 4
    for epoch in range(1, epochs + 1):
        arrays = batches.epoch(epoch)
        for number in range(min(len(batches), 4 if what == "few-steps" else len(batches))):
            began = time.perf_counter()
            batch = next(arrays)
            waited.append(time.perf_counter() - began)
            stepper.step([batch], settings.learning_rate, loss_scale)
            taken.append(time.perf_counter() - began)
            if epoch == 1 and number == 0:
                waited.clear()
                taken.clear()
    return {
        "rate": len(taken) / sum(taken),
        "wait": sum(waited) / sum(taken),
        "batch": settings.batch,
        "memory": peak_memory(),
    }


def _fit(profile: Profile, batches: Any) -> dict[str, float]:
    """Train by Keras's own loop, as anyone would."""
    from landslide_cli.core.networks.backend import keras
    from landslide_cli.core.networks.build import build_model
    from landslide_cli.core.networks.losses import make_loss
    from landslide_cli.core.palette import IGNORE

    settings, times = profile.train, [0.0]
    pairs = [(images.numpy(), masks.numpy()) for images, masks in batches.epoch(1)]
    images, masks = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    model = build_model(profile.model, profile.model_inputs, 2, settings.seed)
    loss = make_loss(settings)
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate, clipvalue=settings.clip_value),
        loss=loss,
        metrics=[keras.metrics.MeanIoU(2, ignore_class=IGNORE, sparse_y_pred=False)],
    )
    end = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda number, logs: times.append(time.perf_counter())
    )
    model.fit(images, masks, batch_size=settings.batch, epochs=4, verbose=0, callbacks=[end])
    # Without the first step, which builds the graph.
    seconds = time.perf_counter() - times[2]
    return {"rate": (len(times) - 2) / seconds, "memory": peak_memory()}


def main(arguments: Sequence[str]) -> None:
    what, path, *sets = arguments
    sys.stdout.write(json.dumps(measure(what, load_profile(Path(path), sets))))


if __name__ == "__main__":
    main(sys.argv[1:])
