"""What is remembered, and how a record changes it: pure folds over columns.

Kernels take the columns of a lane as they are: writable arrays in one piece. numba compiles a kernel again for read-only or strided ones.
A kernel that has no room for a batch says so before it changes anything; then the table grows and the kernel is called again.
"""
