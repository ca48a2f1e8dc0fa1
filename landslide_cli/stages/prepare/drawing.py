"""Synthetic scenes, drawn to files so that every later step reads them like any other scenes."""

from pathlib import Path

from landslide_cli.core.palette import Palette
from landslide_cli.dataset.files import PREPARE_RECORD
from landslide_cli.dataset.sources import synthetic_folder
from landslide_cli.dataset.tiles import IMAGES, MASKS
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import write_image, write_mask
from landslide_cli.imagery.synthetic import draw_scene
from landslide_cli.outputs import whole_folder
from landslide_cli.processes import in_processes
from landslide_cli.profile import Profile, SyntheticSettings
from landslide_cli.records import Step, refuse_overwrite
from landslide_cli.reporting import Reporter


def draw_scenes(
    profile: Profile,
    source: int,
    synthetic: SyntheticSettings,
    limit: int | None,
    overwrite: bool,
    reporter: Reporter,
) -> None:
    """Draw the scenes of a synthetic source into the dataset, unless they are there.

    Raises:
        ChangedError: there are scenes drawn with different settings.
        DataError: the profile has other bands or classes than the drawings.
        OutputError: the folder holds files of another origin.
    """
    folder, palette = synthetic_folder(profile, source), profile.palette
    if profile.model_inputs != 3 or len(palette) != 2:
        raise DataError("the synthetic source draws 3 bands and 2 classes; the profile has others")
    count = min(synthetic.scenes, limit or synthetic.scenes)
    alone = profile.model_copy(update={"source": profile.sources[source]})
    settings = alone.settings("source.synthetic", "classes") | {"source.synthetic.scenes": count}
    step = Step.of(folder / PREPARE_RECORD, settings, [], overwrite)
    if step.finished_before("prepare", overwrite) is not None:
        return
    if not (folder / PREPARE_RECORD).exists():
        refuse_overwrite([folder], overwrite)
    with whole_folder(folder) as partial:
        for name in (IMAGES, MASKS):
            (partial / name).mkdir()
        jobs = [(synthetic, index, palette, partial) for index in range(count)]
        in_processes(_draw_scene, jobs, profile.prepare.workers, "drawing scenes", reporter)
        step.finish({"scenes": count}, partial / PREPARE_RECORD)


def _draw_scene(job: tuple[SyntheticSettings, int, Palette, Path]) -> None:
    synthetic, index, palette, folder = job
    image, mask = draw_scene(synthetic.seed, index, synthetic.width, synthetic.height)
    name = f"synthetic-{index + 1:04d}.png"
    write_image(folder / IMAGES / name, image)
    write_mask(folder / MASKS / name, mask, palette)
