"""Pictures of StableDiffusionPipeline, StableDiffusionXLPipeline and LatentConsistencyModelPipeline with tiny networks.

Usage: python scripts/golden/text_to_image.py FOLDER
"""

import gzip
import sys
from pathlib import Path

import diffusers
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from common import WEIGHTS_RULE, config_of, fill, generator, save
from latent import SD1, SDXL, TEXT, VAE

ROOT = Path(__file__).resolve().parents[2]
MERGES = 600 - 512 - 2
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
OFFSET = {**BETAS, "steps_offset": 1}
SAMPLERS = {
    "DDIM": ("DDIMScheduler", {**OFFSET, "clip_sample": False, "set_alpha_to_one": False}),
    "DDPM": ("DDPMScheduler", {**OFFSET, "clip_sample": False}),
    "Euler": ("EulerDiscreteScheduler", OFFSET),
    "Euler_trailing_v": ("EulerDiscreteScheduler", {**BETAS, "timestep_spacing": "trailing",
                                                    "prediction_type": "v_prediction"}),
    "Euler_karras": ("EulerDiscreteScheduler", {**OFFSET, "use_karras_sigmas": True}),
    "EulerA": ("EulerAncestralDiscreteScheduler", OFFSET),
    "LMS": ("LMSDiscreteScheduler", OFFSET),
    "DPM++2M": ("DPMSolverMultistepScheduler", OFFSET),
    "DPM++2M_karras": ("DPMSolverMultistepScheduler", {**OFFSET, "use_karras_sigmas": True}),
    "PNDM": ("PNDMScheduler", {**OFFSET, "skip_prk_steps": True}),
    "Heun": ("HeunDiscreteScheduler", OFFSET),
    "DPM2": ("KDPM2DiscreteScheduler", OFFSET),
    "DPM2a": ("KDPM2AncestralDiscreteScheduler", OFFSET),
    "DEIS": ("DEISMultistepScheduler", OFFSET),
    "UniPC": ("UniPCMultistepScheduler", OFFSET),
    "LCM": ("LCMScheduler", OFFSET),
    "TCD": ("TCDScheduler", OFFSET),
    "DPM++2S": ("DPMSolverSinglestepScheduler", BETAS),
    "DPM++2S_karras": ("DPMSolverSinglestepScheduler", {**BETAS, "use_karras_sigmas": True}),
    "DPM++2S_SDE": ("DPMSolverSinglestepScheduler", {**BETAS, "algorithm_type": "sde-dpmsolver++"}),
    "DPM3S": ("DPMSolverSinglestepScheduler", {**BETAS, "solver_order": 3, "algorithm_type": "dpmsolver",
                                               "final_sigmas_type": "sigma_min"}),
    "SASolver": ("SASolverScheduler", OFFSET),
    "DPM++2M_SDE": ("DPMSolverMultistepScheduler", {**OFFSET, "algorithm_type": "sde-dpmsolver++"}),
}
TAESD = {
    "encoder_block_out_channels": (8, 8),
    "decoder_block_out_channels": (8, 8),
    "num_encoder_blocks": (1, 2),
    "num_decoder_blocks": (2, 1),
}
PROMPT = "A lighthouse at dusk, in the rain!"


def tokenizer(pad):
    with gzip.open(ROOT / "src/main/resources/clip/merges.txt.gz", "rt", encoding="utf-8") as f:
        merges = [tuple(line.split()) for line in f.read().split("\n")[1:MERGES + 1]]
    visible = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = [chr(b) for b in visible] + [chr(256 + i) for i in range(256 - len(visible))]
    words = letters + [x + "</w>" for x in letters] + ["".join(m) for m in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={w: i for i, w in enumerate(words)}, merges=merges, pad_token=pad, model_max_length=77)


def encoder(cls, **changes):
    config = CLIPTextConfig(**{**TEXT, **changes})
    config.architectures = [cls.__name__]
    model = fill(cls(config)).eval()
    if cls is CLIPTextModel:  # where diffusers' clip_skip looks for the final norm
        object.__setattr__(model, "text_model", model)
    return model


