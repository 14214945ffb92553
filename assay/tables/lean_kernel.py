"""Kernels that allocate nothing, compiled without reference counting.

Every array a compiled function takes, passes on or aliases is otherwise counted up and down by two calls; in the window
kernel that was three quarters of the time. `_nrt` is an internal option of numba (versions are pinned); a kernel that does
allocate fails to compile, so a mistake cannot leak. With the JIT disabled all stay plain Python functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numba
import numpy as np
from numba import njit

F = TypeVar("F", bound=Callable[..., Any])
#: an integer inside a kernel: int64 in machine code, a Python int or a NumPy scalar without
Int: TypeAlias = Any
_PLAIN: bool = numba.config.DISABLE_JIT  # type: ignore[attr-defined]  # set while numba is imported
_LEAN: dict[str, Any] = {"_nrt": False}


def lean_kernel(function: F) -> F:
    """An entry point: compiled once, cached on disk, run without the GIL."""
    if _PLAIN:
        # unsigned arithmetic wraps in machine code; NumPy would warn about it
        return np.errstate(over="ignore")(function)
    return cast(F, njit(cache=True, nogil=True, **_LEAN)(function))


def lean(function: F) -> F:
    """A function called by a lean kernel."""
    return function if _PLAIN else cast(F, njit(**_LEAN)(function))


def inlined(function: F) -> F:
    """A small function pasted into a lean kernel where it is called."""
    return function if _PLAIN else cast(F, njit(inline="always", **_LEAN)(function))
