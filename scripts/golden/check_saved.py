"""Loads a checkpoint folder that diffusion.jar wrote with diffusers itself and compares outputs; used by hand.

Usage: python scripts/golden/check_saved.py FOLDER [OUTPUTS.safetensors]

FOLDER is a pipeline folder (model_index.json) or the folder of one model (config.json). OUTPUTS holds `sample`
[N, C, H, W], `timestep` [N], `class_labels` if the model has classes, and `output`, what Java computed from them.
"""

import sys
import warnings
from pathlib import Path

import torch
from diffusers import DiffusionPipeline, UNet2DModel
from diffusers.utils import logging
from safetensors.torch import load_file


def load(folder):
    """The U-Net; any warning, missing, unexpected or wrongly shaped weight is an error."""
    warnings.simplefilter("error")
    # Files of weights are safetensors only: a pickle that happened to lie beside would hide a missing one.
    if (folder / "model_index.json").is_file():
        pipeline = DiffusionPipeline.from_pretrained(folder, use_safetensors=True)
        print(f"{type(pipeline).__name__} with {type(pipeline.scheduler).__name__}")
        folder = folder / "unet"
    unet, info = UNet2DModel.from_pretrained(folder, use_safetensors=True, output_loading_info=True)
    wrong = {k: v for k, v in info.items() if v}
    if wrong:
        raise SystemExit(f"{folder}: {wrong}")
    return unet.eval()


def main(folder, outputs=None):
    # diffusers reports unknown config keys and unused weights as log records
    records = []
    handler = logging.logging.Handler(level=logging.WARNING)
    handler.emit = lambda r: records.append(r.getMessage())
    logging.add_handler(handler)
    unet = load(Path(folder))
    if records:
        raise SystemExit("\n".join(records))
    print(f"{sum(p.numel() for p in unet.parameters())} weights, no warnings")
    if outputs is None:
        return
    case = load_file(outputs)
    labels = case.get("class_labels")
    if labels is not None and unet.config.class_embed_type is None:
        labels = labels.long()
    with torch.no_grad():
        expected = unet(case["sample"], case["timestep"], class_labels=labels).sample
    error = (case["output"] - expected).abs().max().item() / expected.abs().max().item()
    print(f"largest difference {error:.2e} of the largest value")
    if not error < 1e-4:
        raise SystemExit("the outputs differ")


if __name__ == "__main__":
    main(*sys.argv[1:])