def scheduler(name):
    cls, options = SAMPLERS[name]
    return getattr(diffusers, cls)(**options)


def families():
    vae = fill(AutoencoderKL(**VAE)).eval()
    clip = encoder(CLIPTextModel)
    wide = encoder(CLIPTextModelWithProjection, hidden_size=15, projection_dim=10, hidden_act="gelu", num_hidden_layers=2)
    end, bang = tokenizer("<|endoftext|>"), tokenizer("!")
    none = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    yield "sd", diffusers.StableDiffusionPipeline, {
        "unet": UNet2DConditionModel(**SD1), "vae": vae, "text_encoder": clip, "tokenizer": end, **none,
    }, {name: {"scheduler": name} for name in SAMPLERS} | {
        "negative": {"scheduler": "DDIM", "negative_prompt": "blurry"},
        "unguided": {"scheduler": "Euler", "guidance_scale": 1.0},
        "clip_skip": {"scheduler": "Euler", "clip_skip": 1},
        "rescaled": {"scheduler": "DDIM", "negative_prompt": "blurry", "guidance_scale": 9.0, "guidance_rescale": 0.7},
    }
    yield "taesd", diffusers.StableDiffusionPipeline, {
        "unet": UNet2DConditionModel(**SD1), "vae": fill(AutoencoderTiny(**TAESD)).eval(), "text_encoder": clip,
        "tokenizer": end, **none,
    }, {"Euler": {"scheduler": "Euler"}}
    yield "sdxl", diffusers.StableDiffusionXLPipeline, {
        "unet": UNet2DConditionModel(**{**SDXL, "cross_attention_dim": 27}), "vae": vae, "text_encoder": clip,
        "text_encoder_2": wide, "tokenizer": end, "tokenizer_2": bang, "add_watermarker": False,
    }, {"Euler": {"scheduler": "Euler"}, "negative": {"scheduler": "EulerA", "negative_prompt": "blurry"},
       "rescaled": {"scheduler": "Euler", "guidance_rescale": 1.0}}
    yield "lcm", diffusers.StableDiffusionPipeline, {
        "unet": UNet2DConditionModel(**{**SD1, "time_cond_proj_dim": 6}), "vae": vae, "text_encoder": clip,
        "tokenizer": end, **none,
    }, {"distilled": {"scheduler": "Euler", "guidance_scale": 8.5}}


def facts(cls, parts, runs):
    """What a test needs to make the same pipeline."""
    configs = {k: config_of(v) for k, v in parts.items() if k in ("unet", "vae")}
    for k, v in parts.items():
        if k.startswith("text_encoder"):
            configs[k] = {**v.config.to_dict(), "dtype": None}
    pads = {k: v.pad_token for k, v in parts.items() if k.startswith("tokenizer")}
    return {"pipeline": cls.__name__, "prompt": PROMPT, "seed": 7, "runs": runs, "components": configs, "pads": pads,
            "merges": MERGES, "weights": WEIGHTS_RULE}


def main(folder):
    for family, cls, parts, runs in families():
        fill(parts["unet"]).eval()
        tensors, done = {}, {}
        for name, options in runs.items():
            options = {"num_inference_steps": 5, "guidance_scale": 5.0, "height": 32, "width": 48, **options}
            used = scheduler(options.pop("scheduler"))
            pipeline = cls(scheduler=used, **parts)
            pipeline.set_progress_bar_config(disable=True)
            image = pipeline(PROMPT, generator=generator(7), output_type="np", **options).images
            tensors[name] = torch.from_numpy((image * 255).round().astype("uint8"))
            done[name] = {"scheduler_config": config_of(used), **options}
        save(folder, f"text_to_image_{family}", tensors, **facts(cls, parts, done))


if __name__ == "__main__":
    main(sys.argv[1])
