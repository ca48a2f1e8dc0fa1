"""The command line: six thin commands, nothing but arguments, a call and a print.

Nothing heavy is imported before a command has been chosen, so that help, completion and a wrong
profile answer at once.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

import landslide_cli
from landslide_cli.errors import LandslideError

if TYPE_CHECKING:
    from landslide_cli.profile import Profile
    from landslide_cli.reporting import Reporter, Result

app = typer.Typer(
    name="landslide",
    help="Map landslides from aerial imagery, in six steps that read one YAML profile.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


# One vocabulary of options, spelt and documented alike in all subcommands.
ProfilePath = Annotated[Path, typer.Argument(metavar="PROFILE", help="The YAML profile.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, such as train.epochs=3."),
]
Limit = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Take only the first N scenes or tiles (smoke runs)."),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Make the results again, replacing those there are.")
]
Output = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder of the results, instead of the profile's."),
]
Fold = Annotated[
    int | None,
    typer.Option(min=1, metavar="K", help="Work on this fold of split.folds; sets fold=K."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, notes or warnings.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def _epilog(example: str, outputs: str) -> str:
    return f"[bold]Example:[/bold] {example}\n\n[bold]Writes:[/bold] {outputs}"


@app.command(
    epilog=_epilog(
        "landslide prepare configs/sichuan.yaml --set source.images='data/Landslide*.tif'",
        "<dataset>/tiles with images, masks, manifest.csv and prepare.json",
    )
)
def prepare(
    profile: ProfilePath,
    sets: Sets = None,
    limit: Limit = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Cut raw scenes and masks into tiles."""

    def stage(profile: "Profile", reporter: "Reporter") -> "Result":
        from landslide_cli.stages.prepare import prepare

        return prepare(profile, limit=limit, overwrite=overwrite, reporter=reporter)

    _run(stage, profile, sets, quiet, json, debug)


