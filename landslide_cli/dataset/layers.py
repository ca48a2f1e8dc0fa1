"""The files beside scenes that bands are read from: which of them belongs to which scene."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from landslide_cli.dataset.finding import find_files
from landslide_cli.dataset.pairing import Key, keyed, paired, wildcards
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.recognition import ARRAYS, array_in, file_of

# The files of a scene's layers by the layers' names, as `Preprocessing` has them.
LayerFiles = tuple[tuple[str, str], ...]


class LayerFinder:
    """Finds the files of scenes' layers; each layer's are listed once.

    A layer of one file belongs to all scenes. Of several, that belongs to a scene whose wildcards
    match the same text as those of the scene, or whose name without suffix is the scene's, maybe
    with a beginning and an ending that all have.

    Args:
        layers: glob, folder or file of each layer; of files with several arrays with the name of
            one, as `chips/*.h5/dem`.
        names: of the layers that are needed.
        images: the glob or folder that the scenes were found by; None where they were named.
    """

    def __init__(self, layers: Mapping[str, str], names: Sequence[str], images: str | None) -> None:
        self._layers, self._names, self._images = layers, names, images
        self._listed: dict[str, list[Path]] = {}

    def of(self, image: Path) -> LayerFiles:
        """Return the files of a scene, in the order of the names.

        Raises:
            DataError: a layer is not given, or no file of it belongs to the scene.
        """
        own, _ = file_of(image)
        return tuple((name, str(self._file_of(own, name))) for name in self._names)

    def _file_of(self, image: Path, name: str) -> Path:
        given = self._layers.get(name)
        if given is None:
            raise DataError(
                f"{image}: the model needs the layer {name}; give its files, as "
                f"--set infer.layers.{name}='{name}/*.tif'"
            )
        pattern, key = _divided(given)
        if name not in self._listed:
            self._listed[name] = find_files(pattern)
        files = self._listed[name]
        if not files:
            raise DataError(f"{pattern}: no file found for the layer {name}; check the glob")
        found = files[0] if len(files) == 1 else _partner(image, self._images, files, pattern)
        if found is None:
            raise DataError(
                f"{image}: none of the {len(files)} files of the layer {name} ({pattern}) is "
                f"called like it, as {files[0].name}"
            )
        return array_in(found, key)


def _divided(pattern: str) -> tuple[str, str | None]:
    """Divide `chips/*.h5/dem` into the pattern of the files and the name of the array in them."""
    path = Path(pattern)
    for parent in path.parents:
        if parent.suffix.lower() in ARRAYS and not parent.is_dir():
            return str(parent), path.relative_to(parent).as_posix()
    return pattern, None


def _partner(image: Path, images: str | None, files: Sequence[Path], pattern: str) -> Path | None:
    by_name = keyed(files, None)
    if images is not None and wildcards(images) == wildcards(pattern) > 0:
        key = next(iter(_key_of(image, images)), None)
        found = keyed(files, pattern).get(key) if key is not None else None
        if found is not None:
            return found
    if (image.stem,) in by_name:
        return by_name[(image.stem,)]
    own, others = paired([image], str(image.parent), files, str(Path(pattern).parent))
    (key,) = own
    near = [path for path in files if image.stem in path.stem]
    return others.get(key) or (near[0] if len(near) == 1 else None)


def _key_of(image: Path, images: str) -> list[Key]:
    try:
        return list(keyed([image], images))
    except DataError:
        return []
