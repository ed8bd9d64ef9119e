"""Pictures of StableDiffusionImg2ImgPipeline, its SDXL form, StableDiffusionInpaintPipeline, StableDiffusionUpscalePipeline
and RePaintPipeline with tiny networks.

Usage: python scripts/golden/editing.py FOLDER
"""

import sys

import diffusers
import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel, UNet2DModel
from PIL import Image
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from common import WEIGHTS_RULE, config_of, fill, generator, save
from latent import SD1, SDXL, UNETS, VAE
from text_to_image import OFFSET, PROMPT, SAMPLERS, encoder, facts, scheduler, tokenizer
from unet import ATTENTION

HEIGHT, WIDTH = 32, 48


def picture(height, width, seed):
    """A smooth picture with some noise, [H, W, 3] uint8."""
    y, x = np.mgrid[0:height, 0:width]
    smooth = np.stack([120 + 90 * np.sin(x / 7), 128 + 80 * np.cos((x + y) / 9), 3 * y + x], axis=-1)
    noise = torch.randint(-20, 21, smooth.shape, generator=generator(seed)).numpy()
    return (smooth + noise).clip(0, 255).astype("uint8")


def hole(height, width):
    """A mask, white where the picture is to be made anew, [H, W] uint8, grey at its border."""
    y, x = np.mgrid[0:height, 0:width]
    distance = np.hypot((y - height / 2) / height, (x - width / 2.5) / width)
    return (255 * (1.6 - 5 * distance)).clip(0, 255).astype("uint8")


def families():
    vae = fill(AutoencoderKL(**VAE)).eval()
    clip = encoder(CLIPTextModel)
    wide = encoder(CLIPTextModelWithProjection, hidden_size=15, projection_dim=10, hidden_act="gelu", num_hidden_layers=2)
    end, bang = tokenizer("<|endoftext|>"), tokenizer("!")
    none = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    sd = {"vae": vae, "text_encoder": clip, "tokenizer": end, **none}
    xl = {"vae": vae, "text_encoder": clip, "text_encoder_2": wide, "tokenizer": end, "tokenizer_2": bang,
          "add_watermarker": False}
    yield "img2img_sd", diffusers.StableDiffusionImg2ImgPipeline, {"unet": UNet2DConditionModel(**SD1), **sd}, {
        name: {"scheduler": name, "strength": 0.6} for name in SAMPLERS
    } | {
        "whole": {"scheduler": "Euler", "strength": 1.0},
        "negative": {"scheduler": "DDIM", "strength": 0.4, "negative_prompt": "blurry"},
        "resized": {"scheduler": "DDIM", "strength": 0.6, "image": "odd"},
    }
    yield "img2img_sdxl", diffusers.StableDiffusionXLImg2ImgPipeline, {
        "unet": UNet2DConditionModel(**{**SDXL, "cross_attention_dim": 27}), **xl,
    }, {"Euler": {"scheduler": "Euler", "strength": 0.5}}
    inpaint = {name: {"scheduler": name, "strength": 1.0}
               for name in ("DDIM", "DDPM", "PNDM", "EulerA", "Heun", "DPM2", "DPM++2M", "UniPC", "LCM")} | {
        "part": {"scheduler": "Euler", "strength": 0.7}, "part_noisy": {"scheduler": "EulerA", "strength": 0.7},
        "resized": {"scheduler": "DDIM", "strength": 0.7, "image": "odd"},
        "unguided": {"scheduler": "DPM++2M_SDE", "strength": 0.7, "guidance_scale": 1.0},
    }
    cls = diffusers.StableDiffusionInpaintPipeline
    yield "inpaint_4", cls, {"unet": UNet2DConditionModel(**SD1), **sd}, inpaint
    yield "inpaint_9", cls, {"unet": UNet2DConditionModel(**UNETS["inpaint"]), **sd}, inpaint
    low = diffusers.DDPMScheduler(**OFFSET)
    yield "upscale", diffusers.StableDiffusionUpscalePipeline, {
        "unet": UNet2DConditionModel(**{**UNETS["upscaler"], "num_class_embeds": 30}), "vae": vae, "text_encoder": clip,
        "tokenizer": end, "low_res_scheduler": low, "max_noise_level": 25,
    }, {"DDIM": {"scheduler": "DDIM", "noise_level": 20}, "EulerA": {"scheduler": "EulerA", "noise_level": 3},
        "unguided": {"scheduler": "DPM++2M", "noise_level": 10, "guidance_scale": 1.0}}


