"""Results, gradients and optimiser traces of PyTorch for the tests of the reference backend.

Usage: python scripts/golden/ops.py src/test/resources/golden/ops.safetensors

Tensor "case/x" is an input, "case/y" the result in double rounded to float, "case/dx" the gradient of sum(y * dy) by x.
Made with torch 2.13.0 and diffusers 0.40.0.dev0 (58eb52c080).
"""

import math
import sys

import torch
import torch.nn.functional as F
from diffusers.models.embeddings import get_timestep_embedding
from safetensors.torch import save_file

tensors = {}
generator = torch.Generator().manual_seed(0)


def randn(*shape):
    return torch.randn(shape, generator=generator)


def case(name, function, inputs, constants=None):
    """Stores the inputs, the result, a random dy and the gradients by the inputs."""
    wide = {k: v.double().requires_grad_() for k, v in inputs.items()}
    y = function(**wide)
    dy = randn(*y.shape) if y.dim() else randn(1)
    (y * dy.double().reshape(y.shape)).sum().backward()
    store = {**inputs, **(constants or {}), "y": y.detach().reshape(dy.shape), "dy": dy}
    store |= {"d" + k: v.grad for k, v in wide.items()}
    tensors.update({f"{name}/{k}": v.float().contiguous() for k, v in store.items()})


def matrices():
    case("conv", lambda x, w, bias: F.conv2d(x, w, bias, padding=1),
         {"x": randn(2, 3, 5, 4), "w": randn(4, 3, 3, 3), "bias": randn(4)})
    case("conv_down", lambda x, w, bias: F.conv2d(F.pad(x, (0, 1, 0, 1)), w, bias, stride=2),
         {"x": randn(2, 2, 6, 5), "w": randn(3, 2, 3, 3), "bias": randn(3)})
    case("linear", F.linear, {"input": randn(2, 3, 5), "weight": randn(4, 5), "bias": randn(4)})

    def attention(q, k, v):
        def heads(t):
            return t.unflatten(2, (2, 4)).transpose(1, 2)

        y = F.scaled_dot_product_attention(heads(q), heads(k), heads(v), scale=0.5)
        return y.transpose(1, 2).flatten(2)

    case("attention", attention, {"q": randn(2, 3, 8), "k": randn(2, 5, 8), "v": randn(2, 5, 8)})


def points():
    norm = {"x": randn(2, 6, 3, 2) * 2 + 1, "gamma": randn(6), "beta": randn(6)}
    case("norm", lambda x, gamma, beta: F.group_norm(x, 3, gamma, beta, 1e-5), norm)
    case("norm_silu", lambda x, gamma, beta: F.silu(F.group_norm(x, 3, gamma, beta, 1e-5)), norm)
    x = torch.cat([torch.linspace(-12, 12, 48), torch.tensor([-200.0, 200.0])])
    for f in (F.relu, F.silu, F.gelu, F.mish):
        case(f.__name__, lambda x, f=f: f(x), {"x": x})


def layouts():
    case("pool", lambda x: F.avg_pool2d(x, 2), {"x": randn(1, 2, 5, 4)})
    case("upsample", lambda x: F.interpolate(x, size=(6, 6), mode="nearest"), {"x": randn(1, 2, 3, 2)})
    index = torch.tensor([2, 0, 2, 3])
    case("embedding", lambda table: F.embedding(index, table), {"table": randn(5, 3)}, {"index": index})
    t, half = torch.tensor([0.0, 1.0, 17.5, 999.0]), 4
    tensors["time/t"] = t
    tensors["time/f"] = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32) / half)
    tensors["time/y"] = get_timestep_embedding(t, 9, downscale_freq_shift=0)
    tensors["time/flipped"] = get_timestep_embedding(t, 9, flip_sin_to_cos=True, downscale_freq_shift=0)


def losses():
    distances = {
        "l2": F.mse_loss, "l1": F.l1_loss, "huber": lambda x, t, reduction: F.huber_loss(x, t, reduction=reduction, delta=0.7)
    }
    for name, distance in distances.items():
        target, weight = randn(3, 2, 2), torch.tensor([0.5, 1.0, 3.0])

        def loss(x, distance=distance, target=target, weight=weight):
            return (weight.double().reshape(3, 1, 1) * distance(x, target.double(), reduction="none")).mean()

        case(name, loss, {"x": randn(3, 2, 2)}, {"target": target, "weight": weight})
    label = torch.tensor([3, 0, 1])
    # The last row's label has a probability that a float cannot hold.
    x = torch.cat([randn(2, 4), torch.tensor([[2000.0, 0.0, -2000.0, 3.0]])])
    case("cross_entropy", lambda x: F.cross_entropy(x, label), {"x": x}, {"label": label})

    def bound(v, true_mean, mean, x0, c):
        true_mean, mean, x0 = true_mean.double(), mean.double(), x0.double()
        q, low, high, first = (c[:, i : i + 1].double() for i in range(4))
        log_variance = low + (high - low) * (v + 1) / 2
        p = torch.distributions.Normal(mean, torch.exp(log_variance / 2))
        kl = torch.distributions.kl_divergence(torch.distributions.Normal(true_mean, torch.exp(q / 2)), p)

        def cdf(z):
            return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))

        upper = torch.where(x0 > 0.999, torch.ones_like(v), cdf((x0 - mean + 1 / 255) / p.scale))
        lower = torch.where(x0 < -0.999, torch.zeros_like(v), cdf((x0 - mean - 1 / 255) / p.scale))
        nll = -torch.log(torch.clamp(upper - lower, min=1e-12))
        return (torch.where(first > 0, nll, kl) / math.log(2)).mean()

    x0 = torch.tensor([[0.3, -1.0, 1.0, 0.5], [-0.2, 0.0, 1.0, -1.0]])
    constants = {
        "true_mean": x0 + 0.1 * randn(2, 4), "mean": x0 + 0.05 * randn(2, 4), "x0": x0,
        "c": torch.tensor([[-5.0, -6.0, -4.0, 0.0], [-4.5, -5.0, -3.0, 1.0]]),
    }
    case("bound", lambda v: bound(v, **constants), {"v": randn(2, 4)}, constants)


def optimizers():
    rules = {
        "adam": lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.05),
        "adamw": lambda p: torch.optim.AdamW(p, lr=0.1, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.05),
        "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.1, alpha=0.95, momentum=0.8, eps=1e-6, weight_decay=0.05),
        "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, weight_decay=0.05),
        "sgd_nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, weight_decay=0.05, nesterov=True),
    }
    start, gradients = randn(7), randn(6, 7) * torch.tensor([0.1, 1, 3, 0.2, 1, 0.5]).reshape(6, 1)
    tensors["optimizer/w"], tensors["optimizer/grad"] = start, gradients
    for name, rule in rules.items():
        w = start.double().clone().requires_grad_()
        optimizer, trace = rule([w]), []
        for gradient in gradients:
            w.grad = gradient.double() / 2  # two micro-batches were added up
            torch.nn.utils.clip_grad_norm_([w], 1.0)
            optimizer.step()
            trace.append(w.detach().clone())
        tensors[f"optimizer/{name}"] = torch.stack(trace).float()


def main(path):
    matrices()
    points()
    layouts()
    losses()
    optimizers()
    save_file({k: v.clone().contiguous() for k, v in tensors.items()}, path)


if __name__ == "__main__":
    main(sys.argv[1])
