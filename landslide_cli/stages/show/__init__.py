"""`landslide show`: pictures of the data, the maps and the run, or the layers of the network."""

from pathlib import Path
from typing import Literal

from landslide_cli.dataset.prepared import changed_since_prepare
from landslide_cli.errors import DataError
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter, SilentReporter
from landslide_cli.runs.files import MODEL, run_home
from landslide_cli.stages.show.augmentations import draw_augmentations
from landslide_cli.stages.show.export import NAME, export_onnx
from landslide_cli.stages.show.layers import list_layers
from landslide_cli.stages.show.result import ShowResult
from landslide_cli.stages.show.sheets import Sheets

__all__ = ["ShowResult", "show"]


def show(
    profile: Profile,
    *,
    model: bool = False,
    augmentations: bool = False,
    export: Literal["onnx"] | None = None,
    output: Path | None = None,
    limit: int | None = None,
    reporter: Reporter | None = None,
) -> ShowResult:
    """Draw the scenes, the maps, the tiles, the statistics of the dataset and the run's curves.

    Where there is a model or a map, its masks are compared with the ground truth. What there is is
    drawn: after `infer-tiled` alone, the maps.

    Args:
        profile: its `show` and all folders are used.
        model: list the layers of the network, and draw its blocks, instead.
        augmentations: draw training examples as `train.augment` changes them instead.
        export: write the model for other programs instead, in this format.
        output: folder of the pictures. Default: `show.output`, or else `<run>/show`, and
            `<dataset>/show` before the training.
        limit: use only the first scenes and tiles.
        reporter: shown the progress and the notes.

    Raises:
        DataError: there is nothing to show, or it cannot be read.
    """
    reporter = reporter or SilentReporter()
    folder = output or profile.show.output or _default_folder(profile)
    if model:
        with reporter.working("loading TensorFlow and the network"):
            return list_layers(profile, folder / "network.png")
    if augmentations:
        path = folder / "augmentations.png"
        draw_augmentations(profile, path, limit, reporter)
        return ShowResult([path])
    if export is not None:
        return ShowResult([export_onnx(profile, folder / NAME, reporter)])
    for text in changed_since_prepare(profile):
        reporter.warn(text)
    sheets = Sheets(profile, folder)
    files = [
        *sheets.scenes(limit),
        *sheets.maps(limit, reporter),
        *sheets.tiles(limit, reporter),
        *sheets.statistics(limit, reporter),
        *sheets.overlaps(limit, reporter),
        *sheets.worst(limit, reporter),
        *sheets.landslides(),
        *sheets.curves(),
    ]
    if not files:
        nothing = DataError("nothing to show yet; run `landslide prepare` first")
        raise sheets.without_scenes or nothing
    if sheets.without_scenes is not None:
        reporter.note(f"without labelled scenes: {sheets.without_scenes}")
    return ShowResult(files)


def _default_folder(profile: Profile) -> Path:
    home = run_home(profile)
    # The folder of the run stays free for `train`.
    if home == profile.run_folder and not (home / MODEL).exists():
        home = profile.parts_folder
    return home / "show"
