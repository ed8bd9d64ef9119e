"""Measures of similarity and the classical restorers, as scikit-image, PyWavelets and torch compute them.

Usage: python scripts/golden/restoration.py FOLDER
"""

import sys

import numpy as np
import skimage
import torch
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity
from skimage.restoration import denoise_nl_means, estimate_sigma, inpaint_biharmonic

from common import generator, save

MS_WEIGHTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]  # Wang et al. 2003, section 3.2


def rand(seed, *shape):
    return torch.rand(shape, generator=generator(seed), dtype=torch.float32)


def smooth(seed, height, width, channels=1):
    """Random blobs: noise on a coarse grid, enlarged by a bicubic filter; [C, H, W] in [0, 1]."""
    coarse = rand(seed, 1, channels, height // 4, width // 4)
    return torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic")[0].clamp(0, 1)


def noisy(x, sigma, seed):
    return x + sigma * torch.randn(x.shape, generator=generator(seed))


def ms_ssim(a, b):
    """Products of the scales' contrast and structure, and the luminance of the last (Wang et al. 2003, equation 7)."""
    k = torch.arange(-5, 6, dtype=torch.float64)
    g = torch.exp(-k * k / (2 * 1.5 ** 2))
    g = g / g.sum()
    window = (g[:, None] * g[None, :])[None, None]
    blur = lambda x: torch.nn.functional.conv2d(x[:, None], window)[:, 0]
    a, b = a.double(), b.double()
    c1, c2 = 0.01 ** 2, 0.03 ** 2
    result = torch.ones(a.shape[0], dtype=torch.float64)  # a figure for each channel
    for i, weight in enumerate(MS_WEIGHTS):
        ma, mb = blur(a), blur(b)
        aa, bb, ab = blur(a * a) - ma * ma, blur(b * b) - mb * mb, blur(a * b) - ma * mb
        cs = (2 * ab + c2) / (aa + bb + c2)
        luminance = (2 * ma * mb + c1) / (ma * ma + mb * mb + c1)
        last = i == len(MS_WEIGHTS) - 1
        result *= ((luminance * cs) if last else cs).mean(dim=(1, 2)).clamp(min=0) ** weight
        a, b = (torch.nn.functional.avg_pool2d(x[:, None], 2)[:, 0] for x in (a, b))
    return result.mean()


def kid(x, y):
    """The unbiased estimate of the squared MMD with the kernel (x.y / d + 1)^3 (Binkowski et al. 2018)."""
    kernel = lambda p, q: (p @ q.T / p.shape[1] + 1) ** 3
    n, m = len(x), len(y)
    xx, yy, xy = kernel(x, x), kernel(y, y), kernel(x, y)
    return ((xx.sum() - xx.diag().sum()) / (n * (n - 1)) + (yy.sum() - yy.diag().sum()) / (m * (m - 1))
            - 2 * xy.mean())


def main(folder):
    facts, tensors = {}, {}
    a = smooth(1, 24, 28, 3)
    b = noisy(a, 0.1, 2).clamp(0, 1)
    an, bn = a.numpy().astype(np.float64), b.numpy().astype(np.float64)
    tensors.update(a=a, b=b)
    facts["mse"] = float(mean_squared_error(an, bn))
    facts["psnr"] = float(peak_signal_noise_ratio(an, bn, data_range=1))
    facts["ssim"] = float(structural_similarity(an, bn, data_range=1, channel_axis=0, gaussian_weights=True, sigma=1.5,
                                                use_sample_covariance=False))

    # 176 x 192 in two channels: a coarse grid enlarged to squares of 16 pixels, and the same with noise; not stored
    coarse = rand(3, 2, 11, 12)
    big = coarse.repeat_interleave(16, 1).repeat_interleave(16, 2)
    other = 0.8 * big + 0.2 * rand(4, 2, 176, 192)
    facts["ms_ssim"] = float(ms_ssim(big, other))

    x = torch.randn(40, 6, generator=generator(5))
    y = 0.5 + 1.5 * torch.randn(30, 6, generator=generator(6))
    tensors.update(kid_x=x, kid_y=y)
    facts["kid"] = float(kid(x.double(), y.double()))

    clean = smooth(7, 28, 28)
    tensors["clean"] = clean
    for sigma in (25, 50):
        s = sigma / 255
        z = noisy(clean, s, 8)
        tensors[f"noisy_{sigma}"] = z
        facts[f"estimated_{sigma}"] = float(estimate_sigma(z[0].numpy().astype(np.float64)))
        found = denoise_nl_means(z[0].numpy().astype(np.float64), patch_size=5, patch_distance=6, h=0.6 * s, sigma=s,
                                 fast_mode=False)
        tensors[f"nl_means_{sigma}"] = torch.from_numpy(found).float()[None]

    holes = torch.zeros(28, 28, dtype=torch.uint8)
    holes[8:20, 8:20] = 1
    holes[0:3, 24:28] = 1  # one in a corner, where the stencil is cut
    tensors["holes"] = holes
    filled = inpaint_biharmonic(clean[0].numpy().astype(np.float64), holes.numpy().astype(bool))
    tensors["biharmonic"] = torch.from_numpy(filled).float()[None]

    facts["made_by"] = f"scikit-image {skimage.__version__}"
    save(folder, "restoration", tensors, **facts)


if __name__ == "__main__":
    main(sys.argv[1])
