"""InceptionV3 as FID uses it (pytorch-fid's variant of torchvision's), in a narrow copy with random weights, and Frechet distances.

Usage: python scripts/golden/inception.py FOLDER
       python scripts/golden/inception.py --full FILE     random weights of full width, and what they make of one picture
       python scripts/golden/inception.py --torchvision   holds this copy, with torchvision's poolings, to torchvision's own
"""

import sys

import numpy as np
import scipy.linalg
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from common import generator, save
from restoration import smooth

DIVISOR = 32


class Unit(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, channels_in, channels_out, kernel, padding=0, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(channels_out, eps=0.001)

    def forward(self, x):
        return self.bn(self.conv(x)).relu()


class Mixed(nn.Module):
    """Branches side by side: each a list of units, of which a list ends in two next to each other; `pool` begins or is one."""

    def __init__(self, channels, pool, branches):
        super().__init__()
        self.pool, self.branches, self.out = pool, branches, 0
        for branch in branches:
            wide = channels
            for part in branch:
                side = part if isinstance(part, list) else [part]
                for name, out, *rest in side:
                    setattr(self, name, Unit(wide, out, *rest))
                wide = sum(out for _, out, *_ in side)
            self.out += wide

    def forward(self, x):
        found = []
        for branch in self.branches:
            h = x
            if not branch or branch[0][0] == "branch_pool":
                h = self.pool(x)
            for part in branch:
                side = part if isinstance(part, list) else [part]
                h = torch.cat([getattr(self, name)(h) for name, *_ in side], 1)
            found.append(h)
        return torch.cat(found, 1)


class InceptionV3(nn.Module):
    def __init__(self, divisor=1, fid=True):
        super().__init__()
        w = lambda channels: max(min(channels, 4), channels // divisor)
        average = lambda x: F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=not fid)
        largest = lambda x: F.max_pool2d(x, 3, stride=1, padding=1)
        halve = lambda x: F.max_pool2d(x, 3, stride=2)
        across, down = ((1, 7), (0, 3)), ((7, 1), (3, 0))
        self.Conv2d_1a_3x3 = Unit(3, w(32), 3, stride=2)
        self.Conv2d_2a_3x3 = Unit(w(32), w(32), 3)
        self.Conv2d_2b_3x3 = Unit(w(32), w(64), 3, 1)
        self.Conv2d_3b_1x1 = Unit(w(64), w(80), 1)
        self.Conv2d_4a_3x3 = Unit(w(80), w(192), 3)
        wide = w(192)
        self.mixed = []

        def mixed(name, pool, *branches):
            nonlocal wide
            block = Mixed(wide, pool, branches)
            setattr(self, name, block)
            self.mixed.append(name)
            wide = block.out

        for name, pooled in ("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64):
            mixed(name, average,
                  [("branch1x1", w(64), 1)],
                  [("branch5x5_1", w(48), 1), ("branch5x5_2", w(64), 5, 2)],
                  [("branch3x3dbl_1", w(64), 1), ("branch3x3dbl_2", w(96), 3, 1), ("branch3x3dbl_3", w(96), 3, 1)],
                  [("branch_pool", w(pooled), 1)])
        mixed("Mixed_6a", halve,
              [("branch3x3", w(384), 3, 0, 2)],
              [("branch3x3dbl_1", w(64), 1), ("branch3x3dbl_2", w(96), 3, 1), ("branch3x3dbl_3", w(96), 3, 0, 2)],
              [])
        for name, c in ("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192):
            c = w(c)
            mixed(name, average,
                  [("branch1x1", w(192), 1)],
                  [("branch7x7_1", c, 1), ("branch7x7_2", c, *across), ("branch7x7_3", w(192), *down)],
                  [("branch7x7dbl_1", c, 1), ("branch7x7dbl_2", c, *down), ("branch7x7dbl_3", c, *across),
                   ("branch7x7dbl_4", c, *down), ("branch7x7dbl_5", w(192), *across)],
                  [("branch_pool", w(192), 1)])
        mixed("Mixed_7a", halve,
              [("branch3x3_1", w(192), 1), ("branch3x3_2", w(320), 3, 0, 2)],
              [("branch7x7x3_1", w(192), 1), ("branch7x7x3_2", w(192), *across), ("branch7x7x3_3", w(192), *down),
               ("branch7x7x3_4", w(192), 3, 0, 2)],
              [])
        for name, pool in ("Mixed_7b", average), ("Mixed_7c", largest if fid else average):
            mixed(name, pool,
                  [("branch1x1", w(320), 1)],
                  [("branch3x3_1", w(384), 1),
                   [("branch3x3_2a", w(384), (1, 3), (0, 1)), ("branch3x3_2b", w(384), (3, 1), (1, 0))]],
                  [("branch3x3dbl_1", w(448), 1), ("branch3x3dbl_2", w(384), 3, 1),
                   [("branch3x3dbl_3a", w(384), (1, 3), (0, 1)), ("branch3x3dbl_3b", w(384), (3, 1), (1, 0))]],
                  [("branch_pool", w(192), 1)])

    def forward(self, x):
        """[N, 3, 299, 299] in [-1, 1] to [N, 2048]"""
        h = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        h = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(h, 3, stride=2)))
        h = F.max_pool2d(h, 3, stride=2)
        for name in self.mixed:
            h = getattr(self, name)(h)
        return h.mean((2, 3))

    def features(self, picture):
        """bytes [3, H, W] to [2048]"""
        x = F.interpolate(picture[None].float() / 255, size=(299, 299), mode="bilinear", align_corners=False)
        return self(2 * x - 1)[0]


def random(net):
    """Random weights, and statistics near those of noise and blobs, so that features depend on the picture; float16 exactly."""
    g = generator(11)
    named = sorted(net.state_dict().items())
    for name, t in named:
        if t.dim() and "running" not in name:
            t.copy_(torch.randn(t.shape, generator=g) * (0.2 if t.dim() == 1 else (2 / t[0].numel()) ** 0.5))
            t.add_(1 if name.endswith("bn.weight") else 0)
    blobs = [picture(40 + i, 299 // 4 * 4, 299 // 4 * 4, 3) for i in range(3)]
    noise = [picture(50 + i, 4 * 2 ** i, 4 * 2 ** i, 3) for i in range(5)]
    net.train()
    for unit in net.modules():
        if isinstance(unit, nn.BatchNorm2d):
            unit.reset_running_stats()
            unit.momentum = None
    for p in blobs + noise:
        net.features(p)
    for name, t in named:
        if t.dim():
            t.copy_((t * (1 + 0.1 * torch.randn(t.shape, generator=g)) if "running" in name else t).half())
    return net.eval()


def frechet(a, b):
    """Heusel et al. 2017, with the root of the product of the covariances as pytorch-fid takes it."""
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(ca @ cb)
    if not np.isfinite(root).all():
        offset = 1e-6 * np.eye(len(ca))
        root = scipy.linalg.sqrtm((ca + offset) @ (cb + offset))
    d = a.mean(0) - b.mean(0)
    return float(d @ d + np.trace(ca) + np.trace(cb) - 2 * np.trace(root).real)


def picture(seed, height, width, channels):
    return (smooth(seed, height, width, channels) * 255).round().to(torch.uint8)


def main(folder):
    net = random(InceptionV3(DIVISOR))
    weights = {k: v.half() for k, v in net.state_dict().items() if v.dim()}
    save(folder, "inception_weights", weights)
    tensors, facts = {}, {}
    sizes = {"small": (32, 32, 3), "wide": (28, 44, 3), "grey": (28, 28, 1), "large": (320, 344, 3)}
    for i, (name, size) in enumerate(sizes.items()):
        # the large one is made of squares, and stored before they are enlarged
        p = picture(20 + i, *size) if name != "large" else picture(20 + i, 40, 44, 3)
        tensors[f"picture.{name}"] = p
        if name == "large":
            p = p.repeat_interleave(8, 1).repeat_interleave(8, 2)
        tensors[f"features.{name}"] = net.features(p.expand(3, -1, -1))
    # more points than features; fewer; fewer, with a feature that is always zero and one that depends on another
    for name, n, m, k in ("many", 60, 50, 8), ("few", 9, 7, 16), ("dead", 12, 30, 10):
        a = torch.randn(n, k, generator=generator(n)).relu() @ torch.randn(k, k, generator=generator(k))
        b = 0.7 * torch.randn(m, k, generator=generator(m)).relu() @ torch.randn(k, k, generator=generator(k + 1)) + 0.1
        if name == "dead":
            a[:, 0], b[:, 0] = 0, 0
            a[:, 1], b[:, 1] = a[:, 2] * 2, b[:, 2] * 2
        tensors[f"{name}.a"], tensors[f"{name}.b"] = a, b
        facts[name] = frechet(a.double().numpy(), b.double().numpy())
    save(folder, "inception", tensors, made_by=f"scipy {scipy.__version__}", **facts)


def full(file):
    net = random(InceptionV3())
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, file)
    save_file({"picture": (p := picture(20, 32, 32, 3)), "features": net.features(p)}, file + ".features")


def torchvision():
    from torchvision.models import Inception3
    theirs = Inception3(aux_logits=False, transform_input=False, init_weights=False).eval()
    ours = random(InceptionV3(fid=False))
    left = theirs.load_state_dict(ours.state_dict(), strict=False)
    assert not left.unexpected_keys and left.missing_keys == ["fc.weight", "fc.bias"], left
    theirs.fc = nn.Identity()
    x = torch.randn(2, 3, 299, 299, generator=generator(1))
    a, b = ours(x), theirs(x)
    print("largest difference", (a - b).abs().max().item(), "of", b.abs().max().item())


if __name__ == "__main__":
    with torch.no_grad():
        if sys.argv[1] == "--torchvision":
            torchvision()
        elif sys.argv[1] == "--full":
            full(sys.argv[2])
        else:
            main(sys.argv[1])
