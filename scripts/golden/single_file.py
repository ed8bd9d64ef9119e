"""What diffusers makes of the weights' names in single-file checkpoints.

Usage: python scripts/golden/single_file.py FOLDER
"""

import sys

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from common import save
from latent import SD1, SDXL, TEXT, VAE

RESNET = ["in_layers.0", "in_layers.2", "emb_layers.1", "out_layers.0", "out_layers.3", "skip_connection"]


def unet_names(config, transformers):
    """All original names of a U-Net, some of which the converter has no use for (no skip_connection everywhere)."""
    layers, levels = config["layers_per_block"], len(config["block_out_channels"])
    blocks = ["attn1.to_q.weight", "attn1.to_k.weight", "attn1.to_v.weight", "attn1.to_out.0.weight", "attn1.to_out.0.bias",
              "ff.net.0.proj.weight", "ff.net.0.proj.bias", "ff.net.2.weight", "ff.net.2.bias", "norm1.weight", "norm1.bias",
              "norm2.weight", "norm2.bias", "norm3.weight", "norm3.bias", "attn2.to_q.weight", "attn2.to_k.weight",
              "attn2.to_v.weight", "attn2.to_out.0.weight", "attn2.to_out.0.bias"]

    def resnet(place):
        return [f"{place}.{r}.{k}" for r in RESNET for k in ("weight", "bias")]

    def transformer(place, depth):
        ends = [f"{place}.{p}.{k}" for p in ("norm", "proj_in", "proj_out") for k in ("weight", "bias")]
        return ends + [f"{place}.transformer_blocks.{d}.{b}" for d in range(depth) for b in blocks]

    names = [f"{p}.{k}" for p in ("time_embed.0", "time_embed.2", "input_blocks.0.0", "out.0", "out.2") for k in ("weight", "bias")]
    if "addition_embed_type" in config:
        names += [f"label_emb.0.{i}.{k}" for i in (0, 2) for k in ("weight", "bias")]
    n = 1
    for level in range(levels):
        for _ in range(layers):
            names += resnet(f"input_blocks.{n}.0")
            if "Cross" in config["down_block_types"][level]:
                names += transformer(f"input_blocks.{n}.1", transformers[level])
            n += 1
        if level < levels - 1:
            names += [f"input_blocks.{n}.0.op.weight", f"input_blocks.{n}.0.op.bias"]
            n += 1
    names += resnet("middle_block.0") + transformer("middle_block.1", transformers[-1]) + resnet("middle_block.2")
    n = 0
    for level in range(levels):
        cross = "Cross" in config["up_block_types"][level]
        for layer in range(layers + 1):
            names += resnet(f"output_blocks.{n}.0")
            if cross:
                names += transformer(f"output_blocks.{n}.1", transformers[levels - 1 - level])
            if layer == layers and level < levels - 1:
                names += [f"output_blocks.{n}.{2 if cross else 1}.conv.{k}" for k in ("weight", "bias")]
            n += 1
    return names


def vae_names(config):
    layers, levels = config["layers_per_block"], len(config["block_out_channels"])
    resnet = ["norm1", "conv1", "norm2", "conv2", "nin_shortcut"]
    names = ["quant_conv", "post_quant_conv"]
    for half in ("encoder", "decoder"):
        names += [f"{half}.conv_in", f"{half}.conv_out", f"{half}.norm_out"]
        names += [f"{half}.mid.{b}.{r}" for b in ("block_1", "block_2") for r in resnet[:4]]
        names += [f"{half}.mid.attn_1.{p}" for p in ("norm", "q", "k", "v", "proj_out")]
    for i in range(levels):
        names += [f"encoder.down.{i}.block.{j}.{r}" for j in range(layers) for r in resnet]
        names += [f"decoder.up.{i}.block.{j}.{r}" for j in range(layers + 1) for r in resnet]
        names += [f"encoder.down.{i}.downsample.conv"] * (i < levels - 1) + [f"decoder.up.{i}.upsample.conv"] * (i > 0)
    return [f"{n}.{k}" for n in names for k in ("weight", "bias")]


def numbered(names, prefix):
    """Tensors that say by their value which name they had."""
    return {prefix + n: torch.tensor([[[[float(i)]]]]) for i, n in enumerate(names)}


def pairs(names, prefix, converted, model):
    have = set(model.state_dict())
    found = {k: prefix + names[int(v.flatten()[0])] for k, v in converted.items() if k in have}
    missing = have - set(found)
    assert not missing, sorted(missing)[:5]
    return found


def clip(layers=3):
    width = TEXT["hidden_size"]
    config = CLIPTextConfig(**{**TEXT, "projection_dim": 10, "num_hidden_layers": layers})
    model = CLIPTextModelWithProjection(config)
    prefix = "conditioner.embedders.1.model."
    rows = ["ln_1.weight", "ln_1.bias", "ln_2.weight", "ln_2.bias", "mlp.c_fc.weight", "mlp.c_fc.bias", "mlp.c_proj.weight",
            "mlp.c_proj.bias", "attn.out_proj.weight", "attn.out_proj.bias", "attn.in_proj_weight", "attn.in_proj_bias"]
    names = [f"transformer.resblocks.{i}.{r}" for i in range(layers) for r in rows]
    names += ["positional_embedding", "token_embedding.weight", "ln_final.weight", "ln_final.bias", "text_projection"]
    checkpoint = {}
    for i, n in enumerate(names):
        if "in_proj_weight" in n:
            value = torch.arange(3).repeat_interleave(width)[:, None].repeat(1, width) / 10 + i
        elif "in_proj_bias" in n:
            value = torch.arange(3).repeat_interleave(width) / 10 + i
        elif n == "text_projection":
            value = torch.full((width, 10), float(i))
        else:
            value = torch.full((1,), float(i))
        checkpoint[prefix + n] = value
    converted = convert_open_clip_checkpoint(model, checkpoint, prefix=prefix)
    found = {}
    for k, v in converted.items():
        x = float(v.flatten()[0])
        part = round((x - int(x + 1e-4)) * 10)
        name = names[int(x + 1e-4)]
        found[k] = [prefix + name, part, 3 if "in_proj" in name else 1]
    return found


def main(folder):
    facts = {}
    for name, config, depths in (("sd", {**SD1, "layers_per_block": 2}, (1, 1)), ("sdxl", SDXL, (0, 2, 3))):
        model = UNet2DConditionModel(**config)
        names = unet_names(config, depths)
        prefix = "model.diffusion_model."
        converted = convert_ldm_unet_checkpoint(numbered(names, prefix), dict(model.config))
        facts["unet_" + name] = pairs(names, prefix, converted, model)
    vae = {**VAE, "layers_per_block": 2, "block_out_channels": (8, 16, 24), "down_block_types": ("DownEncoderBlock2D",) * 3,
           "up_block_types": ("UpDecoderBlock2D",) * 3}
    model = AutoencoderKL(**vae)
    names = vae_names(vae)
    prefix = "first_stage_model."
    converted = convert_ldm_vae_checkpoint(numbered(names, prefix), dict(model.config))
    facts["vae"] = pairs(names, prefix, converted, model)
    facts["clip"] = clip()
    save(folder, "single_file", {"none": torch.zeros(1)}, **facts)


if __name__ == "__main__":
    main(sys.argv[1])
