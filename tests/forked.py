"""Processes that have TensorFlow loaded when they begin, as it takes seconds to load.

They are copies of a process that has loaded it and done nothing else.
"""

import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
# Not the modules that list devices, which starts threads that a copy does not have.
_CONTEXT.set_forkserver_preload(["sqlite3", "pyogrio", "keras", "tensorflow", "landslide_cli.app"])


class Forked:
    """A function that runs in a process of its own.

    Args:
        function: of a module; what it returns is the exit status.
        arguments: of the function.
        errors: file that the process writes stderr to.
        environment: variables that are set in the process.
        devices: for how many devices TensorFlow takes the processor.
    """

    def __init__(
        self,
        function: Callable[..., int | None],
        *arguments: Any,
        errors: Path,
        environment: Mapping[str, str] | None = None,
        devices: int = 1,
    ) -> None:
        self._errors = errors
        errors.write_bytes(b"")
        name = (function.__module__, function.__name__)
        task = (name, arguments, errors, dict(environment or {}), devices)
        self._process = _CONTEXT.Process(target=_run, args=task)
        self._process.start()

    def poll(self) -> int | None:
        """Return the exit status, or None as long as the process runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal to the process."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def end(self, seconds: float = 120.0) -> tuple[int, str]:
        """Wait for the end of the process; return its exit status, and what it wrote to stderr."""
        self._process.join(seconds)
        status = self._process.exitcode
        if status is None:
            self._process.kill()
            raise TimeoutError(self._errors.read_text(encoding="utf-8"))
        return status, self._errors.read_text(encoding="utf-8")


def _run(
    name: tuple[str, str],
    arguments: tuple[Any, ...],
    errors: Path,
    environment: dict[str, str],
    devices: int,
) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(environment)
    with errors.open("wb") as file, Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(file.fileno(), 2)
    if devices > 1:
        _take_processor_for(devices)
    # Only now, as the program's own modules list the devices.
    module, function = name
    sys.exit(getattr(importlib.import_module(module), function)(*arguments))


def _take_processor_for(devices: int) -> None:
    import tensorflow as tf

    cpu, *_ = tf.config.list_physical_devices("CPU")
    several = [tf.config.LogicalDeviceConfiguration()] * devices
    tf.config.set_logical_device_configuration(cpu, several)
