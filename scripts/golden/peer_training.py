"""A whole training step as one TorchScript module: the network, mean squared error, backward, clipping and AdamW.

The same as Recording.training in benchmarks/: learning rate 1e-3, betas 0.9 and 0.999, decay 0.01, norm at most 1.
"""

import copy

import torch
from torch.nn.utils import clip_grad_norm_

LR, BETA1, BETA2, EPS, DECAY, NORM = 1e-3, 0.9, 0.999, 1e-8, 0.01, 1.0
CHECKED_STEPS = 3

# Gradients are on. Two of them may be one tensor, and some are channels last: they are scaled into new, contiguous ones. What
# changes the weights works on detached tensors of the same memory.
SOURCE = """
def forward(self, {inputs}, target):
    loss = (self.m({inputs}) - target).square().mean()
    parameters = [{parameters}]
    found = torch.autograd.grad([loss], parameters)
    grads : List[Tensor] = []
    weights : List[Tensor] = []
    for p, g in zip(parameters, found):
        if g is not None:
            grads.append(g.contiguous())
            weights.append(p.detach())
    norm = torch.stack(torch._foreach_norm(grads)).square().sum().sqrt()
    grads = torch._foreach_mul(grads, torch.clamp({norm} / (norm + 1e-6), max=1.0))
    torch._foreach_add_(self.steps, 1)
    torch._fused_adamw_(weights, grads, self.first, self.second, [], self.steps, lr={lr}, beta1={beta1}, beta2={beta2},
                        weight_decay={decay}, eps={eps}, amsgrad=False, maximize=False)
    return loss.detach().reshape(1)
"""


def write(row, path):
    """Saves the module; the losses of the first steps of an ordinary PyTorch loop."""
    *inputs, target = row.inputs.values()
    losses = []
    module = copy.deepcopy(row.module).train()
    optimizer = torch.optim.AdamW(module.parameters(), lr=LR, betas=(BETA1, BETA2), eps=EPS, weight_decay=DECAY)
    for _ in range(CHECKED_STEPS):
        loss = torch.nn.functional.mse_loss(row.call(module, *inputs), target)
        optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(module.parameters(), NORM)
        optimizer.step()
        losses.append(loss.detach())

    names = list(row.inputs)[:-1]
    step = torch.jit.script(Step(torch.jit.trace(Call(row), tuple(inputs), check_trace=False)))
    parameters = [name for name, _ in step.m.named_parameters()]
    step.define(SOURCE.format(
        inputs=", ".join(names), parameters=", ".join(access(name) for name in parameters), norm=NORM, lr=LR, beta1=BETA1,
        beta2=BETA2, decay=DECAY, eps=EPS))
    step.save(str(path))
    return torch.stack(losses)


class Step(torch.nn.Module):
    """The network and AdamW's moments; `forward` is added to it, because its text depends on the parameters' names."""

    first: list[torch.Tensor]
    second: list[torch.Tensor]
    steps: list[torch.Tensor]

    def __init__(self, m):
        super().__init__()
        self.m = m
        self.first = [torch.zeros_like(p) for p in m.parameters()]
        self.second = [torch.zeros_like(p) for p in m.parameters()]
        self.steps = [torch.zeros(()) for _ in m.parameters()]

    @torch.jit.export
    def count(self):
        return len(self.first) + len(self.second) + len(self.steps)


class Call(torch.nn.Module):
    def __init__(self, row):
        super().__init__()
        self.m, self.call = row.module, row.call

    def forward(self, *inputs):
        return self.call(self.m, *inputs)


def access(name):
    """TorchScript has no names of digits alone: elements of module lists are reached by getattr."""
    expression = "self.m"
    for part in name.split("."):
        expression = f"getattr({expression}, '{part}')" if part.isdigit() else f"{expression}.{part}"
    return expression
