"""Which candidates are real and which are one person: the exact answer, or how far from it.

Minimum-cost subgraph multicut (Insafutdinov et al. 2016, DeeperCut, with one class per candidate):
minimise the sum of ``unary`` over the candidates that are kept and of ``cost`` over the pairs that
are kept and in the same cluster. A linear programme holds one variable per candidate and per pair;
that being together is transitive is added where the solution breaks it, as inequalities of cycles
with one repulsive pair (Chopra and Rao 1993): the others follow. A greedy solution gives the upper
bound, the programme the lower one; where they do not meet, the integers are required (HiGHS).
"""

import time
from dataclasses import dataclass, field

import numpy as np

from vitruvian.core.errors import MissingExtra

_TINY = 1e-7
"""What counts as violated, as improved or as no gap."""
_HOP = 1e-6
"""Length of a pair on top of its own, so that shorter cycles are found first."""
_CUTS = 3000
"""Most cycles that are added at a time, the most violated ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A partition and how good it is.

    Attributes:
        labels: N int64; the cluster of each candidate, numbered by first candidate, -1 suppressed.
        objective: Its cost.
        bound: No partition costs less than this.
    """

    labels: np.ndarray
    objective: float
    bound: float

    @property
    def gap(self) -> float:
        """How much less the best partition could cost; 0 if this one is proven to be it."""
        return max(self.objective - self.bound, 0.0)


def objective(labels: np.ndarray, unary: np.ndarray, pairs: np.ndarray, cost: np.ndarray) -> float:
    """Cost of a partition; -1 is suppressed."""
    one, other = labels[pairs].reshape(-1, 2).T
    return float(unary[labels >= 0].sum() + cost[(one == other) & (one >= 0)].sum())


def solve(
    unary: np.ndarray, pairs: np.ndarray, cost: np.ndarray, *, seconds: float = 1.0
) -> Solution:
    """The best partition, or the best that was found in time.

    Args:
        unary: N, cost of keeping a candidate.
        pairs: M 2, each pair once at most; other pairs cost nothing.
        cost: M, cost of having both in one cluster.
        seconds: When to stop proving; 0 for the greedy solution and a simple bound.

    Raises:
        MissingExtra: SciPy is not installed.
    """
    deadline = time.monotonic() + seconds
    labels, bound = np.full(len(unary), -1), 0.0
    for nodes in _parts(unary, pairs, cost):
        local = np.full(len(unary), -1)
        local[nodes] = np.arange(len(nodes))
        inside = (local[pairs] >= 0).all(axis=1)
        part = _Part(unary=unary[nodes], pairs=local[pairs[inside]], cost=cost[inside])
        found, least = _solve_part(part, deadline)
        labels[nodes] = np.where(found >= 0, found + labels.max() + 1, -1)
        bound += least
    labels = _renumbered(labels)
    value = objective(labels, unary, pairs, cost)
    return Solution(labels=labels, objective=value, bound=min(bound, value))


def solve_in_stages(
    unary: np.ndarray,
    pairs: np.ndarray,
    cost: np.ndarray,
    stage: np.ndarray,
    *,
    seconds: float = 1.0,
) -> Solution:
    """A partition that is found stage by stage; what earlier stages decided stays.

    Clusters grow and new ones appear, but none are joined or undone (DeeperCut, Sec. 4). The bound
    is that of the last stage under the decisions before it, and infinitely low if there were any.

    Args:
        unary: See :func:`solve`, likewise ``pairs`` and ``cost``.
        pairs: See there.
        cost: See there.
        stage: N, ascending numbers of the stages.
        seconds: Of each stage.
    """
    labels = np.full(len(unary), -1)
    stages = np.unique(stage)
    bound = 0.0
    for number in stages:
        new = np.flatnonzero(stage == number)
        held, count = np.flatnonzero(labels >= 0), int(labels.max(initial=-1)) + 1
        node = np.full(len(unary), -1)
        node[held], node[new] = labels[held], count + np.arange(len(new))
        ends = np.sort(node[pairs], axis=1)
        use = (ends[:, 0] >= 0) & (ends[:, 1] >= count)
        merged, inverse = np.unique(ends[use], axis=0, return_inverse=True)
        total = np.bincount(inverse.reshape(-1), cost[use], len(merged))
        fixed = np.column_stack(np.triu_indices(count, 1))
        limit = np.abs(unary).sum() + np.abs(cost).sum() + 1
        found = solve(
            np.concatenate([np.full(count, -limit), unary[new]]),
            np.concatenate([merged, fixed]).astype(np.int64),
            np.concatenate([total, np.full(len(fixed), limit)]),
            seconds=seconds,
        )
        labels[held], labels[new] = found.labels[labels[held]], found.labels[count:]
        bound = found.bound
    labels = _renumbered(labels)
    value = objective(labels, unary, pairs, cost)
    return Solution(
        labels=labels,
        objective=value,
        bound=min(bound, value) if len(stages) < 2 else -np.inf,
    )


