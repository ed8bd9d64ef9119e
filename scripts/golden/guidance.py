"""Pictures of a tiny StableDiffusionPipeline led by gradients through its U-Net and its decoder (Chung et al. 2022, DPS).

Usage: python scripts/golden/guidance.py FOLDER
"""

import sys

import torch
from diffusers import DDIMScheduler

from common import config_of, generator, save
from editing import hole, picture
from stylize import HEIGHT, STEPS, WIDTH, families, levels, tensor
from text_to_image import OFFSET, PROMPT, facts

LIMIT = 0.5  # of the root mean square of a step's move of x0
FACTOR = 4
RUNS = {"mask": {"mask": 4.0, "guidance_scale": 3.0, "negative_prompt": "blurry"},
        "downsampled": {"downsampled": 30.0, "guidance_scale": 1.0},
        "both": {"mask": 2.0, "downsampled": 8.0, "guidance_scale": 2.0}}


def led(unet, vae, scheduler, texts, energy, scale):
    """DDIM's loop; the noise that the network finds is that of an x0 moved down the energy's gradient."""
    x = torch.randn(1, 4, HEIGHT // 2, WIDTH // 2, generator=generator(7))
    scheduler.set_timesteps(STEPS)
    for t in scheduler.timesteps:
        bar = scheduler.alphas_cumprod[t]
        alpha, sigma = bar.sqrt(), (1 - bar).sqrt()
        x = x.detach().requires_grad_()
        if scale == 1:
            m = unet(x, t, encoder_hidden_states=texts[:1]).sample
        else:
            bound, free = unet(x.repeat(2, 1, 1, 1), t, encoder_hidden_states=texts).sample.chunk(2)
            m = free + scale * (bound - free)
        x0 = (x - sigma * m) / alpha
        slope, = torch.autograd.grad(energy(vae.decode(x0 / vae.config.scaling_factor).sample), x)
        move = -sigma ** 2 / alpha * slope
        move = move * min(1.0, LIMIT / move.pow(2).mean().sqrt().item())
        with torch.no_grad():
            x = scheduler.step((x - alpha * (x0 + move)) / sigma, t, x).prev_sample
    return x.detach()


def main(folder):
    family, cls, _, parts, _ = next(families())
    scheduler = DDIMScheduler(**OFFSET, clip_sample=False, set_alpha_to_one=False)
    pipeline = cls(scheduler=scheduler, **parts)
    unet, vae = parts["unet"].eval(), parts["vae"]
    image, mask = picture(HEIGHT, WIDTH, 1), hole(HEIGHT, WIDTH)
    y, known = tensor(image), (torch.from_numpy(mask)[None, None] < 128).float()
    pool = torch.nn.AvgPool2d(FACTOR)
    tensors, done = {"input.image": torch.from_numpy(image), "mask.image": torch.from_numpy(mask)}, {}
    for name, run in RUNS.items():
        with torch.no_grad():
            texts = torch.cat(pipeline.encode_prompt(PROMPT, "cpu", 1, True, run.get("negative_prompt"))[:2])

        def energy(made):
            return (run.get("mask", 0) / 2 * (known * (made - y) ** 2).sum()
                    + run.get("downsampled", 0) / 2 * ((pool(made) - pool(y)) ** 2).sum())

        made = led(unet, vae, scheduler, texts, energy, run["guidance_scale"])
        tensors[f"{name}.sample"] = made
        with torch.no_grad():
            tensors[name] = levels(vae.decode(made / vae.config.scaling_factor).sample)
        done[name] = {"scheduler_config": config_of(scheduler), "num_inference_steps": STEPS, **run}
    save(folder, "guidance_sd", tensors, **facts(cls, parts, done), factor=FACTOR)


if __name__ == "__main__":
    main(sys.argv[1])
