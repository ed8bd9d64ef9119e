"""Five steps of each optimiser of torch.optim on one tensor, and the losses with their gradients.

Usage: python scripts/golden/optimizers.py FOLDER
"""

import sys

import torch
from torch.nn import functional as F

from common import generator, randn, save

SHAPE = (3, 7)
STEPS = 5

OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {"lr": 0.1}),
    "sgd_momentum": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    "sgd_nesterov": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.05}),
    "adam": (torch.optim.Adam, {"lr": 0.01}),
    "adam_l2": (torch.optim.Adam, {"lr": 0.01, "weight_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-3}),
    "adamw": (torch.optim.AdamW, {"lr": 0.01}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "rmsprop_momentum": (torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.9, "momentum": 0.9, "weight_decay": 0.1}),
    "rmsprop_centered": (torch.optim.RMSprop, {"lr": 0.01, "centered": True}),
}

LOSSES = {
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "huber_0.5": lambda a, b: F.huber_loss(a, b, delta=0.5),
    "smooth_l1_0.7": lambda a, b: F.smooth_l1_loss(a, b, beta=0.7),
}


def optimizers(folder):
    start = randn(20, *SHAPE)
    g = generator(21)
    gradients = torch.stack([torch.randn(SHAPE, generator=g) for _ in range(STEPS)])
    gradients[:, 0, 0] = 0  # an element that never sees a gradient
    tensors, options = {"start": start, "gradients": gradients}, {}
    for name, (cls, given) in OPTIMIZERS.items():
        p = torch.nn.Parameter(start.clone())
        optimizer = cls([p], **given)
        states = []
        for gradient in gradients:
            p.grad = gradient.clone()
            optimizer.step()
            states.append(p.detach().clone())
        tensors[name] = torch.stack(states)
        used = {k: v for k, v in optimizer.param_groups[0].items() if isinstance(v, (int, float, tuple)) and k != "params"}
        options[name] = {"type": cls.__name__, **used}
    save(folder, "optimizers", tensors, optimizers=options)


def losses(folder):
    predicted, target = randn(22, 2, 3, 4), randn(23, 2, 3, 4)
    target[0, 0, 0] = predicted[0, 0, 0]  # where L1 has no slope
    tensors, values = {"predicted": predicted, "target": target}, {}
    for name, loss in LOSSES.items():
        p = predicted.clone().requires_grad_()
        value = loss(p, target)
        value.backward()
        tensors[f"gradient.{name}"], values[name] = p.grad, value.item()
    logits = randn(24, 4, 5).mul(3).requires_grad_()
    labels = [4, 0, 2, 2]
    value = F.cross_entropy(logits, torch.tensor(labels))
    value.backward()
    tensors |= {"logits": logits, "gradient.cross_entropy": logits.grad}
    values["cross_entropy"] = value.item()
    save(folder, "losses", tensors, values=values, labels=labels)


def main(folder):
    optimizers(folder)
    losses(folder)


if __name__ == "__main__":
    main(sys.argv[1])