def _renumbered(labels: np.ndarray) -> np.ndarray:
    """Clusters in the order of their first candidates."""
    kept = labels >= 0
    _, first, inverse = np.unique(labels[kept], return_index=True, return_inverse=True)
    out = np.full(len(labels), -1, np.int64)
    out[kept] = np.argsort(np.argsort(first))[inverse]
    return out


def _parts(unary: np.ndarray, pairs: np.ndarray, cost: np.ndarray) -> list[np.ndarray]:
    """Sets of candidates that no best partition joins; candidates that none keeps are left out.

    Candidates that no chain of attractive pairs links gain nothing by being together, and one that
    costs more than all its attractive pairs bring is suppressed.
    """
    try:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components
    except ImportError as error:
        raise MissingExtra("scipy", "mat", "grouping by an integer programme") from error

    size, alive = len(unary), np.ones(len(unary), bool)
    attractive = cost < 0
    while True:
        used = attractive & alive[pairs].all(axis=1)
        brought = np.bincount(pairs[used].ravel(), np.repeat(cost[used], 2), size)
        lost = alive & (unary + brought >= 0)
        if not lost.any():
            break
        alive &= ~lost
    graph = coo_array((np.ones(used.sum()), pairs[used].T), (size, size))
    _, component = connected_components(graph, directed=False)
    order = np.flatnonzero(alive)[np.argsort(component[alive], kind="stable")]
    cuts = np.flatnonzero(np.diff(component[order])) + 1
    return np.split(order, cuts) if len(order) else []


@dataclass(slots=True)
class _Part:
    """One set of candidates."""

    unary: np.ndarray
    pairs: np.ndarray
    cost: np.ndarray
    matrix: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.unary)
        self.matrix = np.zeros((count, count))
        a, b = self.pairs.T
        self.matrix[a, b] = self.matrix[b, a] = self.cost

    def value(self, labels: np.ndarray) -> float:
        return objective(labels, self.unary, self.pairs, self.cost)


def _solve_part(part: _Part, deadline: float) -> tuple[np.ndarray, float]:
    """Labels and lower bound of one part."""
    labels = _improved(part, _contracted(part.matrix))
    if len(part.unary) == 1:
        return labels, part.value(labels)
    bound = float(np.minimum(part.unary, 0).sum() + np.minimum(part.cost, 0).sum())
    if time.monotonic() >= deadline:
        return labels, bound
    return _Programme(part).solve(labels, bound, deadline)


def _contracted(matrix: np.ndarray) -> np.ndarray:
    """Join the most attractive two clusters as long as there are any (Keuper et al. 2015)."""
    joined, labels = matrix.copy(), np.arange(len(matrix))
    np.fill_diagonal(joined, np.inf)
    while len(matrix) > 1:
        a, b = np.unravel_index(joined.argmin(), joined.shape)
        if joined[a, b] >= 0:
            break
        joined[a] += joined[b]
        joined[:, a] = joined[a]
        joined[a, a] = joined[b] = joined[:, b] = np.inf
        labels[labels == b] = a
    return labels


def _improved(part: _Part, labels: np.ndarray) -> np.ndarray:
    """Best moves as long as they help: one candidate, a cluster away, two clusters together."""
    labels = _renumbered(labels)
    while True:
        count = len(part.unary)
        member = np.zeros((count, count + 1))
        kept = np.flatnonzero(labels >= 0)
        member[kept, labels[kept]] = 1
        to = part.matrix @ member
        between = member.T @ to
        own = member.T @ part.unary + 0.5 * np.diag(between)
        stay = np.where(labels >= 0, part.unary + to[np.arange(count), labels], 0)
        go = part.unary[:, None] + to
        moves = [
            (float((go.min(axis=1) - stay).min()), "go"),
            (float((-stay).min()), "suppress"),
            (float((-own).min()), "dissolve"),
            (float((between + np.diag(np.full(count + 1, np.inf))).min()), "join"),
        ]
        gain, move = min(moves)
        if gain >= -_TINY:
            return labels
        labels = labels.copy()
        if move == "go":
            node = int((go.min(axis=1) - stay).argmin())
            labels[node] = int(go[node].argmin())
        elif move == "suppress":
            labels[int((-stay).argmin())] = -1
        elif move == "dissolve":
            labels[labels == int(own.argmax())] = -1
        else:
            np.fill_diagonal(between, np.inf)
            a, b = np.unravel_index(between.argmin(), between.shape)
            labels[labels == b] = a
        labels = _renumbered(labels)


