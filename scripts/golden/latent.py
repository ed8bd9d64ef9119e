"""Outputs of the networks of latent diffusion: UNet2DConditionModel, the autoencoders and CLIP's text encoders.

Usage: python scripts/golden/latent.py FOLDER
"""

import sys

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel, VQModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from common import WEIGHTS_RULE, config_of, fill, randn, save

SD1 = {
    "sample_size": 8,
    "block_out_channels": (8, 16),
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "cross_attention_dim": 12,
    "attention_head_dim": 2,
}
SDXL = {
    **SD1,
    "block_out_channels": (8, 16, 16),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 2,
    "attention_head_dim": (1, 2, 4),
    "transformer_layers_per_block": (1, 2, 3),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 4,
    "projection_class_embeddings_input_dim": 6 * 4 + 10,
}

UNETS = {
    "sd1": SD1,
    "sd2": {**SD1, "use_linear_projection": True, "attention_head_dim": (1, 4), "upcast_attention": True},
    "sdxl": SDXL,
    "lcm": {**SD1, "time_cond_proj_dim": 6},
    "inpaint": {**SD1, "in_channels": 9},
    "upscaler": {
        **SD1,
        "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        "only_cross_attention": (True, False),
        "num_class_embeds": 5,
        "in_channels": 7,
    },
    "class_projection": {**SD1, "class_embed_type": "projection", "projection_class_embeddings_input_dim": 9},
    "class_timestep": {**SD1, "class_embed_type": "timestep", "encoder_hid_dim": 7, "conv_in_kernel": 5},
    "lists": {
        **SD1,
        "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        "layers_per_block": (1, 2),
        "cross_attention_dim": (12, 12),
        "act_fn": "gelu",
        "resnet_time_scale_shift": "scale_shift",
        "downsample_padding": 0,
        "mid_block_scale_factor": 1.5,
        "center_input_sample": True,
        "flip_sin_to_cos": False,
        "freq_shift": 1,
        "time_embedding_dim": 20,
    },
    "no_mid_block": {**SD1, "mid_block_type": None},
    "odd_7x11": SDXL,
}

VAE = {
    "block_out_channels": (8, 16),
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "norm_num_groups": 4,
    "layers_per_block": 1,
    "sample_size": 16,
}
VAES = {
    "sd": VAE,
    "no_quant": {**VAE, "use_quant_conv": False, "use_post_quant_conv": False, "latent_channels": 3,
                 "layers_per_block": 2},
    "no_attention": {**VAE, "mid_block_add_attention": False, "in_channels": 1, "out_channels": 1},
}

TINY = {
    "encoder_block_out_channels": (8, 8, 8),
    "decoder_block_out_channels": (8, 8, 8),
    "num_encoder_blocks": (1, 2, 1),
    "num_decoder_blocks": (2, 1, 1),
}
TINIES = {
    "plain": TINY,
    "other": {**TINY, "act_fn": "silu", "latent_channels": 5, "in_channels": 1, "out_channels": 2,
              "encoder_block_out_channels": (4, 4), "num_encoder_blocks": (0, 2), "decoder_block_out_channels": (6, 6),
              "num_decoder_blocks": (1, 0), "upsampling_scaling_factor": 3, "scaling_factor": 0.7},
}

VQ = {key: value for key, value in VAE.items() if key != "sample_size"} | {"num_vq_embeddings": 40, "latent_channels": 3}
VQS = {
    "ldm": VQ,
    "dim": {**VQ, "vq_embed_dim": 5, "mid_block_add_attention": False, "layers_per_block": 2, "act_fn": "gelu",
            "in_channels": 1, "out_channels": 1},
}

TEXT = {
    "vocab_size": 600,
    "hidden_size": 12,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "max_position_embeddings": 77,
    "bos_token_id": 598,
    "eos_token_id": 599,
}
TEXTS = {
    "clip": (CLIPTextModel, TEXT),
    "old_end": (CLIPTextModel, {**TEXT, "eos_token_id": 2, "hidden_act": "gelu"}),
    "projection": (CLIPTextModelWithProjection, {**TEXT, "projection_dim": 10, "hidden_act": "gelu"}),
}


