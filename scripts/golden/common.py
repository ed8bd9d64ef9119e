"""What the golden scripts share: repeatable torch, the rule for weights, and one way to write a file.

Importing it fixes the number of threads and the deterministic algorithms, so that a second run writes the same bytes.
"""

import json
import math
from pathlib import Path

import diffusers
import torch
from safetensors.torch import save_file

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

WEIGHTS_RULE = "rule-1"


def generator(seed):
    return torch.Generator().manual_seed(seed)


def randn(seed, *shape):
    return torch.randn(shape, generator=generator(seed))


def fill(model):
    """Gives every parameter numbers that any torch-like generator can make again (README.md, 'Weights'): rule-1."""
    with torch.no_grad():
        for i, (name, p) in enumerate(sorted(model.named_parameters())):
            z = torch.randn(p.numel(), generator=generator(1000 + i)).reshape(p.shape)
            if name == "time_proj.weight" and p.dim() == 1:
                p.copy_(16 * z)
            elif p.dim() >= 2:
                p.copy_(z * (1 / math.sqrt(p.numel() // p.shape[0])))
            elif name.endswith("weight"):
                p.copy_(1 + 0.1 * z)
            else:
                p.copy_(0.1 * z)
    return model


def config_of(model_or_scheduler):
    """The JSON that diffusers writes as config.json or scheduler_config.json."""
    return json.loads(model_or_scheduler.to_json_string())


def samples(named, limit=12):
    """Numbers of many tensors as one: by sorted name, from each at most `limit`, every max(1, numel // limit)-th."""
    flat = [t.detach().flatten() for _, t in sorted(named)]
    return torch.cat([f[:: max(1, f.numel() // limit)][:limit] for f in flat])


def save(folder, name, tensors, **facts):
    """Writes tensors, and the facts as JSON in the one metadata key "golden" (several would be written in any order)."""
    path = Path(folder) / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    facts["made_with"] = f"torch {torch.__version__}, diffusers {diffusers.__version__}"
    tensors = {k: v.detach().contiguous().clone() for k, v in tensors.items()}
    save_file(tensors, path, metadata={"golden": json.dumps(facts)})
    print(f"{path.stat().st_size:8d} {path}")
