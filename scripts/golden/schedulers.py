"""Traces of diffusers' schedulers for the tests of diffusion.scheduler.

Usage: python scripts/golden/schedulers.py src/test/resources/golden/schedulers.safetensors

Every case holds the states x of a run, [steps + 1, 2, 3, 2, 2]. The model's outputs are not stored: they are standard
normal numbers from torch's CPU generator with seed 1, drawn in order, and their variance half, if any, uniform numbers
drawn right after. For samplers that scale their input, the factors are stored too. x starts from seed 0, whose generator goes on to give the noise of the steps.
Made with torch 2.13.0 and diffusers 0.40.0.dev0 (58eb52c080).
"""

import inspect
import itertools
import json
import sys

import torch
from diffusers import (
    DDIMInverseScheduler,
    DDIMScheduler,
    DDPMScheduler,
    DEISMultistepScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    KDPM2AncestralDiscreteScheduler,
    KDPM2DiscreteScheduler,
    LCMScheduler,
    LMSDiscreteScheduler,
    PNDMScheduler,
    TCDScheduler,
    UniPCMultistepScheduler,
)
from safetensors.torch import save_file

SHAPE = (2, 3, 2, 2)


def trace(cls, config, steps=None, timesteps=None, eta=0.0, clipped=False):
    scheduler = cls(**config)
    if timesteps is not None:
        scheduler.set_timesteps(timesteps=timesteps)
    else:
        scheduler.set_timesteps(steps)
    noise = torch.Generator().manual_seed(0)
    outputs = torch.Generator().manual_seed(1)
    kind = config.get("variance_type", "")
    x = torch.randn(SHAPE, generator=noise)
    states, scales = [x], []
    for t in scheduler.timesteps:
        m = torch.randn(SHAPE, generator=outputs)
        if kind.startswith("learned"):
            v = torch.rand(SHAPE, generator=outputs)
            m = torch.cat([m, v if kind == "learned" else 2 * v - 1], dim=1)
        options = {"eta": eta, "use_clipped_model_output": clipped} if cls is DDIMScheduler else {}
        if cls is TCDScheduler:
            options["eta"] = eta
        if "generator" in inspect.signature(cls.step).parameters:
            options["generator"] = noise
        scales.append(float(scheduler.scale_model_input(torch.ones(1), t)))
        x = scheduler.step(m, t, x, **options).prev_sample
        states.append(x)
    run = {"timesteps": [t.item() for t in scheduler.timesteps]}
    if any(s != 1 for s in scales):
        run |= {"scales": scales, "init_noise_sigma": float(scheduler.init_noise_sigma)}
    return torch.stack(states).contiguous(), run


def cases():
    predictions = ("epsilon", "sample", "v_prediction")
    for p, s in itertools.product(predictions, ("leading", "linspace", "trailing")):
        common = {"prediction_type": p, "timestep_spacing": s, "steps_offset": 1 if s == "leading" else 0}
        yield DDIMScheduler, {**common, "clip_sample": s != "linspace"}, {"steps": 7}
        yield DDPMScheduler, {**common, "clip_sample": s != "linspace"}, {"steps": 7}
    for v in ("fixed_small", "fixed_small_log", "fixed_large", "learned", "learned_range"):
        yield DDPMScheduler, {"variance_type": v}, {"steps": 10}
    for b in ("scaled_linear", "squaredcos_cap_v2", "sigmoid"):
        yield DDPMScheduler, {"beta_schedule": b}, {"steps": 10}
    for b in ("scaled_linear", "squaredcos_cap_v2"):
        yield DDIMScheduler, {"beta_schedule": b, "set_alpha_to_one": False, "clip_sample_range": 2.0}, {"steps": 10}
    yield DDIMScheduler, {"trained_betas": [0.1, 0.2, 0.3, 0.35, 0.4], "num_train_timesteps": 5}, {"steps": 5}
    for e, c in ((1.0, False), (0.4, True), (0.0, True)):
        yield DDIMScheduler, {}, {"steps": 6, "eta": e, "clipped": c}
    zero = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing", "prediction_type": "v_prediction"}
    yield DDIMScheduler, {**zero, "clip_sample": False}, {"steps": 6}
    yield DDPMScheduler, {**zero, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}, {"steps": 6}
    threshold = {"thresholding": True, "dynamic_thresholding_ratio": 0.8, "sample_max_value": 1.5}
    yield DDIMScheduler, threshold, {"steps": 6}
    yield DDPMScheduler, {**threshold, "sample_max_value": 0.5}, {"steps": 6}
    yield DDPMScheduler, {}, {"timesteps": [900, 700, 450, 30, 1, 0]}
    yield from sigma_cases()
    yield from multistep_cases()
    yield from two_call_cases()
    yield from other_cases()