def unet(folder, name, config):
    model = fill(UNet2DConditionModel(**config)).eval()
    n, c = 2, model.config
    tensors = {
        "sample": randn(2, n, c.in_channels, *((7, 11) if name == "odd_7x11" else (8, 12))),
        "timestep": torch.tensor([10.0, 999.0]),
        "context": randn(4, n, 5, c.encoder_hid_dim or 12),
    }
    options, added = {}, {}
    if c.num_class_embeds:
        options["class_labels"] = torch.tensor([4, 0])
    elif c.class_embed_type == "projection":
        options["class_labels"] = randn(5, n, 9)
    elif c.class_embed_type == "timestep":
        options["class_labels"] = torch.tensor([7, 300])
    if c.time_cond_proj_dim:
        options["timestep_cond"] = randn(6, n, c.time_cond_proj_dim)
    if c.addition_embed_type:
        added = {"text_embeds": randn(7, n, 10), "time_ids": torch.tensor([[64.0, 96, 0, 8, 64, 96], [32, 32, 1, 2, 3, 4]])}
        options["added_cond_kwargs"] = added
    with torch.no_grad():
        output = model(tensors["sample"], tensors["timestep"], tensors["context"], **options).sample
    options.pop("added_cond_kwargs", None)
    for key, value in {**options, **added}.items():
        tensors[key] = value.float()
    save(folder, f"unet_condition_{name}", {**tensors, "output": output}, config=config_of(model),
         weights=WEIGHTS_RULE, parameters=sum(p.numel() for p in model.parameters()))


def vae(folder, name, config):
    model = fill(AutoencoderKL(**config)).eval()
    c = model.config
    image, latent = randn(2, 2, c.in_channels, 12, 16), randn(3, 2, c.latent_channels, 6, 8)
    wide = randn(5, 1, c.latent_channels, 13, 18)
    picture = randn(6, 1, c.in_channels, 26, 36)
    with torch.no_grad():
        tensors = {"image": image, "latent": latent, "moments": model.encode(image).latent_dist.parameters,
                   "decoded": model.decode(latent).sample, "wide": wide, "picture": picture}
        model.enable_tiling()
        tensors["wide_tiled"] = model.decode(wide).sample
        tensors["picture_tiled"] = model.encode(picture).latent_dist.parameters
    save(folder, f"vae_{name}", tensors, config=config_of(model), weights=WEIGHTS_RULE,
         parameters=sum(p.numel() for p in model.parameters()))


def tiny(folder, name, config):
    model = fill(AutoencoderTiny(**config)).eval()
    c = model.config
    image, latent = randn(2, 2, c.in_channels, 12, 16), 2 * randn(3, 2, c.latent_channels, 3, 5)
    with torch.no_grad():
        tensors = {"image": image, "latent": latent, "moments": model.encode(image).latents,
                   "decoded": model.decode(latent).sample}
    save(folder, f"vae_tiny_{name}", tensors, config=config_of(model), weights=WEIGHTS_RULE,
         parameters=sum(p.numel() for p in model.parameters()))


def vq(folder, name, config):
    """`latent` is what is quantised, to the entries `indices` of the codebook, `quantized` [N, C, h, w]."""
    model = fill(VQModel(**config)).eval()
    c = model.config
    image, latent = randn(2, 2, c.in_channels, 12, 16), randn(3, 2, c.vq_embed_dim or c.latent_channels, 5, 7)
    with torch.no_grad():
        _, _, (_, _, indices) = model.quantize(latent)
        n, _, h, w = latent.shape
        quantized = model.quantize.get_codebook_entry(indices, (n, h, w, -1))
        tensors = {"image": image, "latent": latent, "moments": model.encode(image).latents, "indices": indices.float(),
                   "quantized": quantized, "decoded": model.decode(latent).sample}
    save(folder, f"vq_{name}", tensors, config=config_of(model), weights=WEIGHTS_RULE,
         parameters=sum(p.numel() for p in model.parameters()))


def text(folder, name, cls, config):
    config = CLIPTextConfig(**config)
    config.architectures = [cls.__name__]
    model = fill(cls(config)).eval()
    ids = torch.randint(3, 590, (2, 77), generator=torch.Generator().manual_seed(8))
    ids[:, 0], ids[0, 9:], ids[1, 76] = 598, 599, 599
    with torch.no_grad():
        out = model(ids, output_hidden_states=True)
    pooled = out.text_embeds if cls is CLIPTextModelWithProjection else out.pooler_output
    tensors = {"ids": ids.float(), "last": out.last_hidden_state, "pooled": pooled, "penultimate": out.hidden_states[-2],
               "first": out.hidden_states[0]}
    save(folder, f"text_{name}", tensors, config={**config.to_dict(), "dtype": None}, weights=WEIGHTS_RULE,
         parameters=sum(p.numel() for p in model.parameters()))


def main(folder):
    for name, config in UNETS.items():
        unet(folder, name, config)
    for name, config in VAES.items():
        vae(folder, name, config)
    for name, config in TINIES.items():
        tiny(folder, name, config)
    for name, config in VQS.items():
        vq(folder, name, config)
    for name, (cls, config) in TEXTS.items():
        text(folder, name, cls, config)


if __name__ == "__main__":
    main(sys.argv[1])
