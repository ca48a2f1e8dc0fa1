"""What the processor computes natively."""

import os
from pathlib import Path
from typing import Literal

Kind = Literal["bfloat16", "int8"]

# By any of these of Linux's names it multiplies numbers of that kind.
_FLAGS: dict[Kind, tuple[str, ...]] = {
    "bfloat16": ("avx512_bf16", "amx_bf16"),
    "int8": ("avx512_vnni", "avx_vnni", "amx_int8"),
}

# What oneDNN may be limited to, in words of which one at least stands for that kind.
_LIMIT = "ONEDNN_MAX_CPU_ISA"
_ALLOWING: dict[Kind, tuple[str, ...]] = {
    "bfloat16": ("ALL", "DEFAULT", "BF16", "FP16", "AMX", "AVX10"),
    "int8": ("ALL", "DEFAULT", "VNNI", "BF16", "FP16", "AMX", "AVX10"),
}


def computes(kind: Kind) -> bool:
    """Return whether the processor multiplies such numbers natively.

    Known on Linux on x86 alone; elsewhere the answer is no. oneDNN, which computes for TensorFlow
    and OpenVINO, may be limited to older processors by the variable ONEDNN_MAX_CPU_ISA.
    """
    if not is_allowed(kind):
        return False
    try:
        described = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return not set(_FLAGS[kind]).isdisjoint(described)


def is_allowed(kind: Kind) -> bool:
    """Return whether oneDNN may use such numbers, by its variable."""
    limit = os.environ.get(_LIMIT, "ALL").upper()
    return any(word in limit for word in _ALLOWING[kind])
