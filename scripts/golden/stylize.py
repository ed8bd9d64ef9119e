"""StyleID (Chung, Hyun and Heo 2024) with tiny networks: the content's queries and the style's keys and values are kept while
each of the two is led back from its noise alone, and put into a third run by a processor of attention.

Usage: python scripts/golden/stylize.py FOLDER
"""

import sys

import diffusers
import torch
from diffusers import AutoencoderKL, DDIMInverseScheduler, DDIMScheduler, UNet2DConditionModel, UNet2DModel
from diffusers.models.attention_processor import Attention
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from common import WEIGHTS_RULE, config_of, fill, save
from editing import picture
from latent import SD1, SDXL, VAE
from text_to_image import OFFSET, PROMPT, encoder, facts, tokenizer
from unet import ATTENTION

HEIGHT, WIDTH, STEPS = 32, 48, 6
DEFAULTS = {"gamma": 0.75, "tau": 1.5, "share": 1.0, "adain": True, "strength": 1.0, "source": "",
            "guidance_scale": 1.0, "num_inference_steps": STEPS}


class Memory:
    """What processors share: whose run it is, its step, and the tensors kept so far."""

    def __init__(self, gamma, tau, injected):
        self.gamma, self.tau, self.injected = gamma, tau, injected
        self.role, self.step, self.kept = None, 0, {}


class StyleProcessor:
    """Attention of a sequence to itself; the result's takes what was kept."""

    def __init__(self, name, memory):
        self.name, self.memory = name, memory

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None):
        assert encoder_hidden_states is None and attention_mask is None
        m, x = self.memory, hidden_states
        if x.dim() == 4:
            x = x.flatten(2).transpose(1, 2)
        if attn.group_norm is not None:
            x = attn.group_norm(x.transpose(1, 2)).transpose(1, 2)
        q, k, v = (layer(x).unflatten(2, (attn.heads, -1)).transpose(1, 2) for layer in (attn.to_q, attn.to_k, attn.to_v))
        place = (self.name, m.step)
        tau = 1.0
        if m.role == "content":
            m.kept[("q", *place)] = q
        elif m.role == "style":
            m.kept[("kv", *place)] = k, v
        elif m.role == "result" and m.step < m.injected:
            q = m.gamma * m.kept[("q", *place)] + (1 - m.gamma) * q
            k, v = m.kept[("kv", *place)]
            tau = m.tau
        weights = torch.softmax(tau * (q @ k.transpose(2, 3)) / q.shape[-1] ** 0.5, dim=-1)
        y = attn.to_out[0]((weights @ v).transpose(1, 2).flatten(2))
        if hidden_states.dim() == 4:
            y = y.transpose(1, 2).reshape(hidden_states.shape)
        if attn.residual_connection:
            y = y + hidden_states
        return y / attn.rescale_output_factor


def adain(content, style):
    mean, deviation = (lambda t: t.mean((2, 3), keepdim=True)), (lambda t: t.std((2, 3), keepdim=True))
    return (content - mean(content)) / deviation(content) * deviation(style) + mean(style)


def run(unet, layers, forward, back, content, style, predict, unconditional, source, wanted, run):
    """`predict(x, t, conditions)` asks the network once for every condition."""
    done = int(STEPS * run["strength"])
    memory = Memory(run["gamma"], run["tau"], round(done * run["share"]))
    for name, module in unet.named_modules():
        if isinstance(module, Attention) and name.startswith(layers) and not name.endswith("attn2"):
            module.set_processor(StyleProcessor(name, memory))
    back.set_timesteps(STEPS)
    forward.set_timesteps(STEPS)
    noises = []
    for x in (content, style):
        memory.role = None
        for t in back.timesteps[:done]:
            x = back.step(predict(x, t, [source]), t, x).prev_sample
        noises.append(x)
    start = adain(*noises) if run["adain"] else noises[0]
    guided = run["guidance_scale"] != 1
    for role, x in zip(("content", "style", "result"), (*noises, start)):
        memory.role = role
        last = wanted if role == "result" else source
        for memory.step, t in enumerate(forward.timesteps[STEPS - done:]):
            m = predict(x, t, [unconditional, last] if guided else [last])
            if guided:
                free, bound = m.chunk(2)
                m = free + run["guidance_scale"] * (bound - free) if role == "result" else bound
            x = forward.step(m, t, x).prev_sample
    return x


def levels(image):
    return ((image / 2 + 0.5).clamp(0, 1) * 255).round().permute(0, 2, 3, 1).to(torch.uint8)


def tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 * 2 - 1


