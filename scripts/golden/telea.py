"""Holes that OpenCV's INPAINT_TELEA filled.

Usage: python scripts/golden/telea.py FOLDER
"""

import sys

import cv2
import numpy as np
import torch

from common import save
from restoration import noisy, smooth

RADIUS = 4
FINE = 1000  # levels of which 255 are one, so that OpenCV's half level does not count


def holes():
    """A square, a bar and single pixels, none within the radius of an edge, where OpenCV reads beyond it."""
    mask = np.zeros((28, 32), np.uint8)
    mask[7:17, 8:19] = 1
    mask[20:22, 10:26] = 1
    mask[12, 24] = mask[14, 25] = 1
    return mask


def main(folder):
    clean = noisy(smooth(7, 28, 32, 3), 0.02, 8).clamp(0, 1)
    levels = (clean * 255).round()
    mask = holes()
    fine = np.stack([cv2.inpaint(c.numpy() * FINE, mask, RADIUS, cv2.INPAINT_TELEA) / FINE for c in levels])
    coarse = cv2.inpaint(levels.permute(1, 2, 0).numpy().astype(np.uint8), mask, RADIUS, cv2.INPAINT_TELEA)
    save(folder, "telea", {
        "levels": levels.to(torch.uint8),
        "holes": torch.from_numpy(mask),
        "fine": torch.from_numpy(fine).float(),
        "coarse": torch.from_numpy(coarse).permute(2, 0, 1),
    }, made_by=f"OpenCV {cv2.__version__}", radius=RADIUS, fine=FINE)


if __name__ == "__main__":
    main(sys.argv[1])
