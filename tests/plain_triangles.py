"""Triangles the plain way: flat arrays of all spans and samples at once, no loop over triangles."""

import cv2
import numpy as np


def normals(points, faces):
    a, b, c = (points[faces[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    out = np.stack(
        [np.bincount(faces.ravel(), np.repeat(across[:, k], 3), len(points)) for k in range(3)], 1
    ).astype(np.float32)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), np.float32(1e-12))


def in_front(at, behind, faces, both, height, width):
    a, b, c = (at[faces[:, k], :2] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    good = (both & (area != 0)) | (area < 0)
    good &= (np.maximum(np.maximum(a, b), c) >= 0).all(1)
    good &= (np.minimum(np.minimum(a, b), c) <= [width - 1, height - 1]).all(1)
    return np.flatnonzero(good & ~behind[faces].any(1))


def planes(corners):
    x, y, near = corners[:, :, 0], corners[:, :, 1], corners[:, :, 2]
    x, y = x - x[:, :1], y - y[:, :1]
    out = np.zeros((len(corners), 3, 3), np.float32)
    area = x[:, 1] * y[:, 2] - y[:, 1] * x[:, 2]
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        weight = near[:, i] / area
        out[:, i, 0] = (y[:, j] - y[:, k]) * weight
        out[:, i, 1] = (x[:, k] - x[:, j]) * weight
    out[:, 0, 2] = near[:, 0]
    return out


def _ranges(first, count):
    """Which entry, and first + 0, 1, … for every one of its ``count``."""
    which = np.repeat(np.arange(len(count)), count)
    begin = np.cumsum(count) - count
    return which, np.arange(len(which)) - np.repeat(begin - first, count)


def scan(corners, shares, most, near, number):
    """As the kernel, but returns what it changes: a sort key of 1 / z, then number."""
    h, w = near.shape
    nobody = np.uint64(0xFFFFFFFF)
    best = (near.view(np.uint32).astype(np.uint64).ravel() << np.uint64(32)) | nobody
    x, y = corners[:, :, 0], corners[:, :, 1]
    first = np.clip(np.ceil(y.min(1)), 0, h).astype(int)
    count = np.clip(np.floor(y.max(1)), -1, h - 1).astype(int) - first + 1
    face, row = _ranges(first, np.maximum(count, 0))
    low, high = np.zeros(len(row), np.float32), np.full(len(row), w - 1, np.float32)
    turned = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) > (y[:, 1] - y[:, 0]) * (x[:, 2] - x[:, 0])
    for i in range(3):
        j = (i + 1) % 3
        drop = y[:, j] - y[:, i]
        slope = (x[:, j] - x[:, i]) / np.where(drop == 0, 1, drop)
        left = (drop > 0) != turned
        cut = slope[face] * row + (x[:, i] - slope * y[:, i])[face]
        np.maximum(low, np.where((left & (drop != 0))[face], cut, -1), out=low)
        np.minimum(high, np.where((~left & (drop != 0))[face], cut, w), out=high)
    begin = np.ceil(low).astype(int)
    count = np.floor(high).astype(int) - begin + 1
    span = np.flatnonzero(count > 0)
    face, row, begin, count = face[span], row[span], begin[span], count[span]
    across, down, base = (shares.sum(1)[face, k] for k in range(3))
    base = base + down * (row - y[face, 0]) + across * (begin - x[face, 0])
    which, column = _ranges(begin, count)
    value = (across[which] * (column - begin[which]) + base[which]).astype(np.float32)
    value = np.clip(value, np.float32(1e-6), most)
    key = (value.view(np.uint32).astype(np.uint64) << np.uint64(32)) | face[which].astype(np.uint64)
    np.maximum.at(best, row[which] * w + column, key)
    found = (best & nobody).astype(np.uint32).view(np.int32).reshape(h, w)
    seen = (best >> np.uint64(32)).astype(np.uint32).view(np.float32).reshape(h, w)
    return seen, np.where(found >= 0, found, number)


def light_up(points, outward, gloss, inside, position, light, ambient):
    away = points - position
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    facing = -(away * outward).sum(1)
    sign = np.where(inside & (facing < 0), -1, 1)
    lit = np.maximum(outward @ light * sign, 0)
    level = ambient * (1 + 0.2 * outward[:, 1] * sign) * (0.8 + 0.2 * np.abs(facing))
    half = light - away
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    bright = np.maximum((half * outward).sum(1) * sign, 0) ** 16
    return np.stack([level + (1 - ambient) * lit, gloss * bright * (1 - ambient)], 1)


def colours(t, x, y, triangles, looks, styles, grid, grain):
    """RGB of triangles t (N) at the samples (x, y)."""
    shares, origin, corners, style = triangles
    at = np.stack([x - origin[t, 0], y - origin[t, 1], np.ones(len(t), np.float32)], 1)
    share = np.maximum((shares[t] * at[:, None]).sum(2), 0)
    share /= share.sum(1, keepdims=True) + np.float32(1e-12)
    mixed = (looks[corners[t]] * share[:, :, None]).sum(1)
    others, pattern, period = (values[style[t]] for values in styles)
    cloth = mixed[:, 5:]
    mix = _pattern(grid, pattern, cloth / period[:, None])[:, None]
    rough = np.where(pattern >= 0, 1 + 0.05 * noise(grid, cloth / grain), 1)[:, None]
    return (mixed[:, :3] + (others - mixed[:, :3]) * mix) * rough * mixed[:, 3:4] + mixed[:, 4:5]


def _pattern(grid, kind, at):
    x, y = at[:, 0] - np.floor(at[:, 0]) < 0.5, at[:, 1] - np.floor(at[:, 1]) < 0.5
    blots = noise(grid, at * np.float32(2.5)) > 0
    strands = np.clip(0.5 + 0.4 * noise(grid, at * np.array([14, 1], np.float32)), 0, 1)
    chosen = [y, x, (x.astype(float) + y) / 2, blots, strands]
    return np.select([kind == k for k in range(1, 6)], chosen, 0.0)


def noise(grid, at):
    """Smooth noise of unit cells that repeats every 64."""
    wrapped = (at - 64 * np.floor(at / 64)).astype(np.float32)
    return cv2.remap(grid, wrapped[None, :, 0], wrapped[None, :, 1], cv2.INTER_LINEAR)[0]
