"""The one way a function becomes machine code: compiled on first use, cached on disk, run without the GIL.

Kernels allocate nothing and are compiled without reference counting: every array a compiled function takes, passes on or
aliases would otherwise be counted up and down by two calls, which took up to three quarters of a kernel's time and an
eighth of the whole worker's. `_nrt` is an internal option of numba (versions are pinned); a kernel that does allocate
fails to compile, so a mistake cannot leak. With the JIT disabled all stay plain Python functions, which is their reference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numba
import numpy as np
from numba import njit
from numpy.typing import NDArray

from assay.codecs.source_digest import source_digest

F = TypeVar("F", bound=Callable[..., Any])
#: an integer inside a kernel: int64 in machine code, a Python int or a NumPy scalar without
Int: TypeAlias = Any
_PLAIN: bool = numba.config.DISABLE_JIT  # type: ignore[attr-defined]  # set while numba is imported
#: "generic" for any processor of this architecture, empty for this one
_PROCESSOR: str = numba.config.CPU_NAME or ""  # type: ignore[attr-defined]
_LEAN: dict[str, Any] = {"_nrt": False}


def kernel(function: F) -> F:
    """An entry point over arrays, compiled once."""
    if _PLAIN:
        # unsigned arithmetic wraps in machine code; NumPy would warn about it
        return np.errstate(over="ignore")(function)
    dispatcher: Any = njit(cache=True, nogil=True, **_LEAN)(function)
    _place(dispatcher._cache._cache_file, source_digest(function.__module__))  # noqa: SLF001
    return cast(F, dispatcher)


def _place(file: Any, compiled_from: bytes) -> None:
    """Where machine code lies on disk, by internal names of numba too.

    Kernels of two processors have an index each. numba reads, changes and writes an index without a lock, so two processes that
    compile for two processors at once would lose entries, or take each other's code.
    """
    file._source_stamp = compiled_from  # noqa: SLF001
    if _PROCESSOR:
        at = file._index_path.removesuffix(".nbi")  # noqa: SLF001
        file._index_path = f"{at}.{_PROCESSOR}.nbi"  # noqa: SLF001
        file._data_name_pattern = file._data_name_pattern.replace(".{number", f".{_PROCESSOR}.{{number")  # noqa: SLF001


def is_compiled(function: Any) -> bool:
    """Whether machine code of a kernel's present source lies on disk, for the processor of this process."""
    return bool(_PLAIN) or bool(function._cache._cache_file._load_index())  # noqa: SLF001


def part(function: F) -> F:
    """A function called by kernels."""
    return function if _PLAIN else cast(F, njit(**_LEAN)(function))


def inlined(function: F) -> F:
    """A small function pasted into a kernel where it is called."""
    return function if _PLAIN else cast(F, njit(inline="always", **_LEAN)(function))


def frozen(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """A contiguous, read-only view (a copy only where dtype or layout differ), so each kernel compiles exactly once.

    An array that is all this already is given back.
    """
    flags, kind = array.flags, array.dtype
    if kind.type is dtype and not flags.writeable and flags.c_contiguous and kind.isnative:
        return array
    view = np.ascontiguousarray(array, dtype).view()
    view.flags.writeable = False
    return view
