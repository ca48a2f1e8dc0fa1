"""`prepare`: how scenes become tiles."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from landslide_cli.profile.augment import TURNING_KINDS, LensCoefficient
from landslide_cli.profile.base import Settings, wrong


class OfflineAugmentSettings(Settings):
    """Offline augmentation: further copies of each tile, image and mask alike."""

    hflip: bool = Field(False, description="Add a copy mirrored left to right.")
    vflip: bool = Field(False, description="Add a copy mirrored top to bottom.")
    rotate90: bool = Field(False, description="Add copies turned by 90, 180 and 270 degrees.")
    distortions: list[Annotated[float, Field(gt=0.0, le=0.2)]] = Field(
        [],
        max_length=8,
        description="Add a smoothly warped copy for each number: the largest displacement as a "
        "share of the tile.",
    )
    lens: list[LensCoefficient] = Field(
        [],
        max_length=8,
        description="Add a copy for each coefficient of a radial distortion: barrel above 0, "
        "pincushion below.",
    )
    sharpen: list[Annotated[float, Field(gt=0.0, le=5.0)]] = Field(
        [], max_length=8, description="Add a copy sharpened by each factor (unsharp masking)."
    )

    @property
    def turns(self) -> list[str]:
        """The copies in which north is elsewhere."""
        return [name for name in TURNING_KINDS if getattr(self, name, False)]


class PrepareSettings(Settings):
    """`landslide prepare`: scenes to tiles."""

    resize: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = Field(
        None, description="Width and height to which every scene is resized. Default: its own."
    )
    scale: float | None = Field(
        None, gt=0.0, le=8.0, description="Factor by which every scene is resized instead."
    )
    gsd: float | None = Field(
        None,
        gt=0.0,
        description="GSD in metres per pixel to which every scene is resized instead, from that of "
        "its georeference or else of `source.gsd`. What is mapped later is resized likewise.",
    )
    standardize: bool = Field(
        False,
        description="Give each band of every scene the same mean, and the bands together the same "
        "deviation, in each neighbourhood of 256 prepared pixels, so that haze, light, season and "
        "sensor matter less. What the trained model maps is treated alike.",
    )
    tile: int | None = Field(
        512,
        ge=16,
        le=8192,
        description="Side of a tile, in pixels. null: cut no tiles; `train.crop` takes crops from "
        "the scenes themselves.",
    )
    drop_empty: bool = Field(False, description="Leave out tiles without any foreground.")
    nearest_colour: bool = Field(
        False, description="Give a mask colour that is no class to the nearest class (JPEG masks)."
    )
    augment: OfflineAugmentSettings = Field(
        OfflineAugmentSettings(), description="Offline augmentation: further copies of each tile."
    )
    workers: int | None = Field(
        None, ge=1, le=256, description="Processes to use. Default: one per processor core."
    )
    seed: int = Field(137, ge=0, description="Seed of the distortions.")

    @model_validator(mode="after")
    def _without_tiles(self) -> Self:
        if self.tile is None:
            for key, value in self.augment:
                if value:
                    raise wrong(
                        f"prepare.augment.{key}",
                        "makes copies of tiles, and prepare.tile is null; use train.augment",
                    )
            if self.drop_empty:
                raise wrong("prepare.drop_empty", "leaves out tiles, and prepare.tile is null")
        return self

    @model_validator(mode="after")
    def _one_resizing(self) -> Self:
        given = [key for key in ("resize", "scale", "gsd") if getattr(self, key) is not None]
        if len(given) > 1:
            first, second = given[:2]
            raise wrong(
                f"prepare.{second}", f"does not go with prepare.{first}; keep one of the two"
            )
        return self
