"""Blocks of large scenes (`split.block`): what `prepare` divided, as every later step reads it.

<dataset>/blocks/images/SCENE_rROW_cCOL.vrt   the window of the image, without pixels of its own
<dataset>/blocks/masks/SCENE_rROW_cCOL.tif    its labels, none in the rim
<dataset>/blocks/prepare.json                 all blocks, and those that a landslide links
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from landslide_cli.core.tiling.division import Division
from landslide_cli.dataset.files import PREPARE_RECORD
from landslide_cli.dataset.scenes import Scene
from landslide_cli.dataset.tiles import IMAGES, MASKS
from landslide_cli.documents import restored
from landslide_cli.errors import DataError
from landslide_cli.profile import Profile
from landslide_cli.records import Record

# The settings that blocks follow from.
SIZES = ("split.block", "split.buffer")


@dataclass(frozen=True)
class Block:
    """A block of a scene; `class_pixels` counts its labelled pixels of each class, at full size."""

    name: str
    scene: str
    division: Division
    class_pixels: list[int]

    @property
    def is_labelled(self) -> bool:
        """Whether any pixel has a label; the block is left out otherwise."""
        return any(self.class_pixels)

    def document(self) -> dict[str, Any]:
        """Return the block as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Blocks:
    """The blocks of all divided scenes, and the pairs of them that a landslide lies across.

    Scenes of less than one and a half blocks are in neither.
    """

    blocks: list[Block]
    links: list[tuple[str, str]]

    def document(self) -> dict[str, Any]:
        """Return the blocks as JSON values."""
        return {"blocks": [block.document() for block in self.blocks], "links": self.links}

    @property
    def labelled(self) -> list[Block]:
        """Those that are not left out."""
        return [block for block in self.blocks if block.is_labelled]

    @property
    def scene_of(self) -> dict[str, str]:
        """The scene of each block, by the block's name."""
        return {block.name: block.scene for block in self.blocks}


def blocks_folder(profile: Profile) -> Path:
    """Return the folder of the blocks."""
    return profile.dataset / "blocks"


def block_name(scene: str, division: Division) -> str:
    """Name a block after its scene, its row and its column."""
    return f"{scene}_r{division.row:02d}_c{division.col:02d}"


def block_image(folder: Path, name: str) -> Path:
    """Return the image of a block in a folder of `blocks_folder`."""
    return folder / IMAGES / f"{name}.vrt"


def block_mask(folder: Path, name: str) -> Path:
    """Return the mask of a block in a folder of `blocks_folder`."""
    return folder / MASKS / f"{name}.tif"


def read_blocks(profile: Profile) -> Blocks:
    """Read the blocks that `prepare` made; none where the profile asks for none.

    Raises:
        DataError: there are none yet, or they are of another size.
    """
    if profile.split.block is None:
        return Blocks([], [])
    path = blocks_folder(profile) / PREPARE_RECORD
    record = Record.read(path)
    if record is None:
        raise DataError(f"{path.parent}: no blocks yet; run `landslide prepare` first")
    for key, value in profile.settings(*SIZES).items():
        if record.settings.get(key) != value:
            raise DataError(
                f"{path.parent}: was made with {key}: {record.settings.get(key)}, the profile has "
                f"{value}; run `landslide prepare --overwrite`, then split again"
            )
    return restored(Blocks, record.result, path)


def divided_scenes(profile: Profile, scenes: Sequence[Scene]) -> list[Scene]:
    """Put blocks in the place of the scenes that they are of.

    Raises:
        DataError: as `read_blocks`.
    """
    folder, of_scene = blocks_folder(profile), dict[str, list[Block]]()
    for block in read_blocks(profile).blocks:
        of_scene.setdefault(block.scene, []).append(block)
    divided: list[Scene] = []
    for scene in scenes:
        if scene.name not in of_scene:
            divided.append(scene)
            continue
        divided += [
            replace(
                scene,
                name=block.name,
                image=block_image(folder, block.name),
                mask=None if scene.mask is None else block_mask(folder, block.name),
                division=block.division,
                whole=scene,
            )
            for block in of_scene[scene.name]
            if block.is_labelled
        ]
    return divided
