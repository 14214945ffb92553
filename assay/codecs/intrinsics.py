"""Unaligned 8-byte loads, stores, short copies, prefetches and wide products inside kernels: what array indexing cannot say.

Bytes are little-endian, as on every machine numba supports. With the JIT disabled each operation is plain Python.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from assay.codecs.kernel import kernel, part

#: What `survey` says of rows in a buffer.
OUTSIDE, INSIDE, SAME = range(3)


def _load64_python(array: Any, at: Any) -> Any:
    return array[at : at + 8].view(np.uint64)[0]


def _store64_python(array: Any, at: Any, word: Any) -> None:
    array[at : at + 8] = np.frombuffer(int(word).to_bytes(8, "little"), np.uint8)


def _move_python(into: Any, at: Any, data: Any, begin: Any, size: Any) -> None:
    into[at : at + size] = data[begin : begin + size]


def _multiply_high_python(one: Any, other: Any) -> Any:
    return np.uint64((int(one) * int(other)) >> 64)


def _leading_zeros_python(word: Any) -> int:
    return 64 - int(word).bit_length()


def _address(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [at])


def _load64_machine(_typing: Any, array: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _address(context, builder, signature.args[0], args[0], args[1])
        return builder.load(builder.bitcast(place, ir.IntType(64).as_pointer()), align=1)

    return types.uint64(array, types.int64), generate


def _store64_machine(_typing: Any, array: Any, at: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _address(context, builder, signature.args[0], args[0], args[1])
        builder.store(args[2], builder.bitcast(place, ir.IntType(64).as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.uint64), generate


def _move_machine(_typing: Any, into: Any, at: Any, data: Any, begin: Any, size: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target = _address(context, builder, signature.args[0], args[0], args[1])
        source = _address(context, builder, signature.args[2], args[2], args[3])
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(1)
        name = "llvm.memcpy.p0i8.p0i8.i64"
        kind = ir.FunctionType(ir.VoidType(), [byte, byte, ir.IntType(64), flag])
        copy = builder.module.declare_intrinsic(name, fnty=kind)
        builder.call(copy, [target, source, args[4], flag(0)])
        return context.get_dummy_value()

    return types.void(into, types.int64, data, types.int64, types.int64), generate


def _prefetch_machine(_typing: Any, array: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        fetch = builder.module.declare_intrinsic("llvm.prefetch.p0i8", fnty=kind)
        place = builder.bitcast(_address(context, builder, signature.args[0], args[0], args[1]), byte)
        # to write, keep in all caches, data
        builder.call(fetch, [place, number(1), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


def _prefetch_python(array: Any, at: Any) -> None:
    """Nothing to see without machine code."""


def _multiply_high_machine(_typing: Any, one: Any, other: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        return builder.trunc(builder.lshr(product, wide(64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), generate


def _leading_zeros_machine(_typing: Any, word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], ir.IntType(1)(0))

    return types.int64(types.uint64), generate


def _either(machine: Any, python: Any) -> Any:
    return python if numba.config.DISABLE_JIT else intrinsic(machine)  # type: ignore[attr-defined]  # set while numba is imported


load64: Any = _either(_load64_machine, _load64_python)
store64: Any = _either(_store64_machine, _store64_python)
prefetch: Any = _either(_prefetch_machine, _prefetch_python)
move: Any = _either(_move_machine, _move_python)
#: upper word of the product of two uint64, and the zero bits above the first one of a uint64 (64 for zero)
multiply_high: Any = _either(_multiply_high_machine, _multiply_high_python)
leading_zeros: Any = _either(_leading_zeros_machine, _leading_zeros_python)


def cells() -> tuple[Any, Any, Any, Any]:
    """Room to see the same bits as an integer and as a number: uint32 and float32, int64 and float64, one of each."""
    single, double = np.zeros(1, np.uint32), np.zeros(1, np.int64)
    return single, single.view(np.float32), double, double.view(np.float64)


@part
def copy(into: Any, at: int, data: Any, begin: int, size: int) -> None:
    """Copy bytes between two arrays. The caller has checked both ranges; nothing outside of them is touched."""
    if size > 32:
        move(into, at, data, begin, size)
    elif size > 16:
        a = load64(data, begin)
        b = load64(data, begin + 8)
        c = load64(data, begin + size - 16)
        d = load64(data, begin + size - 8)
        store64(into, at, a)
        store64(into, at + 8, b)
        store64(into, at + size - 16, c)
        store64(into, at + size - 8, d)
    elif size >= 8:
        a = load64(data, begin)
        b = load64(data, begin + size - 8)
        store64(into, at, a)
        store64(into, at + size - 8, b)
    else:
        for i in range(size):
            into[at + i] = data[begin + i]


@kernel
def gather(into: Any, places: Any, data: Any, starts: Any, lengths: Any) -> None:
    """Copy `lengths[i]` bytes at `starts[i]` to `places[i]`, for every i. The caller has checked all ranges."""
    for i in range(starts.shape[0]):
        copy(into, places[i], data, starts[i], lengths[i])


@kernel
def survey(starts: Any, lengths: Any, size: int) -> int:
    """OUTSIDE if a row leaves a buffer of `size` bytes, SAME if all rows are one and the same place, else INSIDE."""
    same = starts.shape[0] > 0
    for i in range(starts.shape[0]):
        if starts[i] < 0 or starts[i] > size or lengths[i] > size - starts[i]:
            return 0
        same = same and starts[i] == starts[0] and lengths[i] == lengths[0]
    return 2 if same else 1
