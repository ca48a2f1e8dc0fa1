"""Mapping on a Dask cluster: workers map blocks of a scene as a single machine does."""

import contextlib
import gc
import logging
import threading
import zlib
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image
from landslide_cli.core.palette import is_foreground
from landslide_cli.core.tiling.grid import Window
from landslide_cli.core.tiling.layout import Layout
from landslide_cli.errors import LandslideError, UsageError
from landslide_cli.imagery.pictures import Reduced, reduced
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.reporting import Reporter, SilentReporter
from landslide_cli.runs.planning import load_predictor
from landslide_cli.stages.infer.mapper import Band, LocalMapper, OnWindows, Recipe, Stopped

# A block is at least so many pixels of the scene wide and high, and so many windows: what blocks
# share is predicted for each of them.
LEAST_SIDE, LEAST_WINDOWS = 4096, 4

# Blocks of a scene that are submitted per worker: one is mapped, one waits.
_BLOCKS_PER_WORKER = 2

# How often a scene that waits for its next block checks whether to stop, in seconds.
_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class _MappedBlock:
    """A block as it comes from a worker: mask and probability packed, the picture reduced.

    `clipped` is `SceneReader.clipped_counts` of what was read for it.
    """

    mask: bytes
    probability: NDArray[np.float32]
    pieces: list[tuple[int, int, Image]]
    seconds: float
    clipped: NDArray[np.int64] | None


