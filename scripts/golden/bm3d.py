"""BM3D on the noisy pictures of `evaluate --restoration`: a figure to hold `denoise` against.

Usage: python scripts/golden/bm3d.py MNIST_FOLDER_OR_CIFAR10_ZIP [COUNT]

The noise is that of seed 0 (the torch generator of every picture's number), not cut off: Gaussian, and of counted light. Written after Dabov, Foi, Katkovnik
and Egiazarian 2007 with the parameters of its normal profile, but that blocks are matched all over the small pictures and
every second of them is a reference; colour goes by the opponent transform, with blocks matched in luminance (their C-BM3D).
"""

import gzip
import io
import math
import sys
import zipfile
from pathlib import Path

import numpy as np
import scipy.fft
import scipy.stats
import torch
from skimage.metrics import structural_similarity

BLOCK, STEP = 8, 2
OPPONENT = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, 0, -0.5], [0.25, -0.5, 0.25]])


def spread(size, count):
    return [i * size // count for i in range(count)]


def mnist(folder, count):
    path = next(Path(folder).rglob("t10k-images*"))
    data = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    pictures = np.frombuffer(data, np.uint8, offset=16).reshape(-1, 1, 28, 28)
    return pictures[spread(len(pictures), count)]


def cifar10(archive, count):
    from PIL import Image

    with zipfile.ZipFile(archive) as z:
        names = sorted(n for n in z.namelist() if "/test/" in "/" + n and n.endswith((".jpg", ".png")))
        chosen = [names[i] for i in spread(len(names), count)]
        return np.stack([np.asarray(Image.open(io.BytesIO(z.read(n))).convert("RGB")).transpose(2, 0, 1) for n in chosen])


def haar(x):
    """The orthonormal Haar transform along the first axis, whose length is a power of two."""
    parts = []
    while len(x) > 1:
        parts.insert(0, (x[0::2] - x[1::2]) / math.sqrt(2))
        x = (x[0::2] + x[1::2]) / math.sqrt(2)
    return np.concatenate([x, *parts])


def inverse_haar(x):
    low, at = x[:1], 1
    while at < len(x):
        high = x[at : 2 * at]
        out = np.empty_like(x[: 2 * at])
        out[0::2], out[1::2] = (low + high) / math.sqrt(2), (low - high) / math.sqrt(2)
        low, at = out, 2 * at
    return low


def blocks(planes):
    """All blocks of [C, H, W] as [C, positions, 8, 8]."""
    windows = np.lib.stride_tricks.sliding_window_view(planes, (BLOCK, BLOCK), axis=(1, 2))
    return windows.reshape(len(planes), -1, BLOCK, BLOCK)


def dct(x, forward=True):
    return (scipy.fft.dctn if forward else scipy.fft.idctn)(x, axes=(-2, -1), norm="ortho")


def estimate(noisy, sigmas, basic=None):
    """One of the two steps for planes [C, H, W] of 0 to 255; the second is given the result of the first."""
    c, h, w = noisy.shape
    own, guide = dct(blocks(noisy)), None if basic is None else dct(blocks(basic))
    matched = own[0].copy() if basic is None else guide[0]
    most, limit = (16, 2500) if basic is None else (32, 400)
    if basic is None and sigmas[0] > 40:  # the profile for strong noise thresholds before it matches
        matched[np.abs(matched) < 2 * sigmas[0]] = 0
        limit = 5000
    matched = matched.reshape(len(matched), -1)
    rows = sorted({*range(0, h - BLOCK + 1, STEP), h - BLOCK})
    columns = sorted({*range(0, w - BLOCK + 1, STEP), w - BLOCK})
    window = np.outer(np.kaiser(BLOCK, 2), np.kaiser(BLOCK, 2))
    total, weights = np.zeros((c, h, w)), np.zeros((c, h, w))
    for reference in (i * (w - BLOCK + 1) + j for i in rows for j in columns):
        distance = ((matched - matched[reference]) ** 2).sum(1) / BLOCK**2
        distance[reference] = -1  # first among equals
        near = np.argsort(distance, kind="stable")[:most]
        near = near[distance[near] <= limit]
        near = near[: 1 << (len(near).bit_length() - 1)]
        for k in range(c):
            group = haar(own[k, near])
            if basic is None:
                kept = np.abs(group) > 2.7 * sigmas[k]
                weight = 1 / (sigmas[k] ** 2 * max(1, kept.sum()))
                group = group * kept
            else:
                energy = haar(guide[k, near]) ** 2
                wiener = energy / (energy + sigmas[k] ** 2)
                weight = 1 / (sigmas[k] ** 2 * max(1e-9, (wiener**2).sum()))
                group = group * wiener
            for block, at in zip(dct(inverse_haar(group), forward=False), near):
                i, j = divmod(at, w - BLOCK + 1)
                total[k, i : i + BLOCK, j : j + BLOCK] += weight * window * block
                weights[k, i : i + BLOCK, j : j + BLOCK] += weight * window
    return total / weights


def bm3d(noisy, sigma):
    """Planes [1 or 3, H, W] of 0 to 255."""
    turn = OPPONENT if len(noisy) == 3 else np.eye(1)
    planes = np.tensordot(turn, noisy, 1)
    sigmas = sigma * np.sqrt((turn**2).sum(1))
    result = estimate(planes, sigmas, estimate(planes, sigmas))
    return np.tensordot(np.linalg.inv(turn), result, 1)


def measure(clean, found):
    """PSNR and SSIM of pictures rounded to bytes."""
    found = np.clip(np.rint(found), 0, 255) / 255
    clean = clean / 255
    psnr = np.mean([10 * math.log10(1 / max(1e-10, np.mean((a - b) ** 2))) for a, b in zip(clean, found)])
    ssim = np.mean([
        structural_similarity(
            a, b, channel_axis=0, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
        for a, b in zip(clean, found)
    ])
    return psnr, ssim


def stabilised(counts):
    return 2 * np.sqrt(counts + 0.375)


def counts(z):
    """Makitalo and Foi's unbiased inverse in closed form."""
    z, root = np.maximum(z, stabilised(0)), math.sqrt(1.5)
    return np.maximum(0, z ** 2 / 4 + root / (4 * z) - 11 / (8 * z ** 2) + 5 * root / (8 * z ** 3) - 0.125)


def counted(picture, peak, seed):
    """Poisson numbers by the inverse of their distribution, in levels of 255."""
    uniform = torch.rand(*picture.shape, generator=torch.Generator().manual_seed(seed)).numpy()
    return np.maximum(0, scipy.stats.poisson.ppf(uniform, peak * picture / 255)) * 255 / peak


def light(noisy, peak):
    """BM3D between Anscombe's transform and its inverse."""
    low, high = stabilised(0), stabilised(peak)
    stable = 255 * (stabilised(noisy * peak / 255) - low) / (high - low)
    return counts(low + (high - low) * bm3d(stable, 255 / (high - low)) / 255) * 255 / peak


def main():
    source = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    clean = cifar10(source, count) if source.endswith(".zip") else mnist(source, count)
    for sigma in (25, 50):
        noisy = clean.astype(np.float64)
        for i in range(len(noisy)):
            noisy[i] += sigma * torch.randn(*noisy[i].shape, generator=torch.Generator().manual_seed(i)).numpy()
        before = measure(clean, noisy)
        after = measure(clean, np.stack([bm3d(x, sigma) for x in noisy]))
        print(f"sigma {sigma}: noisy {before[0]:.2f} dB, SSIM {before[1]:.3f}; BM3D {after[0]:.2f} dB, SSIM {after[1]:.3f}", flush=True)
    for peak in (30, 10):
        noisy = np.stack([counted(x.astype(np.float64), peak, i) for i, x in enumerate(clean)])
        before = measure(clean, noisy)
        after = measure(clean, np.stack([light(x, peak) for x in noisy]))
        print(f"peak {peak}: noisy {before[0]:.2f} dB, SSIM {before[1]:.3f}; BM3D {after[0]:.2f} dB, SSIM {after[1]:.3f}", flush=True)


if __name__ == "__main__":
    main()
