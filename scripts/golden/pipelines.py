"""Pictures of DDPMPipeline and DDIMPipeline with a tiny U-Net.

Usage: python scripts/golden/pipelines.py FOLDER
"""

import sys

import torch
from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, DDPMScheduler, UNet2DModel

from common import WEIGHTS_RULE, config_of, fill, generator, save
from unet import ATTENTION

RUNS = {
    "ddpm": (DDPMPipeline, DDPMScheduler(), {"num_inference_steps": 8}),
    "ddpm_fixed_large_cosine": (
        DDPMPipeline,
        DDPMScheduler(variance_type="fixed_large", beta_schedule="squaredcos_cap_v2"),
        {"num_inference_steps": 5},
    ),
    "ddim": (DDIMPipeline, DDIMScheduler(), {"num_inference_steps": 6}),
    "ddim_eta1_v": (
        DDIMPipeline,
        DDIMScheduler(prediction_type="v_prediction", timestep_spacing="trailing", set_alpha_to_one=False),
        {"num_inference_steps": 5, "eta": 1.0},
    ),
}


def main(folder):
    unet = fill(UNet2DModel(**ATTENTION)).eval()
    tensors, runs = {}, {}
    for name, (cls, scheduler, options) in RUNS.items():
        pipeline = cls(unet=unet, scheduler=scheduler)
        pipeline.set_progress_bar_config(disable=True)
        for seed in (0, 7):
            # channels last and in [0, 1], as the pipeline gives it; PIL's rounding makes the pixels
            image = pipeline(batch_size=1, generator=generator(seed), output_type="np", **options).images
            tensors[f"{name}.{seed}.image"] = torch.from_numpy(image)
            tensors[f"{name}.{seed}.pixels"] = torch.from_numpy((image * 255).round().astype("uint8"))
        runs[name] = {"pipeline": cls.__name__, "scheduler": config_of(pipeline.scheduler), **options}
    save(folder, "pipelines", tensors, config=config_of(unet), weights=WEIGHTS_RULE, seeds=[0, 7], runs=runs)


if __name__ == "__main__":
    main(sys.argv[1])
