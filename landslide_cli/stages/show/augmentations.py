"""The picture of augmentations: training examples, each with several random changes."""

from pathlib import Path

from landslide_cli.core.palette import IGNORE, Mask, Palette
from landslide_cli.imagery.figures import SheetRow, write_sheet
from landslide_cli.imagery.pictures import HATCHING, Picture, hatched, overlay, shown, spread
from landslide_cli.profile import Profile
from landslide_cli.profile.augment import OnlineAugmentSettings
from landslide_cli.reporting import Reporter
from landslide_cli.training_data.inputs import examples_of, files_of_part

# The random changes of an example depend on the epoch; epochs count from 1.
_DRAWS = range(1, 6)


def draw_augmentations(profile: Profile, path: Path, limit: int | None, reporter: Reporter) -> None:
    """Draw examples of the first epoch, unchanged and with several random changes.

    The first change is that of the first epoch of a training. Masks lie over the images, and
    unlabelled pixels are hatched.

    Args:
        profile: its `dataset`, `train` and `show` are used, with `train.crop` also its `source`.
        path: of the picture.
        limit: use only the first tiles or scenes, and draw that many examples.
        reporter: shown the progress, and a note if no augmentation is enabled.

    Raises:
        DataError: there is no training set, or it cannot be used.
    """
    with reporter.working("loading TensorFlow"):
        from landslide_cli.training_data.augment import Augmenter

    settings, palette = profile.train, profile.palette
    # These few examples are read once and need no cache.
    uncached = profile.model_copy(update={"train": settings.model_copy(update={"cache": "none"})})
    examples = examples_of(uncached, files_of_part(profile, "train", limit), None)
    if settings.augment.is_off:
        reporter.note(_how_to_enable())
    named = profile.named_bands
    augmenter = Augmenter(settings.augment, settings.seed, named)
    first = _DRAWS[0]
    chosen = spread(range(len(examples)), limit or profile.show.items)
    rows = []
    with reporter.track("drawing augmentations", len(chosen)) as advance:
        for position in chosen:
            image, mask = examples.example(first, position)
            pictures = [_picture(shown(image, named), mask, palette)]
            for draw in _DRAWS:
                warped = augmenter.warp(image, mask, draw, position)
                changed, moved = augmenter.transform(*warped, draw, position)
                picture = shown(changed.numpy(), named)
                pictures.append(_picture(picture, moved.numpy(), palette))
            name = examples.name(first, position)
            rows.append(SheetRow(name if settings.crop else Path(name).stem, pictures))
            advance()
    columns = ["as it is", *(f"draw {draw}" for draw in _DRAWS)]
    legend = [*zip(palette.names[1:], palette.colours[1:], strict=True), ("no label", HATCHING)]
    write_sheet(path, columns, rows, profile.show.cell, legend)


def _picture(image: Picture, mask: Mask, palette: Palette) -> Picture:
    return hatched(overlay(image, mask, palette), mask == IGNORE)


def _how_to_enable() -> str:
    kinds = ", ".join(OnlineAugmentSettings.model_fields)
    return (
        "no augmentation is enabled, so training uses the examples unchanged; to enable one, set "
        f"train.augment.KIND.probability above 0, with KIND one of {kinds}"
    )
