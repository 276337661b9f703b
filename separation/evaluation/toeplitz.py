"""Solves the block-Toeplitz systems of correlations without ever writing the matrix down.

The recursion is Levinson's in blocks: Akaike 1973, "Block Toeplitz Matrix Inversion", SIAM J. Appl. Math. 24(2),
234-241. For m blocks of size p it takes some m^2 p^3 steps and m p^2 numbers, where elimination takes m^3 p^3
and m^2 p^2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RIDGE = 1e-12  # added to a diagonal of ones: what has no sound in some band would have no solution
N_CORRECTIONS = 4  # of what the ridge and rounding leave
LEAST_POWER = 1e-13  # of the strongest direction's: below, a channel is the sum of others, or silent


def solve(gamma: Floats, right: Floats) -> Floats:
    """Returns x [m, p, q] with the sum over l of G(k - l) x(l) equal to right(k), for `right` [m, p, q].

    `gamma` [m, p, p] holds G(0) to G(m - 1), and G(-d) is the transpose of G(d). The whole has to be positive
    semidefinite, as correlations are; where it is singular, x is one of the solutions, and small.
    """
    white = _whitening(gamma[0])
    if not white.shape[1]:
        return np.zeros_like(right)
    gamma, wanted = white.T @ gamma @ white, white.T @ right
    x, left = np.zeros_like(wanted), wanted
    for _ in range(1 + N_CORRECTIONS):
        better = x + _recursion(gamma, left)
        left_of_it = wanted - _product(gamma, better)
        if not np.sum(left_of_it**2) < np.sum(left**2):
            break
        x, left = better, left_of_it
    return white @ x


def _whitening(covariance: Floats) -> Floats:
    """Returns the mixes [p, r] of channels that are independent and of power one; equal channels become one."""
    scale = np.sqrt(np.diagonal(covariance))
    unit = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    power, mixes = np.linalg.eigh(covariance * unit[:, None] * unit)
    kept = power > LEAST_POWER * power[-1]
    return np.asarray(unit[:, None] * mixes[:, kept] / np.sqrt(power[kept]), np.float64)


def _recursion(gamma: Floats, right: Floats) -> Floats:
    """Solves a system of growing order with a ridge; of order n its inverse begins with `first`, ends with `last`."""
    m, p, _ = gamma.shape
    identity = np.eye(p)
    falling = np.concatenate(gamma[:0:-1], axis=1)  # G(m-1) ... G(1)
    rising = np.concatenate(gamma[1:].transpose(0, 2, 1), axis=1)  # G(-1) ... G(1-m)
    first, last, x = np.zeros((m * p, p)), np.zeros((m * p, p)), np.zeros((m * p, right.shape[-1]))
    first[:p] = last[:p] = np.linalg.inv(gamma[0] + RIDGE * identity)
    x[:p] = first[:p] @ right[0]
    for n in range(p, m * p, p):
        row = falling[:, -n:]
        below, above = row @ first[:n], rising[:, :n] @ last[:n]
        missing = right[n // p] - row @ x[:n]
        longer = first[: n + p].copy()
        longer[p:] -= last[:n] @ below
        last[p : n + p] = last[:n].copy()
        last[:p] = 0
        last[:n] -= first[:n] @ above
        first[: n + p] = longer @ np.linalg.inv(identity - above @ below)
        last[: n + p] = last[: n + p] @ np.linalg.inv(identity - below @ above)
        x[: n + p] += last[: n + p] @ missing
    return x.reshape(m, p, -1)


def _product(gamma: Floats, x: Floats) -> Floats:
    """Returns the sum over l of G(k - l) x(l), by a circulant of twice the size."""
    m, n_fft = len(gamma), 2 * len(gamma)
    ring = np.concatenate([gamma, np.zeros_like(gamma[:1]), gamma[:0:-1].transpose(0, 2, 1)])
    spectrum = np.fft.rfft(ring, axis=0) @ np.fft.rfft(x, n_fft, axis=0)
    return np.asarray(np.fft.irfft(spectrum, n_fft, axis=0)[:m], np.float64)
