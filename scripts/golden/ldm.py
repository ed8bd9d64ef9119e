"""Pictures of LDMPipeline, unconditional latent diffusion, with tiny networks.

Usage: python scripts/golden/ldm.py FOLDER
"""

import sys

import torch
from diffusers import DDIMScheduler, LDMPipeline, UNet2DModel, VQModel

from common import WEIGHTS_RULE, config_of, fill, generator, save
from latent import VQ
from unet import ATTENTION

RUNS = {"ddim": {"num_inference_steps": 6, "eta": 0.0}, "eta": {"num_inference_steps": 5, "eta": 0.5}}


def main(folder):
    unet = fill(UNet2DModel(**ATTENTION)).eval()
    vqvae = fill(VQModel(**VQ, scaling_factor=0.4)).eval()
    scheduler = DDIMScheduler(beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear", clip_sample=False)
    pipeline = LDMPipeline(vqvae=vqvae, unet=unet, scheduler=scheduler)
    pipeline.set_progress_bar_config(disable=True)
    tensors = {}
    for name, options in RUNS.items():
        for seed in (0, 7):
            image = pipeline(generator=generator(seed), output_type="np", **options).images
            tensors[f"{name}.{seed}"] = torch.from_numpy((image * 255).round().astype("uint8"))
    save(folder, "ldm", tensors, unet=config_of(unet), vqvae=config_of(vqvae), scheduler=config_of(scheduler),
         weights=WEIGHTS_RULE, seeds=[0, 7], runs=RUNS)


if __name__ == "__main__":
    main(sys.argv[1])