def pixels(folder):
    unet = fill(UNet2DModel(**ATTENTION)).eval()
    images = {"content": picture(16, 16, 3), "style": picture(16, 16, 4)[::-1, ::-1, ::-1].copy()}
    forward = DDIMScheduler(clip_sample=False, prediction_type="v_prediction")
    back = DDIMInverseScheduler.from_config(forward.config)
    tensors, runs = {f"input.{k}": torch.from_numpy(v) for k, v in images.items()}, {}

    def predict(x, t, conditions):
        return unet(x, t).sample

    for name, changes in {"plain": {}, "part": {"strength": 0.5, "share": 0.67, "adain": False, "gamma": 0.3}}.items():
        runs[name] = {**DEFAULTS, **changes}
        made = run(unet, "up_blocks", forward, back, *map(tensor, images.values()), predict, None, None, None, runs[name])
        tensors[f"{name}.sample"] = made
    save(folder, "stylize_pixels", tensors, config=config_of(unet), weights=WEIGHTS_RULE, scheduler=config_of(forward),
         runs=runs)


def families():
    vae = fill(AutoencoderKL(**VAE)).eval()
    clip = encoder(CLIPTextModel)
    wide = encoder(CLIPTextModelWithProjection, hidden_size=15, projection_dim=10, hidden_act="gelu", num_hidden_layers=2)
    end, bang = tokenizer("<|endoftext|>"), tokenizer("!")
    none = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    yield "sd", diffusers.StableDiffusionPipeline, "up_blocks.1", {
        "unet": fill(UNet2DConditionModel(**SD1)), "vae": vae, "text_encoder": clip, "tokenizer": end, **none,
    }, {"plain": {}, "guided": {"guidance_scale": 2.0, "source": "a cat", "negative_prompt": "blurry"},
        "part": {"strength": 0.67, "share": 0.5, "adain": False, "gamma": 0.4, "tau": 1.2}, "off": {"share": 0.0}}
    yield "sdxl", diffusers.StableDiffusionXLPipeline, "up_blocks.1", {
        "unet": fill(UNet2DConditionModel(**{**SDXL, "cross_attention_dim": 27})), "vae": vae, "text_encoder": clip,
        "text_encoder_2": wide, "tokenizer": end, "tokenizer_2": bang, "add_watermarker": False,
    }, {"plain": {}, "guided": {"guidance_scale": 2.0}}


def latents(folder):
    for family, cls, layers, parts, runs in families():
        unet, vae = parts["unet"].eval(), parts["vae"]
        images = {"content": picture(HEIGHT, WIDTH, 1), "style": picture(HEIGHT, WIDTH, 2)[::-1, ::-1, ::-1].copy()}
        forward = DDIMScheduler(**OFFSET, clip_sample=False, set_alpha_to_one=False)
        back = DDIMInverseScheduler.from_config(forward.config)
        pipeline = cls(scheduler=forward, **parts)
        xl = "XL" in cls.__name__
        ids = torch.tensor([[HEIGHT, WIDTH, 0, 0, HEIGHT, WIDTH]]).float()

        def texts(prompt, negative=None):
            """(condition of the prompt, condition of the negative prompt)"""
            found = pipeline.encode_prompt(prompt, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True,
                                           negative_prompt=negative)
            return ((found[0], found[2]), (found[1], found[3])) if xl else ((found[0], None), (found[1], None))

        def predict(x, t, conditions):
            context = torch.cat([c for c, _ in conditions])
            more = {}
            if xl:
                more["added_cond_kwargs"] = {"text_embeds": torch.cat([p for _, p in conditions]),
                                             "time_ids": ids.repeat(len(conditions), 1)}
            return unet(x.repeat(len(conditions), 1, 1, 1), t, encoder_hidden_states=context, **more).sample

        tensors, done = {f"input.{k}": torch.from_numpy(v) for k, v in images.items()}, {}
        scale = vae.config.scaling_factor
        first = [vae.encode(tensor(image)).latent_dist.mean * scale for image in images.values()]
        for name, changes in runs.items():
            options = {**DEFAULTS, **changes}
            wanted, unconditional = texts(PROMPT, options.get("negative_prompt"))
            source, _ = texts(options["source"])
            made = run(unet, layers, forward, back, *first, predict, unconditional, source, wanted, options)
            tensors[f"{name}.sample"] = made
            tensors[name] = levels(vae.decode(made / scale).sample)
            done[name] = {"scheduler_config": config_of(forward), **options}
        save(folder, f"stylize_{family}", tensors, **facts(cls, parts, done))


if __name__ == "__main__":
    with torch.no_grad():
        pixels(sys.argv[1])
        latents(sys.argv[1])
