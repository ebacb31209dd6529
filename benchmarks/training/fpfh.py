"""FPFH histograms, a baseline without a network.

Rusu, Blodow, Beetz, "Fast point feature histograms for 3D registration", ICRA 2009. A point has a histogram of the
angles between its normal and those of its neighbors, in 33 bins; the neighbors' histograms are added, weighted by
inverse distance. The histogram of a cloud is the mean over its points.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

POINTS, NEIGHBORS, BINS = 1024, 24, 11


def histogram(cloud: np.ndarray, seed: int) -> np.ndarray:
    """Histogram (33,) of the angles alpha, phi and theta in a cloud (n, 3 or more), from `POINTS` random points."""
    xyz = cloud[np.random.RandomState([seed, 34]).permutation(len(cloud))[:POINTS], :3].astype(np.float64)
    distance, near = cKDTree(xyz).query(xyz, k=min(NEIGHBORS + 1, len(xyz)))
    normals = _normals(xyz, near)
    distance, near = distance[:, 1:], near[:, 1:]
    simple = _simple(xyz, normals, near)
    weights = 1 / np.maximum(distance, 1e-6)
    weights /= weights.sum(axis=1, keepdims=True)
    return (simple + np.einsum("nk,nkb->nb", weights, simple[near])).mean(axis=0) / 2


def _normals(xyz: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Unit normals (n, 3) of planes through the neighbors, pointing away from the cloud's center."""
    around = xyz[near] - xyz[near].mean(axis=1, keepdims=True)
    normals = np.linalg.eigh(np.einsum("nki,nkj->nij", around, around))[1][:, :, 0]
    outwards = np.einsum("ni,ni->n", normals, xyz - xyz.mean(axis=0))
    return np.where(outwards[:, None] < 0, -normals, normals)


def _simple(xyz: np.ndarray, normals: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Histograms (n, 33) of each point with its neighbors (n, k), in the Darboux frame."""
    rays = xyz[near] - xyz[:, None]
    rays /= np.linalg.norm(rays, axis=2, keepdims=True) + 1e-12
    u = np.broadcast_to(normals[:, None], rays.shape)
    v = np.cross(rays, u)
    v /= np.linalg.norm(v, axis=2, keepdims=True) + 1e-12
    w, other = np.cross(u, v), normals[near]
    alpha, phi = (v * other).sum(axis=2), (u * rays).sum(axis=2)
    theta = np.arctan2((w * other).sum(axis=2), (u * other).sum(axis=2)) / np.pi
    parts = []
    for values in (alpha, phi, theta):
        bins = ((values + 1) / 2 * BINS).astype(int).clip(0, BINS - 1)
        parts.append((bins[:, :, None] == np.arange(BINS)).mean(axis=1) / 3)
    return np.concatenate(parts, axis=1)
