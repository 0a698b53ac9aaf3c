"""Logarithm and exponential with the same bits on every machine, of one number and of arrays.

The functions of the C library and of NumPy differ in the last bit from processor to processor. These use addition,
multiplication and division alone, which IEEE 754 defines to the bit, in one order. Their relative error is below 1e-15.
Reduction of the argument and series: W. J. Cody and W. Waite, "Software Manual for the Elementary Functions" (1980).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

#: The logarithm of 2 in two parts; the first has so few digits that its products with exponents are exact.
_HIGH, _LOW, _INVERSE = 0.693145751953125, 1.42860682030941723212e-6, 1.4426950408889634
_HALF_ROOT = 0.7071067811865476
#: Arguments of the exponential are limited to this, where results are neither 0 nor infinite.
_WIDEST = 700.0
#: Coefficients of the two series: 1 / n! and 1 / n.
_E3, _E4, _E5, _E6, _E7, _E8 = (1.0 / math.factorial(n) for n in range(3, 9))
_E9, _E10, _E11, _E12, _E13 = (1.0 / math.factorial(n) for n in range(9, 14))
_L3, _L5, _L7, _L9, _L11, _L13, _L15, _L17, _L19, _L21 = (1.0 / n for n in range(3, 22, 2))


def exp(x: float) -> float:
    """e to the power *x*, which is limited to ±700."""
    x = _WIDEST if x > _WIDEST else max(x, -_WIDEST)
    k = round(x * _INVERSE)
    found: float = _exp_series((x - k * _HIGH) - k * _LOW)
    return math.ldexp(found, k)


def log(x: float) -> float:
    """The natural logarithm of *x*, a number above 0."""
    m, k = math.frexp(x)
    if m < _HALF_ROOT:
        m, k = m + m, k - 1
    found: float = _log_series((m - 1.0) / (m + 1.0), k)
    return found


def exps(x: Array) -> Array:
    """As `exp`, of each element, to the bit."""
    x = np.clip(x, -_WIDEST, _WIDEST)
    k = np.rint(x * _INVERSE)
    return np.asarray(np.ldexp(_exp_series((x - k * _HIGH) - k * _LOW), k.astype(np.int64)))


def logs(x: Array) -> Array:
    """As `log`, of each element, to the bit."""
    m, k = np.frexp(x)
    small = m < _HALF_ROOT
    m, k = np.where(small, m + m, m), np.where(small, k - 1, k)
    return np.asarray(_log_series((m - 1.0) / (m + 1.0), k))


def _exp_series(r: Any) -> Any:
    """The exponential for |r| of at most log(2) / 2, by its Taylor series."""
    s = _E8 + r * (_E9 + r * (_E10 + r * (_E11 + r * (_E12 + r * _E13))))
    return 1.0 + r * (1.0 + r * (0.5 + r * (_E3 + r * (_E4 + r * (_E5 + r * (_E6 + r * (_E7 + r * s)))))))


def _log_series(s: Any, k: Any) -> Any:
    """log((1 + s) / (1 - s)) + k log(2) for |s| of at most 0.172, by the series of the inverse hyperbolic tangent."""
    z = s * s
    t = _L11 + z * (_L13 + z * (_L15 + z * (_L17 + z * (_L19 + z * _L21))))
    t = _L3 + z * (_L5 + z * (_L7 + z * (_L9 + z * t)))
    return k * _HIGH + (2.0 * (s + s * z * t) + k * _LOW)
