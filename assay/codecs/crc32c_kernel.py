"""CRC-32C (Castagnoli, reflected, as in RFC 3720 appendix B.4), which guards every Kafka record batch.

x86 machines have an instruction for eight bytes of it; elsewhere, and where kernels are compiled for any processor of the
architecture, eight tables of 256 words do the same. Both give the same number.
"""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic

from assay.codecs.columns import U8
from assay.codecs.intrinsics import load64
from assay.codecs.kernel import frozen, kernel, part

_POLYNOMIAL: Final = 0x82F63B78


def _tables() -> Any:
    """Table k gives what a byte contributes k bytes later."""
    first = np.arange(256, dtype=np.uint64)
    for _ in range(8):
        first = (first >> np.uint64(1)) ^ np.where(first & np.uint64(1), np.uint64(_POLYNOMIAL), np.uint64(0))
    tables = [first]
    for _ in range(7):
        tables.append((tables[-1] >> np.uint64(8)) ^ first[tables[-1] & np.uint64(255)])
    return np.stack(tables)


TABLES: Final = _tables()


def _has_instruction() -> bool:
    """Whether kernels are compiled for this very processor and it has the instruction."""
    config: Any = numba.config  # set while numba is imported
    if config.DISABLE_JIT or config.CPU_NAME or config.CPU_FEATURES is not None:
        return False
    return bool(binding.get_host_cpu_features().get("sse4.2", False))


@part
def _step_by_tables(crc: Any, word: Any) -> Any:
    word ^= crc
    found = np.uint64(0)
    for k in range(8):
        found ^= TABLES[7 - k, (word >> np.uint64(8 * k)) & np.uint64(255)]
    return found


def _step_machine(_typing: Any, crc: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide = ir.IntType(64)
        step = builder.module.declare_intrinsic("llvm.x86.sse42.crc32.64.64", fnty=ir.FunctionType(wide, [wide, wide]))
        return builder.call(step, [args[0], args[1]])

    return types.uint64(types.uint64, types.uint64), generate


_step: Any = intrinsic(_step_machine) if _has_instruction() else _step_by_tables


@kernel
def crc32c_of(data: Any, begin: int, end: int) -> Any:
    """The checksum of `data[begin:end]` inside kernels; the range lies inside of the array."""
    crc = np.uint64(0xFFFFFFFF)
    at = begin
    while at + 8 <= end:
        crc = _step(crc, load64(data, at))
        at += 8
    while at < end:
        crc = (crc >> np.uint64(8)) ^ TABLES[0, (crc ^ np.uint64(data[at])) & np.uint64(255)]
        at += 1
    return crc ^ np.uint64(0xFFFFFFFF)


def crc32c(data: U8, begin: int, end: int) -> int:
    """The checksum of `data[begin:end]`; the caller's range lies inside of the array."""
    return int(crc32c_of(frozen(data, np.uint8), begin, end))
