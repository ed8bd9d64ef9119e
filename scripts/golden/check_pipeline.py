"""Loads a text-to-image folder that `diffusion convert` wrote with diffusers itself and makes a picture; used by hand.

Usage: python scripts/golden/check_pipeline.py FOLDER [PICTURE.png PROMPT SEED STEPS GUIDANCE WIDTH HEIGHT]

Any warning, missing, unexpected or wrongly shaped weight is an error. PICTURE.png, made by `diffusion sample --plain-prompt`
with the same numbers, may differ by one level on 0.1 % of its values and by three at most.
"""

import sys

import numpy as np
import torch
from diffusers import DiffusionPipeline
from diffusers.utils import logging
from PIL import Image


def main(folder, picture=None, prompt="", seed="0", steps="2", guidance="7.5", width="64", height="64"):
    records = []
    handler = logging.logging.Handler(level=logging.WARNING)
    handler.emit = lambda r: records.append(r.getMessage())
    logging.add_handler(handler)
    pipeline = DiffusionPipeline.from_pretrained(folder, use_safetensors=True, torch_dtype=torch.float32)
    for name in ("unet", "vae"):
        cls = type(getattr(pipeline, name))
        _, info = cls.from_pretrained(folder, subfolder=name, use_safetensors=True, output_loading_info=True)
        wrong = {k: v for k, v in info.items() if v}
        if wrong:
            raise SystemExit(f"{name}: {wrong}")
    if records:
        raise SystemExit("\n".join(records))
    print(f"{type(pipeline).__name__} with {type(pipeline.scheduler).__name__}, no warnings")
    if picture is None:
        return
    pipeline.set_progress_bar_config(disable=True)
    made = pipeline(prompt, generator=torch.Generator().manual_seed(int(seed)), num_inference_steps=int(steps),
                    guidance_scale=float(guidance), width=int(width), height=int(height), output_type="np").images[0]
    found = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    difference = np.abs(found - (made * 255).round().astype(int))
    print(f"largest difference {difference.max()}, {(difference > 1).mean():.4%} of the values differ by more than one level")
    if difference.max() > 3 or (difference > 1).mean() > 0.001:
        raise SystemExit("the pictures differ")


if __name__ == "__main__":
    main(*sys.argv[1:])