PIXELS = {
    "repaint": ("RePaintScheduler", {"num_inference_steps": 8, "jump_length": 2, "jump_n_sample": 3}),
    "repaint_noisy": ("RePaintScheduler", {"num_inference_steps": 7, "jump_length": 3, "jump_n_sample": 2, "eta": 0.7}),
    "change_DDIM": ("DDIMScheduler", {"num_inference_steps": 8, "strength": 0.5}),
    "change_EulerA": ("EulerAncestralDiscreteScheduler", {"num_inference_steps": 8, "strength": 0.8}),
    "change_DPM++2M": ("DPMSolverMultistepScheduler", {"num_inference_steps": 8, "strength": 0.7}),
    "hole_DDPM": ("DDPMScheduler", {"num_inference_steps": 8, "strength": 0.7, "hole": True}),
    "hole_Heun": ("HeunDiscreteScheduler", {"num_inference_steps": 8, "strength": 0.7, "hole": True}),
}


def denoise(unet, used, image, new, num_inference_steps, strength, hole=False):
    """The loop of the latent pipelines, on pixels."""
    random = generator(7)
    noise = torch.randn(image.shape, generator=random)
    used.set_timesteps(num_inference_steps)
    begin = (num_inference_steps - int(num_inference_steps * strength)) * used.order
    timesteps = used.timesteps[begin:]
    used.set_begin_index(begin) if hasattr(used, "set_begin_index") else None
    x = used.add_noise(image, noise, timesteps[:1])
    options = {} if "Heun" in type(used).__name__ or "DDIM" in type(used).__name__ else {"generator": random}
    with torch.no_grad():
        for i, t in enumerate(timesteps):
            m = unet(used.scale_model_input(x, t), t).sample
            x = used.step(m, t, x, **options).prev_sample
            if hole:
                kept = used.add_noise(image, noise, timesteps[i + 1 : i + 2]) if i + 1 < len(timesteps) else image
                x = (1 - new) * kept + new * x
    return (x / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()


def pixels(folder):
    unet = fill(UNet2DModel(**ATTENTION)).eval()
    image, mask = picture(16, 16, 3), hole(16, 16)
    x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 * 2 - 1
    new = (torch.from_numpy(mask)[None, None] >= 128).float()
    tensors, runs = {"input": torch.from_numpy(image), "mask": torch.from_numpy(mask)}, {}
    for name, (cls, options) in PIXELS.items():
        used = getattr(diffusers, cls)(beta_schedule="scaled_linear")
        if cls == "RePaintScheduler":
            pipeline = diffusers.RePaintPipeline(unet=unet, scheduler=used)
            pipeline.set_progress_bar_config(disable=True)
            made = pipeline(x, 1 - new, generator=generator(7), output_type="np", **options).images
        else:
            made = denoise(unet, used, x, new, **options)
        tensors[name] = torch.from_numpy((made * 255).round().astype("uint8"))
        runs[name] = {"scheduler_config": config_of(used), **options}
    save(folder, "edit_pixels", tensors, config=config_of(unet), weights=WEIGHTS_RULE, seed=7, runs=runs)


def main(folder):
    pixels(folder)
    for family, cls, parts, runs in families():
        fill(parts["unet"]).eval()
        upscale, inpaint = family == "upscale", family.startswith("inpaint")
        height, width = (HEIGHT // 2, WIDTH // 2) if upscale else (HEIGHT, WIDTH)
        images = {"image": picture(height, width, 1), "odd": picture(41, 53, 2)}
        masks = {"image": hole(height, width), "odd": hole(50, 35)}
        if not any("image" in run for run in runs.values()):
            del images["odd"]
        tensors, done = {}, {}
        for name, options in runs.items():
            options = {"num_inference_steps": 6, "guidance_scale": 5.0, **options}
            used = scheduler(options.pop("scheduler"))
            pipeline = cls(scheduler=used, **parts)
            pipeline.set_progress_bar_config(disable=True)
            given = {**options, "image": Image.fromarray(images[options.get("image", "image")])}
            if inpaint:
                given["mask_image"] = Image.fromarray(masks[options.get("image", "image")])
                options |= {"height": HEIGHT, "width": WIDTH}
                given |= {"height": HEIGHT, "width": WIDTH}
            image = pipeline(PROMPT, generator=generator(7), output_type="np", **given).images
            tensors[name] = torch.from_numpy((image * 255).round().astype("uint8"))
            done[name] = {"scheduler_config": config_of(used), **options}
        for name, image in images.items():
            tensors[f"input.{name}"] = torch.from_numpy(image)
            if inpaint:
                tensors[f"mask.{name}"] = torch.from_numpy(masks[name])
        more = {"low_res_scheduler": config_of(parts["low_res_scheduler"])} if upscale else {}
        save(folder, f"edit_{family}", tensors, **facts(cls, parts, done), **more)


if __name__ == "__main__":
    main(sys.argv[1])
