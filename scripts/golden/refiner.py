"""Pictures of StableDiffusionXLPipeline whose last steps StableDiffusionXLImg2ImgPipeline does, with tiny networks.

Usage: python scripts/golden/refiner.py FOLDER

The base is that of text_to_image_sdxl; the components here are the refiner's.
"""

import sys

import diffusers
import torch
from diffusers import UNet2DConditionModel

from common import WEIGHTS_RULE, config_of, fill, generator, save
from latent import SDXL
from text_to_image import MERGES, PROMPT, families, scheduler

RUNS = {
    "Euler": {"scheduler": "Euler", "fraction": 0.8, "num_inference_steps": 8},
    "half": {"scheduler": "DPM++2M", "fraction": 0.5, "num_inference_steps": 7, "negative_prompt": "blurry"},
    "EulerA": {"scheduler": "EulerA", "fraction": 0.6, "num_inference_steps": 6},
    "Heun": {"scheduler": "Heun", "fraction": 0.7, "num_inference_steps": 5},
}


def main(folder):
    base = next(parts for family, _, parts, _ in families() if family == "sdxl")
    fill(base["unet"]).eval()
    unet = UNet2DConditionModel(**{**SDXL, "cross_attention_dim": 15, "projection_class_embeddings_input_dim": 5 * 4 + 10})
    parts = {"unet": fill(unet).eval(), "vae": base["vae"], "text_encoder_2": base["text_encoder_2"],
             "tokenizer_2": base["tokenizer_2"]}
    index = {"requires_aesthetics_score": True, "force_zeros_for_empty_prompt": False}
    tensors, runs = {}, {}
    for name, options in RUNS.items():
        used = scheduler(options["scheduler"])
        first = diffusers.StableDiffusionXLPipeline(scheduler=used, **base)
        second = diffusers.StableDiffusionXLImg2ImgPipeline(
            scheduler=scheduler(options["scheduler"]), text_encoder=None, tokenizer=None, add_watermarker=False, **parts, **index)
        first.set_progress_bar_config(disable=True)
        second.set_progress_bar_config(disable=True)
        random = generator(7)
        shared = {k: v for k, v in options.items() if k in ("num_inference_steps", "negative_prompt")} | {"guidance_scale": 5.0}
        latents = first(PROMPT, generator=random, height=32, width=48, denoising_end=options["fraction"],
                        output_type="latent", **shared).images
        image = second(PROMPT, image=latents, generator=random, denoising_start=options["fraction"], output_type="np",
                       **shared).images
        tensors[name] = torch.from_numpy((image * 255).round().astype("uint8"))
        runs[name] = {"scheduler_config": config_of(used), "fraction": options["fraction"], "height": 32, "width": 48, **shared}
    configs = {k: config_of(parts[k]) for k in ("unet", "vae")}
    configs["text_encoder_2"] = {**parts["text_encoder_2"].config.to_dict(), "dtype": None}
    save(folder, "refiner", tensors, pipeline="StableDiffusionXLImg2ImgPipeline", prompt=PROMPT, seed=7, runs=runs, index=index,
         components=configs, pads={"tokenizer_2": parts["tokenizer_2"].pad_token}, merges=MERGES, weights=WEIGHTS_RULE)


if __name__ == "__main__":
    main(sys.argv[1])