@app.command(
    epilog=_epilog(
        "landslide split configs/sichuan.yaml --set split.seed=7",
        "<dataset>/{train,valid,test}/{images,masks}, or the same in fold-K, and split.json",
    )
)
def split(
    profile: ProfilePath,
    audit: Annotated[
        bool,
        typer.Option(
            "--audit",
            help="Examine the parts that are there instead: which valid and test items show ground "
            "of train? Changes nothing; the exit status is 1 if any does.",
        ),
    ] = False,
    fold: Fold = None,
    sets: Sets = None,
    limit: Limit = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Divide scenes into train, valid and test, or folds, so that nothing leaks."""

    def stage(profile: "Profile", reporter: "Reporter") -> "Result":
        if audit:
            from landslide_cli.stages.split.audit import audit as examine

            return examine(profile, limit=limit, reporter=reporter)
        from landslide_cli.stages.split import split

        return split(profile, limit=limit, overwrite=overwrite, reporter=reporter)

    _run(stage, profile, _with_fold(sets, fold), quiet, json, debug)


@app.command(
    epilog=_epilog(
        "landslide train configs/sichuan-small.yaml --set train.epochs=3",
        "<run> with model.keras, metrics.csv, curves.png, profile.yaml, run.json and previews",
    )
)
def train(
    profile: ProfilePath,
    fold: Fold = None,
    sets: Sets = None,
    limit: Limit = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Train a model on train, and keep the best epoch on valid."""

    def stage(profile: "Profile", reporter: "Reporter") -> "Result":
        from landslide_cli.stages.train import train

        return train(profile, limit=limit, overwrite=overwrite, reporter=reporter)

    _run(stage, profile, _with_fold(sets, fold), quiet, json, debug)


@app.command(
    epilog=_epilog(
        "landslide evaluate configs/sichuan.yaml --json | jq .landslide.dice",
        "<run>/evaluation.json, evaluation.csv, per_scene.csv and their plots",
    )
)
def evaluate(
    profile: ProfilePath,
    on: Annotated[
        Literal["train", "valid", "test"] | None, typer.Option("--on", help="Score this part.")
    ] = None,
    folds: Annotated[
        bool, typer.Option("--folds", help="Pool the parts of all folds, each by its own model.")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Compare with another run on the same scenes."),
    ] = None,
    fold: Fold = None,
    sets: Sets = None,
    limit: Limit = None,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Score the model on whole scenes: Dice, IoU and more, with intervals."""

    def stage(profile: "Profile", reporter: "Reporter") -> "Result":
        from landslide_cli.stages.evaluate import evaluate

        return evaluate(
            profile, part=on, folds=folds, against=against, limit=limit, reporter=reporter
        )

    _run(stage, profile, _with_fold(sets, fold), quiet, json, debug)


@app.command(
    "infer-tiled",
    epilog=_epilog(
        "landslide infer-tiled configs/sichuan.yaml orthophotos/*.tif --output maps",
        "<run>/infer with SCENE_mask.tif, SCENE_landslides.gpkg and SCENE_overlay.jpg for each "
        "scene, landslides.csv and infer.json",
    ),
)
def infer_tiled(
    profile: ProfilePath,
    scenes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SCENES]...", help="Files, folders or globs. Default: the test scenes."
        ),
    ] = None,
    output: Output = None,
    probability: Annotated[
        bool, typer.Option("--probability", help="Write the landslides' probability too.")
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Spread the work over a Dask cluster: tcp://HOST:PORT, or local:N for N processes "
            "on this machine.",
        ),
    ] = None,
    fold: Fold = None,
    sets: Sets = None,
    limit: Limit = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Map landslides in whole scenes of any size, tiled and blended."""

    def stage(profile: "Profile", reporter: "Reporter") -> "Result":
        from landslide_cli.stages.infer import infer_tiled

        return infer_tiled(
            profile,
            scenes or (),
            output=output,
            probability=probability,
            scheduler=scheduler,
            limit=limit,
            overwrite=overwrite,
            reporter=reporter,
        )

    _run(stage, profile, _with_fold(sets, fold), quiet, json, debug)


@app.command(
    epilog=_epilog(
        "landslide show configs/sichuan.yaml --model",
        "<run>/show with scenes.png, tiles-PART.png, classes.png, foreground.png and curves.png; "
        "or augmentations.png",
    )
)
def show(
    profile: ProfilePath,
    model: Annotated[
        bool, typer.Option("--model", help="List the network's layers instead of pictures.")
    ] = False,
    augmentations: Annotated[
        bool,
        typer.Option("--augmentations", help="Picture what training will see, as augmented."),
    ] = False,
    output: Output = None,
    fold: Fold = None,
    sets: Sets = None,
    limit: Limit = None,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Picture scenes, tiles, predictions, statistics and curves."""
    if model and augmentations:
        raise typer.BadParameter("--model and --augmentations do not go together; take one")

    def stage(profile: "Profile", reporter: "Reporter") -> "Result":
        from landslide_cli.stages.show import show

        return show(
            profile,
            model=model,
            augmentations=augmentations,
            output=output,
            limit=limit,
            reporter=reporter,
        )

    _run(stage, profile, _with_fold(sets, fold), quiet, json, debug)


def _with_fold(sets: list[str] | None, fold: int | None) -> list[str]:
    return [*(sets or ()), *([f"fold={fold}"] if fold is not None else [])]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"landslide {landslide_cli.__version__}")
        raise typer.Exit


@app.callback()
def landslide(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Map landslides from aerial imagery, in six steps that read one YAML profile."""


def _run(
    stage: "Callable[[Profile, Reporter], Result]",
    path: Path,
    sets: Sequence[str] | None,
    quiet: bool,
    as_json: bool,
    debug: bool,
) -> None:
    """Load the profile, call the stage, print its result; errors become a message and a status."""
    from landslide_cli import console

    try:
        from landslide_cli.profile import load_profile

        result = stage(load_profile(path, sets or ()), console.reporter_for(quiet))
        console.show_result(result, as_json)
    except (LandslideError, OSError, MemoryError) as error:
        if debug:
            console.show_traceback()
        console.show_error(_message(error))
        raise typer.Exit(getattr(error, "exit_status", 1)) from None
    except (KeyboardInterrupt, Terminated) as stopped:
        if debug:
            console.show_traceback()
        console.show_error("terminated" if isinstance(stopped, Terminated) else "interrupted")
        raise typer.Exit(_status(stopped)) from None
    # An audit that finds leaks is done, and has not passed; of a folder of scenes some may fail.
    status = getattr(result, "exit_status", 0)
    complaint = getattr(result, "complaint", None)
    if complaint:
        console.show_error(complaint)
    if status:
        raise typer.Exit(status)


def _message(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, MemoryError):
        return "out of memory; take smaller tiles or batches, or fewer workers"
    return str(error)


class Terminated(BaseException):
    """The program was sent SIGTERM."""


def _terminated(signal_number: int, frame: object) -> NoReturn:
    raise Terminated


def _status(stopped: BaseException) -> int:
    return 128 + (signal.SIGTERM if isinstance(stopped, Terminated) else signal.SIGINT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    # SIGTERM ends like an error, so that half-written results are cleared away.
    signal.signal(signal.SIGTERM, _terminated)
    try:
        status: Any = app(
            list(arguments) if arguments is not None else None,
            prog_name="landslide",
            standalone_mode=False,
        )
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except (KeyboardInterrupt, Terminated) as stopped:
        return _status(stopped)
    except BrokenPipeError:
        # The reader of the result has gone, as in `landslide show p | head -1`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        # Typer's usage errors know their text and status, whichever Click they come from.
        if not hasattr(error, "format_message"):
            raise
        from landslide_cli import console

        console.show_error(f"{error.format_message()} (see: landslide --help)")
        return int(getattr(error, "exit_code", 2))
