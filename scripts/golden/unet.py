"""Outputs of diffusers' UNet2DModel for one configuration per option that diffusion.model implements.

Usage: python scripts/golden/unet.py FOLDER
"""

import math
import sys

import torch
from diffusers import UNet2DModel

from common import WEIGHTS_RULE, config_of, fill, randn, save

# google/ddpm-cifar10-32
CIFAR10 = {
    "sample_size": 32,
    "act_fn": "silu",
    "attention_head_dim": None,
    "block_out_channels": (128, 256, 256, 256),
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
    "downsample_padding": 0,
    "flip_sin_to_cos": False,
    "freq_shift": 1,
    "layers_per_block": 2,
    "norm_eps": 1e-6,
    "norm_num_groups": 32,
}

PLAIN = {
    "sample_size": 16,
    "block_out_channels": (8, 16),
    "down_block_types": ("DownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "UpBlock2D"),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "add_attention": False,
}
ATTENTION = {
    **PLAIN,
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": 8,
    "add_attention": True,
}

CASES = {
    "plain": PLAIN,
    "attention": ATTENTION,
    "attention_heads": {
        **ATTENTION,
        "down_block_types": ("AttnDownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "AttnUpBlock2D"),
        "attention_head_dim": 4,
        "attn_norm_num_groups": 2,
        "layers_per_block": 2,
    },
    "three_levels_12x12": {
        **PLAIN,
        "sample_size": 12,
        "block_out_channels": (8, 12, 32),
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 2,
        "attention_head_dim": None,
        "add_attention": True,
    },
    "padding0": {**PLAIN, "downsample_padding": 0, "flip_sin_to_cos": False, "freq_shift": 1, "norm_eps": 1e-6},
    "padding0_attention": {**ATTENTION, "down_block_types": ("AttnDownBlock2D", "DownBlock2D"),
                           "downsample_padding": 0},
    "fourier": {**ATTENTION, "time_embedding_type": "fourier", "mid_block_scale_factor": math.sqrt(2)},
    "learned_time": {**PLAIN, "time_embedding_type": "learned", "num_train_timesteps": 20},
    "classes": {**ATTENTION, "num_class_embeds": 5},
    "classes_timestep": {**PLAIN, "class_embed_type": "timestep"},
    "classes_identity": {**PLAIN, "class_embed_type": "identity", "time_embedding_dim": 24},
    "scale_shift": {**ATTENTION, "resnet_time_scale_shift": "scale_shift"},
    "scale_shift_groups": {**ATTENTION, "resnet_time_scale_shift": "scale_shift", "attn_norm_num_groups": 8},
    "resnet_resampling": {
        **ATTENTION,
        "block_out_channels": (8, 16, 16),
        "down_block_types": ("AttnDownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "UpBlock2D", "AttnUpBlock2D"),
        "downsample_type": "resnet",
        "upsample_type": "resnet",
    },
    "centered_relu": {
        **PLAIN,
        "in_channels": 1,
        "out_channels": 2,
        "center_input_sample": True,
        "act_fn": "relu",
        "norm_eps": 1e-3,
        "mid_block_scale_factor": math.sqrt(2),
    },
    "gelu": {**PLAIN, "act_fn": "gelu", "dropout": 0.3},
    "mish": {**ATTENTION, "act_fn": "mish"},
    "no_mid_block": {**ATTENTION, "mid_block_type": None},
    "wide_8x16": {**PLAIN, "sample_size": (8, 16)},
    "one_block": {**PLAIN, "block_out_channels": (8,), "down_block_types": ("AttnDownBlock2D",),
                  "up_block_types": ("AttnUpBlock2D",), "attention_head_dim": 8, "sample_size": 8},
}


def labels_for(config, batch):
    """Class labels of the kind the configuration takes, or none."""
    if config.get("class_embed_type") == "identity":
        return randn(3, batch, config["time_embedding_dim"])
    if config.get("class_embed_type") == "timestep":
        return torch.tensor([7, 300])[:batch]
    if "num_class_embeds" in config:
        return torch.tensor([4, 0])[:batch]
    return None


def write(folder, name, config, timesteps, separately=False):
    """One forward pass, or for `separately` one per timestep with the same batch of one."""
    model = fill(UNet2DModel(**config)).eval()
    batch = 1 if separately else len(timesteps)
    size = config["sample_size"]
    height, width = size if isinstance(size, tuple) else (size, size)
    x = randn(2, batch, model.config.in_channels, height, width)
    labels = labels_for(config, batch)
    tensors = {"sample": x}
    if labels is not None:
        tensors["class_labels"] = labels.float()
    with torch.no_grad():
        if separately:
            for t in timesteps:
                tensors[f"output_{t}"] = model(x, t, class_labels=labels).sample
        else:
            tensors["timestep"] = torch.tensor(timesteps).float()
            tensors["output"] = model(x, torch.tensor(timesteps), class_labels=labels).sample
    json_config = config_of(model)
    if isinstance(size, tuple):
        json_config["sample_size"] = None  # not square; the shape of `sample` says it
    save(folder, f"unet_{name}", tensors, config=json_config, weights=WEIGHTS_RULE, timesteps=timesteps,
         parameters=sum(p.numel() for p in model.parameters()))


def main(folder):
    write(folder, "ddpm_cifar10", CIFAR10, [10, 999], separately=True)
    for name, config in CASES.items():
        write(folder, name, config, [3, 17] if "num_train_timesteps" in config else [10, 999])


if __name__ == "__main__":
    main(sys.argv[1])