class _Programme:
    """The linear programme of one part, with the cycles that were found so far."""

    def __init__(self, part: _Part) -> None:
        self.part = part
        self.count, self.edges = len(part.unary), len(part.pairs)
        self.attractive = np.flatnonzero(part.cost < 0)
        self.repulsive = np.flatnonzero(part.cost > 0)
        edge = np.repeat(self.attractive, 2)
        ends = part.pairs[self.attractive].ravel()
        rows = np.arange(len(edge))
        self.rows = [(rows, self.count + edge, 1.0), (rows, ends, -1.0)]
        self.limits = [np.zeros(len(edge))]
        self.edge_of = np.full((self.count, self.count), -1)
        self.edge_of[part.pairs[:, 0], part.pairs[:, 1]] = np.arange(self.edges)
        self.edge_of = np.maximum(self.edge_of, self.edge_of.T)

    def solve(self, labels: np.ndarray, bound: float, deadline: float) -> tuple[np.ndarray, float]:
        """Labels and lower bound, from labels and lower bound."""
        best, integer = self.part.value(labels), False
        while bound < best - _TINY and time.monotonic() < deadline:
            least, point = self._optimum(integer, deadline)
            bound = max(bound, least)
            if point is None:
                break
            rounded = _improved(self.part, self._clusters(point))
            if self.part.value(rounded) < best - _TINY:
                labels, best = rounded, self.part.value(rounded)
            if not self._cut(point):
                if integer:
                    break
                integer = True
        return labels, min(bound, best)

    def _optimum(self, integer: bool, deadline: float) -> tuple[float, np.ndarray | None]:
        """Bound and best point of the programme, with whole numbers if asked."""
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import coo_array

        size = self.count + self.edges
        rows, columns = (np.concatenate([part[i] for part in self.rows]) for i in (0, 1))
        values = np.concatenate([np.full(len(r), value) for r, _, value in self.rows])
        limits = np.concatenate(self.limits)
        matrix = coo_array((values, (rows, columns)), (len(limits), size)).tocsr()
        whole = np.zeros(size)
        if integer:
            whole[: self.count] = whole[self.count + self.attractive] = 1
        done = milp(
            np.concatenate([self.part.unary, self.part.cost]),
            constraints=LinearConstraint(matrix, ub=limits),
            bounds=Bounds(0, 1),
            integrality=whole,
            options={
                "time_limit": max(deadline - time.monotonic(), 0.01),
                "mip_rel_gap": 0.0,
            },
        )
        if integer:
            least = -np.inf if done.mip_dual_bound is None else done.mip_dual_bound
            return least, done.x
        return (done.fun, done.x) if done.status == 0 else (-np.inf, None)

    def _clusters(self, point: np.ndarray) -> np.ndarray:
        """Candidates that are more than half kept, joined by pairs that are more than half so."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        joined = self.attractive[point[self.count + self.attractive] > 0.5]
        graph = coo_array(
            (np.ones(len(joined)), self.part.pairs[joined].T), (self.count, self.count)
        )
        _, labels = connected_components(graph, directed=False)
        return np.where(point[: self.count] > 0.5, labels, -1)

    def _cut(self, point: np.ndarray) -> int:
        """Add cycles that the point violates: their number.

        Along attractive pairs from one end of a repulsive pair to the other, the shares by which
        they are apart add up to at least the share by which the repulsive pair is.
        """
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import dijkstra

        apart = np.clip(1 - point[self.count :], 0, 1)
        a, b = self.part.pairs[self.attractive].T
        length = apart[self.attractive] + _HOP
        graph = csr_array((length, (a, b)), (self.count, self.count))
        way, before = dijkstra(graph, directed=False, return_predecessors=True, limit=1.0)
        u, w = self.part.pairs[self.repulsive].T
        short = apart[self.repulsive] - way[u, w]
        broken = np.flatnonzero(short > 1e-4)
        broken = broken[np.argsort(-short[broken])][:_CUTS]
        first = sum(map(len, self.limits))
        limits = np.zeros(len(broken))
        rows, columns = [], []
        for row, at in enumerate(broken.tolist()):
            path = self._path(before[u[at]], int(w[at]))
            rows += [first + row] * len(path)
            columns += path
            limits[row] = len(path) - 1
        closing = self.count + self.repulsive[broken]
        self.rows.append((np.array(rows, np.int64), np.array(columns, np.int64), 1.0))
        self.rows.append((first + np.arange(len(broken)), closing, -1.0))
        self.limits.append(limits)
        return len(broken)

    def _path(self, before: np.ndarray, node: int) -> list[int]:
        """Columns of the pairs on the way to ``node``."""
        columns = []
        while before[node] >= 0:
            columns.append(self.count + int(self.edge_of[before[node], node]))
            node = int(before[node])
        return columns