def two_call_cases():
    sd = {"beta_schedule": "scaled_linear"}
    for cls in (HeunDiscreteScheduler, KDPM2DiscreteScheduler, KDPM2AncestralDiscreteScheduler):
        for p, s in (("epsilon", "leading"), ("v_prediction", "linspace"), ("epsilon", "trailing")):
            yield cls, {**sd, "prediction_type": p, "timestep_spacing": s, "steps_offset": int(s == "leading")}, {"steps": 6}
        # The reference's own rounding errors are large where the noise goes up and down between beta-spaced sigmas.
        for spacing in ("karras", "exponential", "beta")[: 2 if cls is KDPM2AncestralDiscreteScheduler else 3]:
            yield cls, {**sd, f"use_{spacing}_sigmas": True}, {"steps": 5}
        yield cls, sd, {"steps": 1}
    yield HeunDiscreteScheduler, {**sd, "clip_sample": True}, {"steps": 5}


def other_cases():
    sd = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    for p in ("epsilon", "v_prediction"):
        yield PNDMScheduler, {**sd, "prediction_type": p, "skip_prk_steps": True, "steps_offset": 1}, {"steps": 8}
        yield PNDMScheduler, {**sd, "prediction_type": p, "set_alpha_to_one": True}, {"steps": 7}
        yield PNDMScheduler, {**sd, "prediction_type": p, "timestep_spacing": "trailing"}, {"steps": 5}
    yield PNDMScheduler, {**sd, "skip_prk_steps": True, "timestep_spacing": "linspace"}, {"steps": 3}
    for p in ("epsilon", "sample", "v_prediction"):
        yield LCMScheduler, {"prediction_type": p}, {"steps": 4}
        yield TCDScheduler, {"prediction_type": p}, {"steps": 4, "eta": 0.3}
        yield TCDScheduler, {"prediction_type": p}, {"steps": 3, "eta": 0.0}
        yield DDIMInverseScheduler, {**sd, "prediction_type": p, "clip_sample": p != "sample",
                                     "set_alpha_to_one": p != "sample"}, {"steps": 6}
        for order in (1, 2, 3):
            yield DEISMultistepScheduler, {**sd, "prediction_type": p, "solver_order": order}, {"steps": 7}
            for x0 in (True, False):
                final = "zero" if x0 else "sigma_min"
                yield UniPCMultistepScheduler, {**sd, "prediction_type": p, "solver_order": order, "predict_x0": x0,
                                                "final_sigmas_type": final}, {"steps": 7}
    yield DDIMInverseScheduler, {**sd, "timestep_spacing": "trailing", "set_alpha_to_one": False}, {"steps": 6}
    yield LCMScheduler, {"original_inference_steps": 20, "thresholding": True}, {"steps": 5}
    yield UniPCMultistepScheduler, {**sd, "solver_type": "bh1", "disable_corrector": [0, 2],
                                    "final_sigmas_type": "sigma_min"}, {"steps": 7}
    yield UniPCMultistepScheduler, {**sd, "lower_order_final": False, "final_sigmas_type": "sigma_min",
                                    "solver_order": 3}, {"steps": 6}
    yield UniPCMultistepScheduler, {**sd, "thresholding": True, "dynamic_thresholding_ratio": 0.8}, {"steps": 6}
    yield DEISMultistepScheduler, {**sd, "thresholding": True, "dynamic_thresholding_ratio": 0.8}, {"steps": 6}
    for cls in (UniPCMultistepScheduler, DEISMultistepScheduler):
        for spacing in ("karras", "exponential", "beta"):
            yield cls, {**sd, f"use_{spacing}_sigmas": True}, {"steps": 6}
        for spacing in ("leading", "trailing"):
            yield cls, {**sd, "timestep_spacing": spacing, "steps_offset": int(spacing == "leading")}, {"steps": 7}


