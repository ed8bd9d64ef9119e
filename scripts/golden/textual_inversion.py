"""Token ids and pictures of StableDiffusionPipeline and StableDiffusionXLPipeline with textual inversions, with the tiny
networks of text_to_image_sd and text_to_image_sdxl.

Usage: python scripts/golden/textual_inversion.py FOLDER
"""

import sys

import torch

from common import config_of, fill, generator, randn, save
from text_to_image import families, scheduler

PROMPT = "A <cat> beside <many-things>, in the rain!"


def xl(folder):
    _, cls, parts, _ = next(family for family in families() if family[0] == "sdxl")
    fill(parts["unet"]).eval()
    used = scheduler("Euler")
    pipeline = cls(scheduler=used, **parts)
    clip_l, clip_g = randn(23, 2, 12), randn(24, 2, 15)
    pipeline.load_textual_inversion({"emb_params": clip_l}, token="<cat>", text_encoder=pipeline.text_encoder,
                                    tokenizer=pipeline.tokenizer)
    pipeline.load_textual_inversion({"emb_params": clip_g}, token="<cat>", text_encoder=pipeline.text_encoder_2,
                                    tokenizer=pipeline.tokenizer_2)
    pipeline.set_progress_bar_config(disable=True)
    prompt = "A <cat> in the rain!"
    options = {"num_inference_steps": 4, "guidance_scale": 5.0, "height": 32, "width": 48}
    image = pipeline(prompt, generator=generator(7), output_type="np", **options).images
    save(folder, "textual_inversion_sdxl",
         {"clip_l": clip_l, "clip_g": clip_g, "pixels": torch.from_numpy((image * 255).round().astype("uint8"))},
         prompt=prompt, seed=7, scheduler_config=config_of(used), **options)


def main(folder):
    xl(folder)
    _, cls, parts, _ = next(iter(families()))
    fill(parts["unet"]).eval()
    used = scheduler("Euler")
    pipeline = cls(scheduler=used, **parts)
    one, many = randn(21, 12), randn(22, 3, 12)
    pipeline.load_textual_inversion({"<cat>": one})
    pipeline.load_textual_inversion({"emb_params": many}, token="<many-things>")
    pipeline.set_progress_bar_config(disable=True)
    text = pipeline.maybe_convert_prompt(PROMPT, pipeline.tokenizer)
    ids = pipeline.tokenizer(text, padding="max_length", max_length=77, truncation=True).input_ids
    options = {"num_inference_steps": 4, "guidance_scale": 5.0, "height": 32, "width": 48}
    image = pipeline(PROMPT, generator=generator(7), output_type="np", **options).images
    save(folder, "textual_inversion", {"one": one, "many": many, "ids": torch.tensor(ids).float(),
                                       "pixels": torch.from_numpy((image * 255).round().astype("uint8"))},
         prompt=PROMPT, seed=7, scheduler_config=config_of(used), **options)


if __name__ == "__main__":
    main(sys.argv[1])
