"""Importing a function by its path: architectures from outside this package."""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from landslide_cli.errors import ModelError, first_line


def import_architecture(path: str) -> Callable[..., Any]:
    """Import a function by its path, `my_package.module:function`.

    Importing a module runs it. What can be imported is what Python finds on its path, to which
    nothing is added: neither the folder of the profile nor, for the installed command, the folder
    that it is run in.

    Raises:
        ModelError: there is no such module or function, or the module fails.
    """
    module_name, _, name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise ModelError(f"{named(path)}: {module_name} needs {error.name}") from error
        raise ModelError(
            f"{named(path)}: there is no module {error.name}; install its package, or name its "
            "folder in PYTHONPATH"
        ) from None
    except Exception as error:  # whatever that module raises
        raise ModelError(f"{named(path)}: cannot be imported: {first_line(error)}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ModelError(f"{named(path)}: {module_name} has no function {name}")
    return function  # type: ignore[no-any-return]


def source_file(path: str) -> Path | None:
    """Return the file of an architecture's module; None if it has none, or is not found."""
    module = path.partition(":")[0]
    try:
        spec = importlib.util.find_spec(module)
    except Exception:  # whatever the packages raise that it lies in
        return None
    if spec is None or not spec.has_location or spec.origin is None:
        return None
    return Path(spec.origin)


def named(path: str) -> str:
    """Name the key and the function, to begin a message with."""
    return f"model.architecture: {path}"
