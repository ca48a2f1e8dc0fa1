"""OpenVINO, imported where it is needed."""

import sys
from functools import cache
from typing import Any


def import_openvino() -> Any:
    """Import OpenVINO without the report of its use that it would send over the network."""
    # Taken for not installed, its telemetry package is replaced by a stub.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


@cache
def openvino_core() -> Any:
    """Return OpenVINO's core, one for the whole process.

    Its CPU plugin gives a stack for signal handlers to the thread that compiles first. Unloaded by
    another thread, it would take that stack away, and the next Ctrl-C would be a segmentation
    fault.
    """
    return import_openvino().Core()
