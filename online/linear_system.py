"""Linear systems and sums with the same bits on every machine.

LAPACK and NumPy's sums add in an order that depends on the processor. Here every number is made by additions,
multiplications, divisions and square roots in one order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def solve(matrix: Array, vector: Array) -> Array:
    """x with matrix x = vector, for a symmetric positive definite *matrix* (k, k), by Cholesky's factors.

    A pivot that is not above 0 raises ValueError.
    """
    rest, x = matrix.copy(), vector.copy()
    k = len(x)
    for n in range(k):
        pivot = rest[n, n]
        if not pivot > 0:
            raise ValueError("the matrix is not positive definite")
        rest[n:, n] /= np.sqrt(pivot)
        column = rest[n + 1 :, n]
        rest[n + 1 :, n + 1 :] -= column[:, None] * column
    for n in range(k):
        x[n] /= rest[n, n]
        x[n + 1 :] -= x[n] * rest[n + 1 :, n]
    for n in reversed(range(k)):
        x[n] /= rest[n, n]
        x[:n] -= x[n] * rest[n, :n]
    return x


def total(values: Array) -> Any:
    """The sum of *values* along the first axis, one after the other; 0 without any."""
    if not len(values):
        return np.zeros(values.shape[1:])
    return np.cumsum(values, axis=0)[-1]


def sums_by(codes: Array, values: Array, size: int) -> Array:
    """The sum of *values* for each of the *codes* from 0 to *size*, one after the other: (size,)."""
    return np.bincount(codes, weights=values, minlength=size)
