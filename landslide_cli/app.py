"""The command line: six commands that translate their options into one call each.

TensorFlow, OpenCV and rasterio are imported only once a command runs, so that help, completion and
an error in the profile appear at once.
"""

import inspect
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, NoReturn, ParamSpec

from typer import Argument, Exit, Option, Typer, echo

import landslide_cli
from landslide_cli.core.parts import Part
from landslide_cli.errors import LandslideError, UsageError, printable
from landslide_cli.reporting import Reporter, Result

if TYPE_CHECKING:
    from landslide_cli.profile import Profile

app = Typer(
    name="landslide",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

# Options of several commands; those of all commands are the parameters of `_run`.
Overwrite = Annotated[bool, Option("--overwrite", help="Recompute and replace existing results.")]
Output = Annotated[Path | None, Option(metavar="DIR", help="Output folder.")]

Own = ParamSpec("Own")
Stage = Callable[Concatenate["Call", Own], Result]


@dataclass(frozen=True)
class Call:
    """What every stage receives from the command line; the profile is read when it is asked for."""

    path: Path | None
    overrides: Sequence[str]
    limit: int | None
    reporter: Reporter

    @cached_property
    def profile(self) -> "Profile":
        """The profile, with what overrides it."""
        from landslide_cli.profile import load_profile

        if self.path is None:
            raise UsageError("Missing argument 'PROFILE'. (see: landslide --help)")
        return load_profile(self.path, self.overrides)


def command(
    example: str, writes: str, has_fold: bool = True, makes_profile: bool = False
) -> Callable[[Stage[Own]], Stage[Own]]:
    """Register a function as a command, with its own options first and those of `_run` after them.

    The help ends with an `example` and with what the command `writes`. `has_fold` adds `--fold`;
    a command that `makes_profile` can do without one.
    """

    def register(stage: Stage[Own]) -> Stage[Own]:
        @wraps(stage)
        def run(**options: Any) -> None:
            _run(stage, **options)

        own = list(inspect.signature(stage).parameters.values())[1:]
        profile, fold, *shared = list(inspect.signature(_run).parameters.values())[1:-1]
        folds = [fold] if has_fold else []
        if makes_profile:
            profile = profile.replace(default=None)
        # Typer reads the options from the signature.
        signature = inspect.Signature([profile, *own, *folds, *shared])
        run.__signature__ = signature  # type: ignore[attr-defined]
        app.command(epilog=f"[bold]Example:[/bold] {example}\n\n[bold]Writes:[/bold] {writes}")(run)
        return stage

    return register


def _run(
    stage: Callable[..., Result],
    profile: Annotated[Path | None, Argument(metavar="PROFILE", help="The YAML profile.")],
    fold: Annotated[
        int | None, Option(min=1, metavar="K", help="Fold to use; sets fold=K.")
    ] = None,
    sets: Annotated[
        list[str] | None,
        Option("--set", metavar="KEY=VALUE", help="Override a key, such as train.epochs=3."),
    ] = None,
    limit: Annotated[
        int | None,
        Option(min=1, metavar="N", help="Use only the first N scenes or tiles (smoke runs)."),
    ] = None,
    quiet: Annotated[bool, Option("--quiet", "-q", help="No progress, notes or warnings.")] = False,
    json: Annotated[bool, Option("--json", help="Print the result as JSON.")] = False,
    debug: Annotated[bool, Option("--debug", help="Show the traceback of an error.")] = False,
    **own: Any,
) -> None:
    """Run the stage and print its result; turn errors into an exit status."""
    from landslide_cli import console

    overrides = [*(sets or ()), *([f"fold={fold}"] if fold is not None else [])]
    try:
        call = Call(profile, overrides, limit, console.reporter_for(quiet))
        result = stage(call, **own)
    except _EXPECTED as error:
        if debug:
            console.show_traceback()
        console.show_error(_message(error))
        raise Exit(_status(error)) from None
    console.show_result(result, json)
    if result.complaint:
        console.show_error(result.complaint)
    raise Exit(result.exit_status)


@command(
    example="landslide prepare configs/sichuan.yaml --set source.images='data/Landslide*.tif'",
    writes="<dataset>/tiles with images, masks, manifest.csv and prepare.json",
    has_fold=False,
    makes_profile=True,
)
def prepare(
    call: Call,
    overwrite: Overwrite = False,
    init: Annotated[
        tuple[str, str] | None,
        Option(
            metavar="IMAGES LABELS",
            help="Write a first PROFILE instead, after a look at images and their masks or "
            "polygons: files, folders or globs in quotes.",
        ),
    ] = None,
) -> Result:
    """Check scenes and labels, and cut them into tiles; or begin a profile."""
    if init is not None:
        from landslide_cli.stages.prepare.beginning import write_first_profile

        return write_first_profile(call.path, *init, overwrite, call.reporter)
    from landslide_cli.stages.prepare import prepare

    return prepare(call.profile, limit=call.limit, overwrite=overwrite, reporter=call.reporter)


@command(
    example="landslide split configs/sichuan.yaml --set split.seed=7",
    writes="<dataset>/{train,valid,test}/{images,masks}, or the same in fold-K, and split.json",
)
def split(
    call: Call,
    audit: Annotated[
        bool,
        Option(
            "--audit",
            help="Check an existing split for leakage instead (read-only; exit status 1 if any).",
        ),
    ] = False,
    overwrite: Overwrite = False,
) -> Result:
    """Split scenes into training, validation and test sets, or folds, without leakage."""
    if audit:
        from landslide_cli.stages.split.audit import audit as check

        return check(call.profile, limit=call.limit, reporter=call.reporter)
    from landslide_cli.stages.split import split

    return split(call.profile, limit=call.limit, overwrite=overwrite, reporter=call.reporter)


@command(
    example="landslide train configs/sichuan-small.yaml --set train.epochs=3",
    writes="<run> with model.keras, metrics.csv, curves.png, profile.yaml, run.json and previews",
)
def train(call: Call, overwrite: Overwrite = False) -> Result:
    """Train on the training set; keep the epoch with the best validation score."""
    from landslide_cli.stages.train import train

    return train(call.profile, limit=call.limit, overwrite=overwrite, reporter=call.reporter)


@command(
    example="landslide evaluate configs/sichuan.yaml --json | jq .landslide.dice",
    writes="<run>/evaluation.json, evaluation.csv, per_scene.csv and their plots",
)
def evaluate(
    call: Call,
    on: Annotated[Part | None, Option("--on", help="Part to score.")] = None,
    folds: Annotated[bool, Option("--folds", help="Pool all folds, one model each.")] = False,
    against: Annotated[
        Path | None, Option(metavar="RUN", help="Compare with another run on the same scenes.")
    ] = None,
) -> Result:
    """Score the model on whole scenes: Dice, IoU and more, with confidence intervals."""
    from landslide_cli.stages.evaluate import evaluate

    return evaluate(
        call.profile,
        part=on,
        folds=folds,
        against=against,
        limit=call.limit,
        reporter=call.reporter,
    )


@command(
    example="landslide infer-tiled configs/sichuan.yaml orthophotos/*.tif --output maps",
    writes="<run>/infer with SCENE_mask.tif, SCENE_landslides.gpkg and SCENE_overlay.jpg for each "
    "scene, landslides.csv and infer.json",
)
def infer_tiled(
    call: Call,
    scenes: Annotated[
        list[str] | None,
        Argument(metavar="[SCENES]...", help="Files, folders or globs. Default: the test scenes."),
    ] = None,
    output: Output = None,
    probability: Annotated[bool, Option("--probability", help="Also write probabilities.")] = False,
    scheduler: Annotated[
        str | None,
        Option(
            metavar="ADDRESS",
            help="Distribute the work over a Dask cluster: tcp://HOST:PORT, or local:N for N "
            "processes on this machine.",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> Result:
    """Map landslides in scenes of any size, in overlapping windows that are blended."""
    from landslide_cli.stages.infer import infer_tiled

    return infer_tiled(
        call.profile,
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
    writes="<run>/show with scenes.png, tiles-PART.png, classes.png, foreground.png and "
    "curves.png; or augmentations.png",
)
def show(
    call: Call,
    model: Annotated[bool, Option("--model", help="List the network's layers instead.")] = False,
    augmentations: Annotated[
        bool, Option("--augmentations", help="Draw augmented training examples instead.")
    ] = False,
    output: Output = None,
) -> Result:
    """Draw scenes, tiles, predictions, statistics and training curves."""
    if model and augmentations:
        raise UsageError("--model and --augmentations exclude each other; choose one")
    from landslide_cli.stages.show import show

    return show(
        call.profile,
        model=model,
        augmentations=augmentations,
        output=output,
        limit=call.limit,
        reporter=call.reporter,
    )


def _show_version(is_set: bool) -> None:
    if is_set:
        echo(f"landslide {landslide_cli.__version__}")
        raise Exit


@app.callback()
def landslide(
    version: Annotated[
        bool, Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Map landslides from aerial imagery, in six steps that read one YAML profile."""


class Terminated(BaseException):
    """The program received SIGTERM, or SIGHUP as its terminal was closed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


# What ends a command in a line.
_EXPECTED = (
    *(LandslideError, OSError, MemoryError, UnicodeEncodeError),
    *(KeyboardInterrupt, Terminated),
)


def _terminate(number: int, frame: object) -> NoReturn:
    raise Terminated(number)


def _end_by_signals() -> None:
    """Have signals end the program like an error, so that partial results are removed."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # What is ignored stays ignored, as with nohup.
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _terminate)


def _message(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, Terminated):
        return "terminated"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, UnicodeEncodeError):
        return f"{printable(error.object)[:200]}: is not UTF-8; rename it"
    if isinstance(error, MemoryError):
        return "out of memory; use smaller tiles or batches, or fewer workers"
    return str(error)


def _status(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT
    if isinstance(error, Terminated):
        return 128 + error.number
    return error.exit_status if isinstance(error, LandslideError) else 1


def _open_closed_streams() -> None:
    """Open what the caller has closed of stdin, stdout and stderr, as services do, on nothing.

    Otherwise there is nothing to write to, and the next file that is opened takes the place: what
    libraries write to stderr would go into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free, which is this one: those below are open by now.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        mode = "r" if number == 0 else "w"
        setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def _run_app(arguments: Sequence[str] | None) -> int:
    """Run what the arguments ask for, and see to it that stdout has been written."""
    try:
        status: Any = app(
            list(arguments) if arguments is not None else None,
            prog_name="landslide",
            standalone_mode=False,
        )
    except SystemExit as end:  # completion, and Rich where a pipe is closed
        status = end.code
    sys.stdout.flush()
    return status if isinstance(status, int) else 0


def _forget_unwritten() -> None:
    """Let go of what stdout and stderr did not take: Python would try again at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    _open_closed_streams()
    _end_by_signals()
    try:
        return _run_app(arguments)
    except BrokenPipeError:
        return 1  # the reader of the output has closed it, as in `landslide show p | head -1`
    except (KeyboardInterrupt, Terminated) as error:
        return _status(error)
    except Exception as error:
        from landslide_cli import console

        if isinstance(error, OSError):
            # No command runs, so that all there is to write to is stdout.
            console.show_error(f"{error.filename or 'stdout'}: {error.strerror or error}")
            return 1
        # Typer's usage errors bring their text and status, whether from Typer's Click or another.
        if not hasattr(error, "format_message"):
            raise
        if message := error.format_message():  # none beside the help that no arguments ask for
            console.show_error(f"{message} (see: landslide --help)")
        return int(getattr(error, "exit_code", 2))
    finally:
        _forget_unwritten()
