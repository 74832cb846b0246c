"""Linear blend skinning: vertices that follow their bones."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def skin(points: np.ndarray, weights: np.ndarray, moves: np.ndarray, out: np.ndarray) -> None:
    """Where points go that several bones move; few of the weights are not nought.

    Args:
        points: N 3 float32.
        weights: N B float32, shares of the bones.
        moves: B 3 4 float32, turn and shift of the bones.
        out: N 3 float32; changed.
    """
    for n in range(len(points)):
        out[n] = 0
        for b in range(weights.shape[1]):
            share = weights[n, b]
            if share == 0:
                continue
            for k in range(3):
                move = moves[b, k]
                at = move[3]
                for j in range(3):
                    at += move[j] * points[n, j]
                out[n, k] += share * at
