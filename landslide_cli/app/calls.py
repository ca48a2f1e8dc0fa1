"""From the options of a command to the call of its stage, and from its result to the terminal."""

import inspect
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from typer import Exit, Typer

from landslide_cli.app import options
from landslide_cli.app.endings import EXPECTED, message_of, status_of
from landslide_cli.errors import LandslideError, UsageError
from landslide_cli.reporting import Reporter, Result

if TYPE_CHECKING:
    from landslide_cli.profile import Profile

# Narrower than this, the boxes around the options cut their names off.
_COLUMNS = shutil.get_terminal_size().columns
HAS_BOXES = _COLUMNS >= 60

app = Typer(
    name="landslide",
    context_settings={
        "help_option_names": ["-h", "--help"],
        "terminal_width": None if HAS_BOXES else max(20, _COLUMNS),
    },
    rich_markup_mode="rich" if HAS_BOXES else None,
    pretty_exceptions_enable=False,
)

Own = ParamSpec("Own")
Stage = Callable[Concatenate["Call", Own], Result]


@dataclass(frozen=True)
class Call:
    """What every stage receives from the command line; the profile is read when it is asked for."""

    command: str
    path: Path | None
    overrides: Sequence[str]
    limit: int | None
    reporter: Reporter
    scenes: Sequence[str] = ()

    @cached_property
    def profile(self) -> "Profile":
        """The profile, with what overrides it."""
        from landslide_cli.profile import load_profile

        if self.path is None:
            from landslide_cli.hints import of_missing_profile

            raise UsageError(of_missing_profile(self.command))
        try:
            return load_profile(self.path, self.overrides)
        except UsageError:
            from landslide_cli.hints import refuse_what_is_no_profile

            refuse_what_is_no_profile(self.path, self.command, self.scenes, self.overrides)
            raise

    def overridden(self, **settings: object) -> "Call":
        """Return the call with settings of `infer` that short options have given."""
        given = [f"infer.{key}={value}" for key, value in settings.items() if value is not None]
        return replace(self, overrides=[*self.overrides, *given])


def command(
    example: str, writes: str, doing: str, has_fold: bool = True
) -> Callable[[Stage[Own]], Stage[Own]]:
    """Register a function as a command, with its own options first and those of all after them.

    The help ends with an `example` and with what the command `writes`. `doing` is said on a
    terminal where nothing more exact is. `has_fold` adds `--fold`.
    """

    def register(stage: Stage[Own]) -> Stage[Own]:
        @wraps(stage)
        def run(**given: Any) -> None:
            _run(stage, doing, **given)

        own = list(inspect.signature(stage).parameters.values())[1:]
        profile, fold, *shared = list(inspect.signature(_run).parameters.values())[2:-1]
        folds = [fold] if has_fold else []
        # Typer reads the options from the signature.
        signature = inspect.Signature([profile, *own, *folds, *shared])
        run.__signature__ = signature  # type: ignore[attr-defined]
        app.command(epilog=f"{_bold('Example:')} {example}\n\n{_bold('Writes:')} {writes}")(run)
        return stage

    return register


def _bold(text: str) -> str:
    return f"[bold]{text}[/bold]" if HAS_BOXES else text


def _run(
    stage: Callable[..., Result],
    doing: str,
    profile: options.ProfilePath = None,
    fold: options.Fold = None,
    sets: options.Sets = None,
    limit: options.Limit = None,
    quiet: options.Quiet = False,
    json: options.Json = False,
    debug: options.Debug = False,
    **own: Any,
) -> None:
    """Run the stage and print its result; turn errors into an exit status."""
    from landslide_cli import console

    overrides = [*(sets or ()), *([f"fold={fold}"] if fold is not None else [])]
    name, reporter = stage.__name__.replace("_", "-"), console.reporter_for(quiet)
    call = Call(name, profile, overrides, limit, reporter, own.get("scenes") or ())
    try:
        with reporter.working(doing):
            result = stage(call, **own)
    except EXPECTED as error:
        if debug:
            console.show_traceback()
        message, status = message_of(error), status_of(error)
        if isinstance(error, LandslideError) and profile is not None:
            from landslide_cli.hints import with_profile

            message = with_profile(message, profile, overrides)
        console.show_error(message)
        if json:
            console.show_failure(message, status)
        raise Exit(status) from None
    except Exception as error:  # a mistake in the program, which ends with its traceback
        if json:
            console.show_failure(f"{type(error).__name__}: {error}", 1)
        raise
    console.show_result(result, json)
    if result.complaint:
        console.show_error(result.complaint)
    raise Exit(result.exit_status)
