"""The assignment problem by starring and priming zeros (Munkres 1957, after Bourgeois & Lassalle).

SciPy solves it much faster. This one is here for its choice among equally cheap assignments: zeros
are taken in the order of Pilgrim's widely copied program, whose search of a row goes on to the last
zero. What programs with rounded costs answer depends on it.
"""

import numpy as np


def munkres(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a cheapest assignment of N M costs, in the order of the rows."""
    count = max(cost.shape)
    work = np.zeros((count, count))
    work[: cost.shape[0], : cost.shape[1]] = cost
    work -= work.min(axis=1, keepdims=True)
    star = _first_stars(work)
    while True:
        column_covered = np.zeros(count, bool)
        column_covered[star[star >= 0]] = True
        if column_covered.all():
            break
        _add_star(work, star, column_covered)
    rows = np.arange(count)
    kept = (rows < cost.shape[0]) & (star < cost.shape[1])
    return rows[kept], star[kept]


def _first_stars(work: np.ndarray) -> np.ndarray:
    """Column of the starred zero of each row, -1 for none: the first that is free."""
    star, free = np.full(len(work), -1), np.ones(len(work), bool)
    for row, zeros in enumerate(work == 0):
        columns = np.flatnonzero(zeros & free)
        if len(columns):
            star[row] = columns[0]
            free[columns[0]] = False
    return star


def _add_star(work: np.ndarray, star: np.ndarray, column_covered: np.ndarray) -> None:
    """Prime zeros and shift the costs until a path of them ends in a row without a star."""
    row_covered = np.zeros(len(work), bool)
    prime = np.full(len(work), -1)
    row = column = 0
    while True:
        row, column = _last_free_zero(work, row_covered, column_covered, row, column)
        if row < 0:
            _shift(work, row_covered, column_covered)
            row = column = 0
            continue
        prime[row] = column
        if star[row] < 0:
            return _swap(star, prime, row)
        column = star[row]
        row_covered[row], column_covered[column] = True, False


def _last_free_zero(
    work: np.ndarray,
    row_covered: np.ndarray,
    column_covered: np.ndarray,
    row: int,
    column: int,
) -> tuple[int, int]:
    """The last uncovered zero of the first row that has one, both counted cyclically; or -1, -1."""
    free = (work == 0) & ~row_covered[:, None] & ~column_covered
    rows = np.flatnonzero(free.any(axis=1))
    if not len(rows):
        return -1, -1
    found = int(rows[np.searchsorted(rows, row) % len(rows)])
    columns = np.flatnonzero(free[found])
    return found, int(columns[np.searchsorted(columns, column) - 1])


def _swap(star: np.ndarray, prime: np.ndarray, row: int) -> None:
    """Star the primes and drop the stars along the path from a primed zero."""
    while row >= 0:
        column = prime[row]
        other = np.flatnonzero(star == column)
        star[row] = column
        row = int(other[0]) if len(other) else -1


def _shift(work: np.ndarray, row_covered: np.ndarray, column_covered: np.ndarray) -> None:
    """Make another zero: the least uncovered cost goes to covered rows and leaves free columns."""
    least = work[~row_covered][:, ~column_covered].min()
    work[row_covered] += least
    work[:, ~column_covered] -= least