class ClusterMapper:
    """Maps scenes by the workers of a Dask cluster.

    They read the scenes and the run under the same paths as this process. Results are bit-identical
    to those of a single machine of their kind.

    Args:
        recipe: what the maps follow from.
        scheduler: the address of a running scheduler, or `local:N` for N processes here.
        reporter: told the number of workers.
        least_side: of a block, in pixels of the scene.
        least_windows: of a block, along rows and along columns.

    Raises:
        UsageError: there is no such scheduler, or Dask is not installed.
    """

    def __init__(
        self,
        recipe: Recipe,
        scheduler: str,
        reporter: Reporter,
        least_side: int = LEAST_SIDE,
        least_windows: int = LEAST_WINDOWS,
    ) -> None:
        # Workers may have been started in another folder.
        folder, home = recipe.run.folder.absolute(), recipe.run.home.absolute()
        self._recipe = replace(recipe, run=replace(recipe.run, folder=folder, home=home))
        self._least_side, self._least_windows = least_side, least_windows
        self._stopped = threading.Event()
        self.seconds = 0.0
        self._client, self._cluster = _connected(scheduler)
        self._workers = max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))
        reporter.note(f"{self._workers} workers at {scheduler}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Disconnect; a cluster of processes on this machine is shut down."""
        # A cluster that has died must not hide the error that it died of.
        with contextlib.suppress(Exception):
            self._client.close(timeout=5)
            if self._cluster is not None:
                self._cluster.close(timeout=10)

    def stop(self) -> None:
        """Have all scenes give up at their next block."""
        self._stopped.set()

    def check(self) -> None:
        """Raise `Stopped` if the mapper was told to stop."""
        if self._stopped.is_set():
            raise Stopped

    def prepare(self, layout: Layout) -> None:
        """Do nothing: each worker compiles its own model."""

    def blocks(self, layout: Layout) -> list[Window]:
        """Divide a scene into the blocks that a worker maps at once."""
        rows, cols = (axis.side - axis.overlap for axis in (layout.grid.rows, layout.grid.cols))
        return list(
            layout.blocks(
                max(self._least_side, round(self._least_windows * rows / layout.rows.scale)),
                max(self._least_side, round(self._least_windows * cols / layout.cols.scale)),
            )
        )

    def bands(
        self,
        path: Path,
        scene: SceneReader,
        layout: Layout,
        picture: Reduced,
        advance: OnWindows,
    ) -> Generator[Band]:
        """Map a scene: its blocks by the workers, handed on in their order; see `Mapper.bands`.

        Raises:
            LandslideError: workers were killed by one block after another.
        """
        submitted: deque[tuple[Window, Any]] = deque()
        waiting = deque(self.blocks(layout))
        try:
            while waiting or submitted:
                while waiting and len(submitted) < _BLOCKS_PER_WORKER * self._workers:
                    block = waiting.popleft()
                    submitted.append((block, self._submit(path, block, picture.step)))
                block, future = submitted.popleft()
                mapped = self._result(future, path)
                self.seconds += mapped.seconds
                if scene.clipped_counts is not None and mapped.clipped is not None:
                    scene.clipped_counts[:] += mapped.clipped
                for piece in mapped.pieces:
                    picture.place(*piece)
                yield _unpacked(block, mapped)
                advance(layout.windows(block))
        finally:
            for _, future in submitted:
                future.cancel()

    def _submit(self, path: Path, block: Window, step: int) -> Any:
        return self._client.submit(
            _map_block, self._recipe, path.absolute(), block, step, pure=False
        )

    def _result(self, future: Any, path: Path) -> _MappedBlock:
        from distributed import KilledWorker

        # Not `future.result(timeout)`: where a result comes just as the time is over, Dask cancels
        # its own wait, and fails with an UnboundLocalError.
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        while not done.wait(_POLL_SECONDS):
            self.check()
        try:
            mapped: _MappedBlock | LandslideError = future.result()
        except KilledWorker:
            raise LandslideError(
                f"{path}: workers were killed at one of its blocks again and again, probably "
                "out of memory; set infer.memory, or start fewer workers per machine"
            ) from None
        if isinstance(mapped, LandslideError):
            raise mapped
        return mapped


def _connected(scheduler: str) -> tuple[Any, Any]:
    """Return a client, and the cluster if it was started here."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise UsageError(
            "--scheduler needs Dask; install it with: pip install 'landslide-cli[cluster]'"
        ) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    kind, _, count = scheduler.partition(":")
    if kind == "local":
        if not count.isdecimal() or int(count) < 1:
            raise UsageError(f"--scheduler {scheduler}: write it as local:2, for two processes")
        cluster = LocalCluster(
            n_workers=int(count),
            threads_per_worker=1,
            dashboard_address=None,
            memory_limit=None,
            silence_logs=logging.CRITICAL,
        )
        return Client(cluster), cluster
    try:
        return Client(scheduler, timeout=20), None
    except (OSError, ValueError) as error:
        reason = type(error).__name__
    # The failed client closes itself when it is collected, and deadlocks if that happens while
    # another client is made.
    gc.collect()
    raise UsageError(
        f"--scheduler {scheduler}: no Dask scheduler answers there ({reason}); "
        "write it as tcp://HOST:8786, or local:2"
    )


_loaded: list[tuple[str, LocalMapper]] = []
_loading = threading.Lock()


def _mapper_of(recipe: Recipe) -> LocalMapper:
    """Load the model once per worker."""
    key = recipe.key
    with _loading:
        if not _loaded or _loaded[0][0] != key:
            predictor = load_predictor(
                recipe.profile, recipe.run, (), SilentReporter(), recipe.plan
            )
            _loaded[:] = [(key, LocalMapper.of(recipe, predictor))]
        return _loaded[0][1]


def _map_block(
    recipe: Recipe, path: Path, block: Window, step: int
) -> _MappedBlock | LandslideError:
    """Map a block, on a worker, or return why it cannot be mapped.

    An error that was raised would bring along those that it comes from, and GDAL's cannot be sent.
    """
    try:
        return _mapped_block(recipe, path, block, step)
    except LandslideError as error:
        return type(error)(str(error))


def _mapped_block(recipe: Recipe, path: Path, block: Window, step: int) -> _MappedBlock:
    """Map a block; of the background probabilities are sent only if they are wanted."""
    mapper = _mapper_of(recipe)
    before = mapper.seconds
    mask = np.empty((block.height, block.width), np.uint8)
    probability = np.empty((block.height, block.width), np.float32)
    pieces: list[tuple[int, int, Image]] = []

    def reduce(row_off: int, col_off: int, image: Image) -> None:
        row, col, values = reduced(row_off, col_off, image, step)
        pieces.append((row, col, values.copy()))

    with recipe.opened(path) as scene:
        layout = recipe.plan.layout(scene)
        clipped = scene.clipped_counts
        for band in mapper.block_bands(scene, layout, block, reduce):
            rows = slice(band.row_off - block.row_off, None)
            mask[rows][: len(band.mask)] = band.mask
            probability[rows][: len(band.mask)] = band.probability
    sent = probability.ravel() if recipe.has_probability else probability[is_foreground(mask)]
    packed = zlib.compress(mask.tobytes(), 1)
    return _MappedBlock(packed, sent, pieces, mapper.seconds - before, clipped)


def _unpacked(block: Window, mapped: _MappedBlock) -> Band:
    shape = block.height, block.width
    mask = np.frombuffer(zlib.decompress(mapped.mask), np.uint8).reshape(shape)
    if mapped.probability.size == mask.size:
        probability = mapped.probability.reshape(shape)
    else:
        probability = np.zeros(shape, np.float32)
        probability[is_foreground(mask)] = mapped.probability
    return Band(block.row_off, block.col_off, mask, probability)
