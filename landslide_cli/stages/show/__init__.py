"""`landslide show`: pictures of the data, the maps and the run, or the layers of the network."""

from collections.abc import Sequence
from pathlib import Path

from landslide_cli.dataset.sources import changed_since_prepare
from landslide_cli.errors import DataError
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter, SilentReporter
from landslide_cli.runs.files import MODEL, maps_folder, run_home, uses_packaged
from landslide_cli.stages.show.augmentations import draw_augmentations
from landslide_cli.stages.show.export import Format, export_model
from landslide_cli.stages.show.history import history_of
from landslide_cli.stages.show.landslides import (
    Distribution,
    Landslides,
    distributions,
    landslides_of,
    tables_of,
)
from landslide_cli.stages.show.layers import list_layers
from landslide_cli.stages.show.report import MapContents, write_report
from landslide_cli.stages.show.report.runs import run_part
from landslide_cli.stages.show.result import ShowResult
from landslide_cli.stages.show.sheets import Sheets

__all__ = ["ShowResult", "show"]


def show(
    profile: Profile,
    *,
    model: bool = False,
    augmentations: bool = False,
    export: Format | None = None,
    output: Path | None = None,
    limit: int | None = None,
    reporter: Reporter | None = None,
) -> ShowResult:
    """Draw the scenes, the maps, the tiles, the statistics of the dataset and the run's curves.

    Where there is a model or a map, its masks are compared with the ground truth. What there is is
    drawn: after `infer-tiled` alone, the maps. Of a map and of a run there is also `report.html`.

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
            return list_layers(profile, folder / f"network.{profile.show.format}")
    if augmentations:
        path = folder / f"augmentations.{profile.show.format}"
        draw_augmentations(profile, path, limit, reporter)
        return ShowResult([path])
    if export is not None:
        return ShowResult(export_model(profile, folder, export, reporter))
    for text in changed_since_prepare(profile):
        reporter.warn(text)
    sheets, history = Sheets(profile, folder, limit, reporter), history_of(profile)
    tables = tables_of(maps_folder(profile), profile.palette.polygons, reporter)
    groups = landslides_of(tables)
    found = _sizes(groups, reporter)
    files = [
        *sheets.scenes(),
        *sheets.maps(),
        *sheets.tiles(),
        *sheets.statistics(),
        *sheets.overlaps(),
        *sheets.worst(),
        *sheets.landslides(found),
        *sheets.curves(history),
    ]
    contents = MapContents(tables, groups, found)
    run = run_part(profile, history, sheets.scored, sheets.compared())
    files += write_report(profile, folder / "report.html", contents, run, limit, reporter)
    if not files:
        nothing = DataError("nothing to show yet; run `landslide prepare` first")
        raise sheets.without_scenes or nothing
    # Whoever maps with the packaged model and never prepared any scenes does not miss them.
    has_dataset = profile.parts_folder.exists() or not uses_packaged(profile)
    if sheets.without_scenes is not None and has_dataset:
        reporter.note(f"without labelled scenes: {sheets.without_scenes}")
    return ShowResult(files, sizes=[distribution.document() for distribution in found])


def _sizes(groups: Sequence[Landslides], reporter: Reporter) -> list[Distribution]:
    with reporter.working("fitting the sizes of the landslides"):
        return distributions(groups)


def _default_folder(profile: Profile) -> Path:
    home = run_home(profile)
    # The folder of the run stays free for `train`.
    if home == profile.run_folder and not (home / MODEL).exists():
        home = profile.parts_folder
    return home / "show"
