"""Another run, to be compared with that of the profile on the same scenes."""

from pathlib import Path

from landslide_cli.core.parts import fold_folder
from landslide_cli.errors import ModelError
from landslide_cli.profile import Profile, load_profile
from landslide_cli.profile.extending import PACKAGED_PROFILE
from landslide_cli.runs.files import LANDSLIDE, PROFILE, uses_packaged


def profile_of_run(run: Path, fold: int | None, like: Profile) -> Profile:
    """Load the profile that a run was trained with, to predict with it wherever it lies now.

    Args:
        run: the run's folder, of a cross-validation the one that holds the folds; `landslide` is
            the packaged model, where no folder of a run has that name.
        fold: which fold's run is meant, if any.
        like: the profile of what is scored; the two must have the same bands and classes.

    Raises:
        ModelError: there is no such run, or it has other bands or classes.
    """
    folder = run if fold is None else run / fold_folder(fold)
    if (folder / PROFILE).is_file():
        profile = load_profile(folder / PROFILE)
        # A fold's run may be compared on its own; its folder is then the run.
        in_folds = profile.fold is not None and folder.name == fold_folder(profile.fold)
        moved = {
            "run": folder.parent if in_folds else folder,
            "fold": profile.fold if in_folds else None,
        }
        profile = profile.model_copy(update=moved)
    elif str(run) == LANDSLIDE:
        profile = _packaged_profile(like)
    else:
        raise ModelError(
            f"{folder}: is not a run; name the folder that `landslide train` wrote, or "
            f"'{LANDSLIDE}' for the packaged model"
        )
    names = [[entry.name for entry in p.palette_classes] for p in (profile, like)]
    if (profile.model_inputs, names[0]) != (like.model_inputs, names[1]):
        raise ModelError(f"{folder}: was trained for other bands or classes than the profile has")
    return profile


def as_scored(rival: Profile, scorer: Profile) -> Profile:
    """Return the profile by which a run predicts scenes that another profile names and scores.

    What is read and how it is counted follows that profile, how it is predicted the run's own.

    Args:
        rival: the profile of the run.
        scorer: the other profile, which may be the same.
    """
    prepare, infer = scorer.prepare, scorer.infer
    delivered = {"min_area": infer.min_area, "fill_holes": infer.fill_holes}
    return rival.model_copy(
        update={
            "source": scorer.source,
            "classes": scorer.classes,
            "foreground": scorer.foreground,
            "prepare": rival.prepare.model_copy(update={"nearest_colour": prepare.nearest_colour}),
            "evaluate": scorer.evaluate,
            "infer": rival.infer.model_copy(update=delivered),
        }
    )


def _packaged_profile(like: Profile) -> Profile:
    """Return the profile of the packaged model, with its results beside the runs of another."""
    profile = load_profile(PACKAGED_PROFILE)
    profile = profile.model_copy(update={"run": like.run.with_name(LANDSLIDE)})
    if not uses_packaged(profile):
        raise ModelError(
            f"{profile.run}: is a run of your own where the packaged model would have its results; "
            "name that folder, or move it away to compare with the packaged model"
        )
    return profile
