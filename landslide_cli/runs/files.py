"""Where a run and all that is derived from it lie on disk."""

from pathlib import Path

from landslide_cli.profile import Profile
from landslide_cli.weights import FOLDER

# Files of a run.
MODEL = "model.keras"
RUN_RECORD = "run.json"
PROFILE = "profile.yaml"
METRICS = "metrics.csv"
CURVES = "curves.png"
THRESHOLD = "threshold.json"
PRECISION = "precision.json"
INT8 = "int8.npz"
EVALUATION = "evaluation.json"
PER_SCENE = "per_scene.csv"

# Those whose digests are in `run.json`, so that none is exchanged or cut short.
TIED = (MODEL, METRICS, THRESHOLD)

# In the folder of a run that is being trained.
UNFINISHED_RECORD = "unfinished.json"

# The run in this package, and its name in `model.weights`.
LANDSLIDE = "landslide"
PACKAGED = FOLDER / LANDSLIDE

# What follows the name of a scene in the names of its maps, by their kinds; that of polygons where
# the foreground is landslides.
MAP_SUFFIXES = {
    "mask": "_mask.tif",
    "mask_style": "_mask.qml",
    "mask_png": "_mask.png",
    "probability": "_probability.tif",
    "probability_style": "_probability.qml",
    "overlay": "_overlay.jpg",
    "gpkg": "_landslides.gpkg",
    "geojson": "_landslides.geojson",
    "csv": "_landslides.csv",
    "kml": "_landslides.kml",
}

# What files of polygons are called after (`Palette.polygons`), and their kinds.
POLYGONS = ("landslides", "polygons")
_POLYGON_KINDS = ("gpkg", "geojson", "csv", "kml")

# Of these, how QGIS draws maps: people save their own styles under the same names.
STYLES = ("mask_style", "probability_style")


def run_home(profile: Profile) -> Path:
    """Return where the results of the profile's model lie.

    Those of the packaged model lie apart, so that they are never in the way of a training.
    """
    folder = profile.run_folder
    return folder.with_name(f"{folder.name}.packaged") if uses_packaged(profile) else folder


def inventory_home(profile: Profile) -> Path:
    """Return where the comparison with another inventory lies: beside the run, if there is one.

    A folder of the run's own name would be in the way of a training.
    """
    folder = profile.run_folder
    return folder.with_name(f"{folder.name}.inventory")


def uses_packaged(profile: Profile) -> bool:
    """Whether the packaged model stands in for the profile's own, which is not there."""
    return profile.model.weights == LANDSLIDE and not (profile.run_folder / MODEL).is_file()


def unfinished_folder(run: Path) -> Path:
    """Return where a run lies until its training has finished."""
    return run.with_name(f"{run.name}.unfinished")


def run_lock(run: Path) -> Path:
    """Return the lock of a run, held while it is trained or evaluated."""
    return run.with_name(f".{run.name}.lock")


def maps_folder(profile: Profile) -> Path:
    """Return where the maps lie unless the command line says otherwise."""
    return profile.infer.output or run_home(profile) / "infer"


def map_suffixes(polygons: str) -> dict[str, str]:
    """Return `MAP_SUFFIXES` with polygons called as given: `landslides` or `polygons`."""
    return MAP_SUFFIXES | {kind: f"_{polygons}.{kind}" for kind in _POLYGON_KINDS}


def mask_path(folder: Path, scene: str) -> Path:
    """Return where a scene's mask lies in the folder of the maps."""
    return folder / f"{scene}{MAP_SUFFIXES['mask']}"


def overlay_path(folder: Path, scene: str) -> Path:
    """Return where the picture of a scene with its map lies in the folder of the maps."""
    return folder / f"{scene}{MAP_SUFFIXES['overlay']}"


def polygon_files(folder: Path, polygons: str) -> dict[str, Path]:
    """Return the files of polygons in a folder of maps by the name of the scene.

    Of a scene that has several, the GeoPackage.

    Args:
        folder: of the maps.
        polygons: what the files are called after, `landslides` or `polygons`.
    """
    endings = [map_suffixes(polygons)[kind] for kind in ("geojson", "gpkg")]
    files = {
        path.name.removesuffix(ending): path
        for ending in endings
        for path in sorted(folder.glob(f"*{ending}"))
    }
    return dict(sorted(files.items()))
