"""The rows of `scripts/diffusion-bench peers`: what is computed, with which weights and inputs."""

import json
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel, UNet2DModel
from diffusers.models.attention import FeedForward
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.upsampling import Upsample2D
from torch import nn
from torch.nn.functional import scaled_dot_product_attention, silu
from transformers import CLIPTextConfig, CLIPTextModel

ROWS: dict[str, Callable] = {}


@dataclass
class Row:
    """`model` tells Java what to build; `call` runs the module on the inputs, all of them float32."""

    name: str
    title: str
    group: str
    model: dict[str, Any]
    module: nn.Module
    inputs: dict[str, torch.Tensor]
    call: Callable
    kind: str = "op"
    config: str | None = None


def op(group, name, title, make):
    ROWS[name] = lambda _: Row(name, title, group, *make())


def named(name, layer):
    module = nn.Module()
    module.add_module(name, layer)
    return module


def conv(n, c_in, c_out, size, kernel):
    return ({"type": "conv", "in": c_in, "out": c_out, "kernel": kernel},
            named("conv", nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2)),
            {"x": torch.randn(n, c_in, size, size)}, lambda m, x: m.conv(x))


def linear(n, tokens, c_in, c_out):
    return ({"type": "linear", "in": c_in, "out": c_out}, named("linear", nn.Linear(c_in, c_out)),
            {"x": torch.randn(n, tokens, c_in)}, lambda m, x: m.linear(x))


def norm_silu(n, c, size):
    return ({"type": "norm_silu", "channels": c}, named("norm", nn.GroupNorm(32, c, eps=1e-5)),
            {"x": torch.randn(n, c, size, size)}, lambda m, x: silu(m.norm(x)))


