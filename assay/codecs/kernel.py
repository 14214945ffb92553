"""The one way a function becomes machine code: compiled on first use, cached on disk, run without the GIL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba import njit
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile an array function. With the JIT disabled it stays the plain Python function, which is its reference."""
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]  # set while numba is imported
        # unsigned arithmetic wraps in machine code; NumPy would warn about it
        return np.errstate(over="ignore")(function)
    return cast(F, njit(cache=True, nogil=True)(function))


def frozen(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """A contiguous, read-only view (a copy only where dtype or layout differ), so each kernel compiles exactly once."""
    view = np.ascontiguousarray(array, dtype).view()
    view.flags.writeable = False
    return view