def sigma_cases():
    sd = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    for cls in (EulerDiscreteScheduler, EulerAncestralDiscreteScheduler, LMSDiscreteScheduler):
        for p, s in (("epsilon", "leading"), ("v_prediction", "linspace"), ("epsilon", "trailing")):
            yield cls, {**sd, "prediction_type": p, "timestep_spacing": s, "steps_offset": int(s == "leading")}, {"steps": 7}
        yield cls, sd, {"steps": 1}
    for cls in (EulerDiscreteScheduler, LMSDiscreteScheduler):
        for spacing in ("karras", "exponential", "beta"):
            yield cls, {**sd, f"use_{spacing}_sigmas": True}, {"steps": 8}
        yield cls, {**sd, "prediction_type": "sample"}, {"steps": 5}
    yield EulerDiscreteScheduler, {**sd, "use_karras_sigmas": True, "sigma_min": 0.1, "sigma_max": 10.0}, {"steps": 6}
    yield EulerDiscreteScheduler, {**sd, "interpolation_type": "log_linear"}, {"steps": 6}
    yield EulerDiscreteScheduler, {**sd, "final_sigmas_type": "sigma_min"}, {"steps": 6}
    yield EulerDiscreteScheduler, sd, {"timesteps": [900, 700, 450, 30, 1, 0]}
    continuous = {"timestep_type": "continuous", "prediction_type": "v_prediction", "use_karras_sigmas": True}
    yield EulerDiscreteScheduler, {**sd, **continuous}, {"steps": 6}
    zero = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing", "prediction_type": "v_prediction"}
    yield EulerDiscreteScheduler, {**sd, **zero}, {"steps": 6}
    yield EulerAncestralDiscreteScheduler, {**sd, **zero}, {"steps": 6}


def multistep_cases():
    sd = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    cls = DPMSolverMultistepScheduler
    for algorithm, order in itertools.product(("dpmsolver++", "dpmsolver", "sde-dpmsolver++", "sde-dpmsolver"), (1, 2, 3)):
        if algorithm == "sde-dpmsolver" and order == 3:
            continue
        final = "zero" if algorithm.endswith("++") else "sigma_min"
        common = {**sd, "algorithm_type": algorithm, "solver_order": order, "final_sigmas_type": final}
        yield cls, common, {"steps": 8}
        yield cls, {**common, "prediction_type": "v_prediction", "lower_order_final": False}, {"steps": 6}
        if order == 2:
            yield cls, {**common, "solver_type": "heun", "prediction_type": "sample"}, {"steps": 6}
            yield cls, {**common, "thresholding": True, "dynamic_thresholding_ratio": 0.8}, {"steps": 6}
    for spacing in ("karras_sigmas", "exponential_sigmas", "beta_sigmas", "lu_lambdas"):
        yield cls, {**sd, f"use_{spacing}": True}, {"steps": 16}
    for spacing in ("leading", "trailing"):
        yield cls, {**sd, "timestep_spacing": spacing, "steps_offset": int(spacing == "leading")}, {"steps": 7}
    yield cls, {**sd, "euler_at_final": True, "final_sigmas_type": "sigma_min"}, {"steps": 16}
    yield cls, {"beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1}, {"steps": 6}
    yield cls, sd, {"timesteps": [900, 700, 450, 30, 1]}
    yield cls, sd, {"steps": 1}


def main(path):
    tensors, index = {}, []
    for i, (cls, config, run) in enumerate(cases()):
        name = f"case{i:02d}"
        tensors[name], found = trace(cls, config, **run)
        index.append(
            {"name": name, "config": {"_class_name": cls.__name__, **config}, **run, "custom": "timesteps" in run,
             **found}
        )
    save_file(tensors, path, metadata={"cases": json.dumps(index)})


if __name__ == "__main__":
    main(sys.argv[1])
