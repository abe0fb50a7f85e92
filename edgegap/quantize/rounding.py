"""Rounding that makes up for itself: the weights not yet rounded absorb the error of those that are.

Frantar, Ashkboos, Hoefler and Alistarh, 'GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
Transformers', 2022, algorithm 1. For one row w of a layer and the second moments H of what it reads, it looks for
integers q with a small (w - q) H (w - q)^T. With H^-1 = U^T U, U upper triangular, column j is rounded after columns
before it, and its error goes to the columns behind it (equation 3):

    e = (w_j - q_j) / U_jj,    w_k -= e U_jk  for k > j.

Columns of the largest second moments come first ('act-order'), while there are columns left to absorb their error. A
hundredth of the mean of H's diagonal is added to it: columns that the images hardly vary would absorb without limit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DAMPING = 0.01
_BLOCK = 64


def compensated(steps: NDArray[np.float64], moments: NDArray[np.float64], limit: int) -> NDArray[np.float64]:
    """The integers nearest to real weights in the norm of the second moments, found greedily.

    Args:
        steps: [G, R, D], the weights of R rows in each group in steps of their scales. A row's scale cancels out.
        moments: [G, D, D], the centred second moments of each group's inputs.
        limit: no integer is larger.

    Returns:
        [G, R, D].
    """
    return np.stack([_round_group(rows, h, limit) for rows, h in zip(steps, moments, strict=True)])


def _round_group(rows: NDArray[np.float64], moments: NDArray[np.float64], limit: int) -> NDArray[np.float64]:
    diagonal = np.diag(moments)
    if not diagonal.max() > 0:  # inputs that are the same for every image: any rounding is as good
        return np.clip(np.rint(rows), -limit, limit)
    order = np.argsort(-diagonal, kind="stable")
    upper = _factor(moments[np.ix_(order, order)])
    left, rounded = rows[:, order], np.empty_like(rows)
    size = len(order)
    for begin in range(0, size, _BLOCK):
        end = min(begin + _BLOCK, size)
        errors = np.empty((len(rows), end - begin))
        for j in range(begin, end):
            rounded[:, j] = np.clip(np.rint(left[:, j]), -limit, limit)
            error = (left[:, j] - rounded[:, j]) / upper[j, j]
            errors[:, j - begin] = error
            left[:, j + 1 : end] -= error[:, None] * upper[j, j + 1 : end]
        left[:, end:] -= errors @ upper[begin:end, end:]
    result = np.empty_like(rounded)
    result[:, order] = rounded
    return result


def _factor(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """U of the inverse of the damped moments, H^-1 = U^T U."""
    damped = moments + DAMPING * np.trace(moments) / len(moments) * np.eye(len(moments))
    # With J the reversal of all columns and J H J = L L^T, H^-1 = (J L^-T J)(J L^-1 J), and J L^-1 J is upper.
    lower = np.linalg.cholesky(damped[::-1, ::-1])
    upper: NDArray[np.float64] = np.linalg.inv(lower)[::-1, ::-1]
    return upper
