"""The command line: six commands that translate their options into one call each.

TensorFlow, OpenCV and rasterio are imported only once a command runs, and its profile has been
read, so that help, completion and an error in the profile appear at once.
"""

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

from typer import Context, Exit, Option, echo

from landslide_cli.app import options
from landslide_cli.app.calls import Call, app, command
from landslide_cli.app.endings import Terminated, end_by_signals, status_of
from landslide_cli.app.streams import forget_unwritten, open_closed_streams
from landslide_cli.errors import UsageError
from landslide_cli.reporting import Result
from landslide_cli.version import __version__

__all__ = ["app", "main"]


@command(
    example="landslide prepare configs/sichuan.yaml --set source.images='data/Landslide*.tif'",
    writes="<dataset>/tiles with images, masks, manifest.csv and prepare.json",
    doing="preparing",
    has_fold=False,
)
def prepare(call: Call, overwrite: options.Overwrite = False, init: options.Init = None) -> Result:
    """Check scenes and labels, and cut them into tiles; or begin a profile."""
    if init is not None:
        from landslide_cli.stages.prepare.beginning import write_first_profile

        return write_first_profile(call.path, *init, overwrite, call.reporter)
    profile = call.profile
    from landslide_cli.stages.prepare import prepare

    return prepare(profile, limit=call.limit, overwrite=overwrite, reporter=call.reporter)


@command(
    example="landslide split configs/sichuan.yaml --set split.seed=7",
    writes="<dataset>/{train,valid,test}/{images,masks}, or the same in fold-K, and split.json",
    doing="splitting",
)
def split(call: Call, audit: options.Audit = False, overwrite: options.Overwrite = False) -> Result:
    """Split scenes into training, validation and test sets, or folds, without leakage."""
    profile = call.profile
    if audit:
        from landslide_cli.stages.split.audit import audit as check

        return check(profile, limit=call.limit, reporter=call.reporter)
    from landslide_cli.stages.split import split

    return split(profile, limit=call.limit, overwrite=overwrite, reporter=call.reporter)


@command(
    example="landslide train configs/sichuan-small.yaml --set train.epochs=3",
    writes="<run> with model.keras, metrics.csv, curves.png, profile.yaml, run.json and previews",
    doing="training",
)
def train(call: Call, overwrite: options.Overwrite = False) -> Result:
    """Train on the training set; keep the epoch with the best validation score."""
    profile = call.profile
    from landslide_cli.stages.train import train

    return train(profile, limit=call.limit, overwrite=overwrite, reporter=call.reporter)


@command(
    example="landslide evaluate configs/sichuan.yaml --json | jq .landslide.dice",
    writes="<run>/evaluation.json, evaluation.csv, per_scene.csv and their plots; or "
    "<run>.inventory/inventory.json and inventory.csv",
    doing="evaluating",
)
def evaluate(
    call: Call,
    on: options.On = None,
    folds: options.Folds = False,
    against: options.Against = None,
    inventory: options.Inventory = None,
) -> Result:
    """Score the model on whole scenes: Dice, IoU and more, with confidence intervals."""
    if inventory is not None:
        if folds or against is not None:
            raise UsageError("--inventory takes no model, and so neither --folds nor --against")
        from landslide_cli.stages.evaluate.inventory import compare_inventories

        return compare_inventories(
            call.profile, inventory, part=on, limit=call.limit, reporter=call.reporter
        )
    profile = call.profile
    from landslide_cli.stages.evaluate import evaluate

    return evaluate(
        profile,
        part=on,
        folds=folds,
        against=against,
        limit=call.limit,
        reporter=call.reporter,
    )


@command(
    example="landslide infer-tiled configs/sichuan.yaml orthophotos/*.tif --output maps",
    writes="<run>/infer with SCENE_mask.tif, SCENE_landslides.gpkg and SCENE_overlay.jpg for each "
    "scene, inventory.gpkg, landslides.csv and infer.json",
    doing="mapping",
)
def infer_tiled(
    call: Call,
    scenes: options.Scenes = None,
    gsd: options.Gsd = None,
    threshold: options.Threshold = None,
    tta: options.Tta = None,
    output: options.Output = None,
    probability: options.Probability = False,
    overwrite: options.Overwrite = False,
    scheduler: options.Scheduler = None,
) -> Result:
    """Map landslides in scenes of any size, in overlapping windows that are blended."""
    profile = call.overridden(gsd=gsd, threshold=threshold, tta=tta).profile
    from landslide_cli.stages.infer import infer_tiled

    return infer_tiled(
        profile,
        scenes or (),
        output=output,
        probability=probability,
        scheduler=scheduler,
        limit=call.limit,
        overwrite=overwrite,
        reporter=call.reporter,
    )


@command(
    example="landslide show configs/sichuan.yaml --model",
    writes="<run>/show with scenes.png, maps.png, tiles-PART.png, classes.png, foreground.png and "
    "curves.png; or network.png; or augmentations.png; or model.onnx; or model.tflite",
    doing="drawing",
)
def show(
    call: Call,
    model: options.Model = False,
    augmentations: options.Augmentations = False,
    export: options.Export = None,
    output: options.Output = None,
) -> Result:
    """Draw scenes, maps, tiles, predictions, statistics and training curves."""
    if sum((model, augmentations, export is not None)) > 1:
        raise UsageError("--model, --augmentations and --export exclude each other; choose one")
    profile = call.profile
    from landslide_cli.stages.show import show

    return show(
        profile,
        model=model,
        augmentations=augmentations,
        export=export,
        output=output,
        limit=call.limit,
        reporter=call.reporter,
    )


def _show_version(is_set: bool) -> None:
    if is_set:
        echo(f"landslide {__version__}")
        raise Exit


@app.callback(invoke_without_command=True)
def landslide(
    context: Context,
    version: Annotated[
        bool, Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Map landslides from aerial imagery, in six steps that read one YAML profile."""
    if context.invoked_subcommand is None:
        echo(context.get_help())


def _run_app(arguments: Sequence[str] | None) -> int:
    """Run what the arguments ask for, and see to it that stdout has been written."""
    try:
        status: object = app(
            list(arguments) if arguments is not None else None,
            prog_name="landslide",
            standalone_mode=False,
        )
    except SystemExit as end:  # completion, and Rich where a pipe is closed
        status = end.code
    sys.stdout.flush()
    return status if isinstance(status, int) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    open_closed_streams()
    end_by_signals()
    try:
        return _run_app(arguments)
    except BrokenPipeError:
        return 1  # the reader of the output has closed it, as in `landslide show p | head -1`
    except (KeyboardInterrupt, Terminated) as error:
        return status_of(error)
    except Exception as error:
        from landslide_cli import console

        if isinstance(error, OSError):
            # No command runs, so that all there is to write to is stdout.
            console.show_error(f"{error.filename or 'stdout'}: {error.strerror or error}")
            return 1
        # Typer's usage errors bring their text and status, whether from Typer's Click or another.
        if not hasattr(error, "format_message"):
            raise
        message = f"{error.format_message()} (see: landslide --help)"
        status = int(getattr(error, "exit_code", 2))
        console.show_error(message)
        if "--json" in (sys.argv[1:] if arguments is None else arguments):
            with suppress(OSError):
                console.show_failure(message, status)
        return status
    finally:
        forget_unwritten()
