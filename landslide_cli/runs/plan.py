"""How scenes are predicted: engine, precision and windows."""

from dataclasses import dataclass

from landslide_cli.core.tiling.layout import Layout, Tiling
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.runs.engines import EngineName, Precision


@dataclass(frozen=True)
class Plan:
    """How scenes are predicted; results are the same bits for the same plan.

    `tile` is the largest side of a window in pixels of the model, None for whole scenes; `fitted`
    windows are smaller where the scene allows. Neighbours share `overlap` pixels, and sides are
    multiples of `multiple`. `changed` is the share of pixels to which the precision, if it is not
    float32, or the bfloat16 that was compared, gives another class; None where nothing was
    compared. `reason` says why this precision was taken, empty where the profile names it.
    """

    engine: EngineName
    precision: Precision
    changed: float | None
    tile: int | None
    fitted: bool
    overlap: int
    multiple: int
    batch: int
    threads: int
    reason: str = ""

    def layout(self, scene: SceneReader) -> Layout:
        """Lay out the windows over a scene.

        Raises:
            DataError: as `SceneReader.scales`.
        """
        return self.tiling(scene.scales).layout(scene.height, scene.width)

    def tiling(self, scales: tuple[float, float]) -> Tiling:
        """Return how scenes are laid out whose rows and columns are resized by these factors."""
        return Tiling(self.tile, self.overlap, self.batch, scales, self.fitted, self.multiple)