def attention(n, tokens, keys, c, heads):
    def call(_, q, k, v):
        split = [t.view(n, -1, heads, c // heads).transpose(1, 2) for t in (q, k, v)]
        return scaled_dot_product_attention(*split).transpose(1, 2).reshape(n, -1, c)

    inputs = {"q": torch.randn(n, tokens, c), "k": torch.randn(n, keys, c), "v": torch.randn(n, keys, c)}
    return {"type": "attention", "heads": heads}, nn.Module(), inputs, call


def geglu(n, tokens, c):
    return ({"type": "geglu", "channels": c}, FeedForward(c, activation_fn="geglu"), {"x": torch.randn(n, tokens, c)},
            lambda m, x: m(x))


def resnet(n, c_in, c_out, size, temb):
    module = ResnetBlock2D(in_channels=c_in, out_channels=c_out, temb_channels=temb, groups=32, eps=1e-5)
    return ({"type": "resnet", "in": c_in, "out": c_out, "temb": temb}, module,
            {"x": torch.randn(n, c_in, size, size), "temb": torch.randn(n, temb)}, lambda m, x, temb: m(x, temb))


def upsample(n, c, size):
    return ({"type": "upsample", "channels": c}, Upsample2D(c, use_conv=True), {"x": torch.randn(n, c, size, size)},
            lambda m, x: m(x))


def transformer(n, c, heads, size, context):
    module = Transformer2DModel(heads, c // heads, in_channels=c, cross_attention_dim=context)
    return ({"type": "transformer", "channels": c, "heads": heads, "context": context}, module,
            {"x": torch.randn(n, c, size, size), "context": torch.randn(n, 77, context)},
            lambda m, x, context: m(x, encoder_hidden_states=context, return_dict=False)[0])


def ops(group, prefix, n, rows):
    for name, title, make in rows:
        op(group, f"{prefix}-{name}", title, partial(make[0], n, *make[1:]))


ops("ddpm-cifar10-32 layers, batch 1", "ddpm", 1, [
    ("conv-128", "3x3 convolution, 128 channels, 32x32", (conv, 128, 128, 32, 3)),
    ("conv-256", "3x3 convolution, 256 channels, 16x16", (conv, 256, 256, 16, 3)),
    ("norm-128", "GroupNorm + SiLU, 128 channels, 32x32", (norm_silu, 128, 32)),
    ("attention-256", "self-attention, 256 tokens, one head of 256", (attention, 256, 256, 256, 1)),
    ("resnet-256", "residual block, 256 channels, 16x16", (resnet, 256, 256, 16, 512)),
    ("upsample-256", "upsampling to 16x16 and convolution, 256 channels", (upsample, 256, 8)),
])
ops("SD 1.5 layers, 64x64 latents, batch 2", "sd15", 2, [
    ("conv-320", "3x3 convolution, 320 channels, 64x64", (conv, 320, 320, 64, 3)),
    ("conv-640", "3x3 convolution, 640 channels, 32x32", (conv, 640, 640, 32, 3)),
    ("conv-1280", "3x3 convolution, 1280 channels, 16x16", (conv, 1280, 1280, 16, 3)),
    ("conv-1280-8", "3x3 convolution, 1280 channels, 8x8", (conv, 1280, 1280, 8, 3)),
    ("conv1x1-320", "1x1 convolution, 320 channels, 64x64", (conv, 320, 320, 64, 1)),
    ("linear-320", "linear layer, 4096 tokens, 320 to 320", (linear, 4096, 320, 320)),
    ("norm-320", "GroupNorm + SiLU, 320 channels, 64x64", (norm_silu, 320, 64)),
    ("attention-40", "self-attention, 4096 tokens, 8 heads of 40", (attention, 4096, 4096, 320, 8)),
    ("attention-80", "self-attention, 1024 tokens, 8 heads of 80", (attention, 1024, 1024, 640, 8)),
    ("attention-160", "self-attention, 256 tokens, 8 heads of 160", (attention, 256, 256, 1280, 8)),
    ("cross-40", "attention of 4096 tokens to 77, 8 heads of 40", (attention, 4096, 77, 320, 8)),
    ("geglu-320", "GEGLU feed-forward, 4096 tokens, 320 features", (geglu, 4096, 320)),
    ("geglu-1280", "GEGLU feed-forward, 256 tokens, 1280 features", (geglu, 256, 1280)),
    ("resnet-320", "residual block, 320 channels, 64x64", (resnet, 320, 320, 64, 1280)),
    ("resnet-1280", "residual block, 1280 channels, 16x16", (resnet, 1280, 1280, 16, 1280)),
    ("upsample-640", "upsampling to 64x64 and convolution, 640 channels", (upsample, 640, 32)),
    ("transformer-320", "transformer, 4096 tokens, 320 channels", (transformer, 320, 8, 64, 768)),
])
ops("SDXL layers, 128x128 latents, batch 2", "sdxl", 2, [
    ("conv-320", "3x3 convolution, 320 channels, 128x128", (conv, 320, 320, 128, 3)),
    ("conv-640", "3x3 convolution, 640 channels, 64x64", (conv, 640, 640, 64, 3)),
    ("conv-1280", "3x3 convolution, 1280 channels, 32x32", (conv, 1280, 1280, 32, 3)),
    ("linear-1280", "linear layer, 1024 tokens, 1280 to 1280", (linear, 1024, 1280, 1280)),
    ("norm-320", "GroupNorm + SiLU, 320 channels, 128x128", (norm_silu, 320, 128)),
    ("attention-640", "self-attention, 4096 tokens, 10 heads of 64", (attention, 4096, 4096, 640, 10)),
    ("attention-1280", "self-attention, 1024 tokens, 20 heads of 64", (attention, 1024, 1024, 1280, 20)),
    ("cross-640", "attention of 4096 tokens to 77, 10 heads of 64", (attention, 4096, 77, 640, 10)),
    ("geglu-1280", "GEGLU feed-forward, 1024 tokens, 1280 features", (geglu, 1024, 1280)),
    ("resnet-640", "residual block, 640 channels, 64x64", (resnet, 640, 640, 64, 1280)),
    ("upsample-640", "upsampling to 128x128 and convolution, 640 channels", (upsample, 640, 64)),
])


def step(name):
    def register(make):
        ROWS[name] = make
        return make

    return register


def whole(name, title, cls, module, inputs, call, kind="step", config=None):
    text = config if config is not None else module.to_json_string()
    return Row(name, title, "whole models", {"type": cls}, module, inputs, call, kind, text)


def ddpm(batch, name):
    module = UNet2DModel(
        sample_size=32, block_out_channels=(128, 256, 256, 256), layers_per_block=2, attention_head_dim=None,
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        downsample_padding=0, flip_sin_to_cos=False, freq_shift=1, norm_eps=1e-6)
    inputs = {"sample": torch.randn(batch, 3, 32, 32), "timestep": torch.linspace(999, 10, batch)}
    return whole(name, f"ddpm-cifar10-32, {batch} x 32x32", "UNet2DModel", module, inputs,
                 lambda m, x, t: m(x, t, return_dict=False)[0])


ROWS["ddpm-step"] = partial(ddpm, 1)
ROWS["ddpm-step-batch16"] = partial(ddpm, 16)


@step("sd15-step")
def sd15(name):
    module = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    inputs = {"sample": torch.randn(2, 4, 64, 64), "timestep": torch.full((2,), 500.0), "context": torch.randn(2, 77, 768)}
    return whole(name, "SD 1.5 U-Net, 512x512, batch 2", "UNet2DConditionModel", module, inputs,
                 lambda m, x, t, c: m(x, t, c, return_dict=False)[0])


@step("vae-decode")
def vae(name):
    module = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, sample_size=512,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)
    return whole(name, "VAE decoder of SD 1.5, 512x512", "AutoencoderKL", module, {"latent": torch.randn(1, 4, 64, 64)},
                 lambda m, z: m.decode(z, return_dict=False)[0])


@step("clip-text")
def clip(name):
    config = CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
                            vocab_size=49408, hidden_act="quick_gelu")
    config.architectures = ["CLIPTextModel"]
    config._attn_implementation = "sdpa"
    ids = torch.randint(0, 49406, (1, 77))
    ids[0, 0], ids[0, 40:] = 49406, 49407
    return whole(name, "CLIP ViT-L/14 text encoder, 77 tokens", "CLIPTextModel", CLIPTextModel(config),
                 {"ids": ids.float()}, lambda m, ids: m(ids.long()).last_hidden_state,
                 config=json.dumps({**config.to_dict(), "dtype": None}, indent=2))


@step("train-digits")
def training(name):
    config = dict(
        sample_size=28, in_channels=1, out_channels=1, block_out_channels=(24, 48, 96), layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"), norm_num_groups=8, attention_head_dim=48,
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"), num_class_embeds=11)
    inputs = {"sample": torch.randn(64, 1, 28, 28), "timestep": torch.randint(0, 1000, (64,)).float(),
              "labels": torch.randint(0, 11, (64,)).float(), "target": torch.randn(64, 1, 28, 28)}
    return whole(name, "training step of the built-in model, batch 64", "UNet2DModel", UNet2DModel(**config), inputs,
                 lambda m, x, t, labels: m(x, t, labels.long(), return_dict=False)[0], kind="train")


def sdxl(name, title, deepest, batch):
    module = UNet2DConditionModel(
        sample_size=128, cross_attention_dim=2048, attention_head_dim=(5, 10, 20), block_out_channels=(320, 640, 1280),
        transformer_layers_per_block=(1, 2, deepest), use_linear_projection=True,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), addition_embed_type="text_time",
        addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816)
    inputs = {"sample": torch.randn(batch, 4, 128, 128), "timestep": torch.full((batch,), 500.0),
              "context": torch.randn(batch, 77, 2048), "text_embeds": torch.randn(batch, 1280),
              "time_ids": torch.tensor([[1024.0, 1024, 0, 0, 1024, 1024]] * batch)}
    return whole(name, title, "UNet2DConditionModel", module, inputs,
                 lambda m, x, t, c, text, ids: m(x, t, c, added_cond_kwargs={"text_embeds": text, "time_ids": ids},
                                                 return_dict=False)[0])


@step("sdxl-step")
def sdxl_whole(name):
    return sdxl(name, "SDXL U-Net, 1024x1024, batch 2", 10, 2)


@step("sdxl-step-short")
def sdxl_short(name):
    """For machines whose memory cannot hold the whole one three times."""
    return sdxl(name, "SDXL U-Net with 2 instead of 10 of its deepest transformer layers, 1024x1024, batch 1", 2, 1)
