"""Traces of diffusers' schedulers for the tests of diffusion.scheduler.

Usage: python scripts/golden/schedulers.py src/test/resources/golden/schedulers.safetensors

Every case holds the states x of a run, [steps + 1, 2, 3, 2, 2]. The model's outputs are not stored: they are standard
normal numbers from torch's CPU generator with seed 1, drawn in order, and their variance half, if any, uniform numbers
drawn right after. For samplers that scale their input, the factors are stored too. x starts from seed 0, whose generator goes on
to give the noise of the steps. DPMSolverSDEScheduler wants torchsde for a Brownian path, which is not needed to check the
rest: BrownianSteps stands in for it, with the increments of such a path drawn from the same generator. Runs marked wide
are computed in double, from the same float32 sigmas: in float32 the reference's own rounding errors exceed the tests' bound.
Made with torch 2.13.0 and diffusers 0.40.0.dev0 (58eb52c080).
"""

import inspect
import itertools
import json
import sys
import types

import numpy as np
import torch
from diffusers import (
    CMStochasticIterativeScheduler,
    DDIMInverseScheduler,
    DDIMScheduler,
    DDPMScheduler,
    DEISMultistepScheduler,
    DPMSolverMultistepInverseScheduler,
    DPMSolverMultistepScheduler,
    DPMSolverSinglestepScheduler,
    EDMDPMSolverMultistepScheduler,
    EDMEulerScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    HeunDiscreteScheduler,
    IPNDMScheduler,
    KDPM2AncestralDiscreteScheduler,
    KDPM2DiscreteScheduler,
    LCMScheduler,
    LMSDiscreteScheduler,
    PNDMScheduler,
    SASolverScheduler,
    TCDScheduler,
    UnCLIPScheduler,
    UniPCMultistepScheduler,
)
from safetensors.torch import save_file

sys.modules["torchsde"] = types.ModuleType("torchsde")
from diffusers.schedulers.scheduling_dpmsolver_sde import DPMSolverSDEScheduler  # noqa: E402

SHAPE = (2, 3, 2, 2)


class BrownianSteps:
    """What DPMSolverSDEScheduler asks of its noise sampler: to the middle of a step, then to its end over the same path."""

    def __init__(self, generator):
        self.generator = generator
        self.middle = None

    def __call__(self, sigma, to):
        z = torch.randn(SHAPE, generator=self.generator)
        if self.middle is None:
            self.middle = (to, z)
            return z
        (half, first), self.middle = self.middle, None
        shared = (sigma - half) / (sigma - to)
        return shared.sqrt() * first + (1 - shared).sqrt() * z


def trace(cls, config, steps=None, timesteps=None, sigmas=None, mu=None, churn=None, eta=0.0, clipped=False,
          wide=False):
    scheduler = cls(**config)
    if timesteps is not None:
        scheduler.set_timesteps(timesteps=timesteps)
    elif sigmas is not None:
        array = np.array(sigmas)
        scheduler.set_timesteps(sigmas=torch.from_numpy(array) if cls is EDMEulerScheduler else array)
    else:
        scheduler.set_timesteps(steps, **({} if mu is None else {"mu": mu}))
    noise = torch.Generator().manual_seed(0)
    outputs = torch.Generator().manual_seed(1)
    kind = config.get("variance_type", "")
    x = torch.randn(SHAPE, generator=noise)
    if wide:
        x, scheduler.sigmas = x.double(), scheduler.sigmas.double()
    states, scales = [x], []
    for i, t in enumerate(scheduler.timesteps):
        m = torch.randn(SHAPE, generator=outputs)
        if kind.startswith("learned"):
            v = torch.rand(SHAPE, generator=outputs)
            m = torch.cat([m, v if kind == "learned" else 2 * v - 1], dim=1)
        m = m.to(x.dtype)
        options = {"eta": eta, "use_clipped_model_output": clipped} if cls is DDIMScheduler else {}
        if cls is TCDScheduler:
            options["eta"] = eta
        if cls is UnCLIPScheduler and i + 1 < len(scheduler.timesteps):
            options["prev_timestep"] = scheduler.timesteps[i + 1]
        if churn is not None:
            options |= dict(zip(("s_churn", "s_tmin", "s_tmax", "s_noise"), churn))
        if "generator" in inspect.signature(cls.step).parameters:
            options["generator"] = noise
        if cls is DPMSolverSDEScheduler and i == 0:
            scheduler.noise_sampler = BrownianSteps(noise)
        if hasattr(scheduler, "scale_model_input"):
            scales.append(float(scheduler.scale_model_input(torch.ones(1), t)))
        x = scheduler.step(m, t, x, **options).prev_sample.to(x.dtype)
        states.append(x)
    run = {"timesteps": [t.item() for t in scheduler.timesteps]}
    if any(s != 1 for s in scales):
        run |= {"scales": scales, "init_noise_sigma": float(scheduler.init_noise_sigma)}
    return torch.stack(states).float().contiguous(), run


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
    yield from singlestep_cases()
    yield from inverse_cases()
    yield from stochastic_cases()
    yield from continuous_cases()
    yield from flow_cases()


def singlestep_cases():
    sd = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    cls = DPMSolverSinglestepScheduler
    for algorithm, order in itertools.product(("dpmsolver++", "dpmsolver", "sde-dpmsolver++"), (1, 2, 3)):
        if algorithm == "sde-dpmsolver++" and order == 3:
            continue
        final = "zero" if algorithm.endswith("++") else "sigma_min"
        common = {**sd, "algorithm_type": algorithm, "solver_order": order, "final_sigmas_type": final}
        for steps in (6, 7, 8):
            yield cls, common, {"steps": steps}
        yield cls, {**common, "solver_type": "heun", "prediction_type": "v_prediction",
                    "final_sigmas_type": "sigma_min"}, {"steps": 6}
    yield cls, {**sd, "prediction_type": "sample", "thresholding": True, "dynamic_thresholding_ratio": 0.8}, {"steps": 6}
    for spacing in ("karras", "exponential", "beta"):
        yield cls, {**sd, f"use_{spacing}_sigmas": True}, {"steps": 6}
    yield cls, {"beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1}, {"steps": 6}
    yield cls, sd, {"timesteps": [900, 700, 450, 30, 1]}
    yield cls, {**sd, "final_sigmas_type": "sigma_min", "lower_order_final": True, "solver_order": 3}, {"steps": 9}
    yield cls, sd, {"steps": 1}


def inverse_cases():
    sd = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    cls = DPMSolverMultistepInverseScheduler
    for algorithm, order in itertools.product(("dpmsolver++", "dpmsolver"), (1, 2, 3)):
        yield cls, {**sd, "algorithm_type": algorithm, "solver_order": order}, {"steps": 7}
    for p in ("sample", "v_prediction"):
        yield cls, {**sd, "prediction_type": p, "lower_order_final": False}, {"steps": 6}
    for spacing in ("karras", "exponential", "beta"):
        yield cls, {**sd, f"use_{spacing}_sigmas": True}, {"steps": 6}
    for spacing in ("leading", "trailing"):
        yield cls, {**sd, "timestep_spacing": spacing, "steps_offset": int(spacing == "leading")}, {"steps": 7}
    yield cls, {"beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1}, {"steps": 6, "wide": True}
    yield cls, {**sd, "euler_at_final": True, "solver_type": "heun"}, {"steps": 16}


def stochastic_cases():
    sd = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    for algorithm in ("data_prediction", "noise_prediction"):
        for predictor, corrector in ((1, 1), (2, 1), (1, 2), (2, 2), (3, 2), (2, 3), (3, 3), (3, 4)):
            yield SASolverScheduler, {**sd, "algorithm_type": algorithm, "predictor_order": predictor,
                                      "corrector_order": corrector}, {"steps": 8}
    for p in ("sample", "v_prediction"):
        yield SASolverScheduler, {**sd, "prediction_type": p, "lower_order_final": False}, {"steps": 6}
    yield SASolverScheduler, {**sd, "thresholding": True, "dynamic_thresholding_ratio": 0.8}, {"steps": 6}
    for spacing in ("karras", "exponential", "beta"):
        yield SASolverScheduler, {**sd, f"use_{spacing}_sigmas": True}, {"steps": 6}
    for spacing in ("leading", "trailing"):
        yield SASolverScheduler, {**sd, "timestep_spacing": spacing, "steps_offset": int(spacing == "leading")}, {"steps": 7}
    for p, s in (("epsilon", "leading"), ("v_prediction", "linspace"), ("epsilon", "trailing")):
        yield DPMSolverSDEScheduler, {**sd, "prediction_type": p, "timestep_spacing": s,
                                      "steps_offset": int(s == "leading")}, {"steps": 6}
    for spacing in ("karras", "exponential", "beta"):
        yield DPMSolverSDEScheduler, {**sd, f"use_{spacing}_sigmas": True}, {"steps": 5}
    yield DPMSolverSDEScheduler, sd, {"steps": 1}
    for p, v in (("epsilon", "fixed_small_log"), ("sample", "fixed_small_log"), ("epsilon", "learned_range")):
        yield UnCLIPScheduler, {"prediction_type": p, "variance_type": v, "clip_sample": p == "sample",
                                "clip_sample_range": 1.5}, {"steps": 8}
    yield UnCLIPScheduler, {"num_train_timesteps": 6}, {"steps": 6}


def continuous_cases():
    churn = (40.0, 0.01, 50.0, 1.003)
    sd = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    for p in ("epsilon", "v_prediction", "sample"):
        yield EulerDiscreteScheduler, {**sd, "prediction_type": p}, {"steps": 6, "churn": churn}
    yield EulerDiscreteScheduler, sd, {"steps": 6, "churn": (0.4, 0.5, 5.0, 1.0)}
    yield EulerDiscreteScheduler, sd, {"sigmas": [14.6, 6.3, 3.8, 1.1, 0.4, 0.1, 0.0]}
    yield IPNDMScheduler, {}, {"steps": 7}
    yield IPNDMScheduler, {}, {"steps": 2}
    for p, s in itertools.product(("epsilon", "v_prediction"), ("karras", "exponential")):
        common = {"prediction_type": p, "sigma_schedule": s}
        yield EDMEulerScheduler, common, {"steps": 6}
        yield EDMEulerScheduler, {**common, "final_sigmas_type": "sigma_min", "sigma_data": 1.0}, {"steps": 5, "churn": churn}
        yield EDMDPMSolverMultistepScheduler, common, {"steps": 7}
        yield EDMDPMSolverMultistepScheduler, {**common, "solver_order": 3, "sigma_max": 20.0, "rho": 5.0}, {"steps": 9, "wide": True}
        yield EDMDPMSolverMultistepScheduler, {**common, "algorithm_type": "sde-dpmsolver++", "solver_type": "heun",
                                               "final_sigmas_type": "sigma_min"}, {"steps": 6}
    yield EDMEulerScheduler, {}, {"sigmas": [0.0, 0.3, 0.5, 0.9]}
    yield EDMEulerScheduler, {}, {"steps": 1}
    yield EDMDPMSolverMultistepScheduler, {"thresholding": True, "dynamic_thresholding_ratio": 0.8,
                                           "sample_max_value": 1.5, "euler_at_final": True}, {"steps": 6}
    for clip in (True, False):
        yield CMStochasticIterativeScheduler, {"clip_denoised": clip, "s_noise": 1.2}, {"steps": 5}
    yield CMStochasticIterativeScheduler, {}, {"steps": 1}
    yield CMStochasticIterativeScheduler, {"num_train_timesteps": 201}, {"timesteps": [106, 20, 0]}


def flow_cases():
    cls = FlowMatchEulerDiscreteScheduler
    yield cls, {}, {"steps": 6}
    yield cls, {"shift": 3.0}, {"steps": 5}
    yield cls, {"shift": 3.0, "stochastic_sampling": True}, {"steps": 5}
    yield cls, {"shift": 2.0, "invert_sigmas": True, "shift_terminal": 0.1}, {"steps": 5}
    for spacing in ("karras", "exponential", "beta"):
        yield cls, {"shift": 3.0, f"use_{spacing}_sigmas": True}, {"steps": 6}
    for kind in ("exponential", "linear"):
        yield cls, {"use_dynamic_shifting": True, "time_shift_type": kind}, {"steps": 6, "mu": 0.8}
    yield cls, {"shift": 1.5}, {"sigmas": [1.0, 0.7, 0.4, 0.05]}
    yield cls, {"shift": 3.0}, {"steps": 1}
    for shift, run in ((1.0, {"wide": True}), (3.0, {}), (3.0, {"churn": (2.0, 0.1, 0.9, 1.1)})):
        yield FlowMatchHeunDiscreteScheduler, {"shift": shift}, {"steps": 5, **run}
    flow = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
    for shift in (1.0, 3.0):
        common = {**flow, "flow_shift": shift}
        for order in (2, 3):
            yield DPMSolverMultistepScheduler, {**common, "solver_order": order}, {"steps": 7}
            yield UniPCMultistepScheduler, {**common, "solver_order": order}, {"steps": 7}
        yield DPMSolverMultistepScheduler, {**common, "algorithm_type": "sde-dpmsolver++"}, {"steps": 6}
        yield DPMSolverSinglestepScheduler, common, {"steps": 6}
        yield DEISMultistepScheduler, common, {"steps": 6, "wide": True}
        yield SASolverScheduler, common, {"steps": 6}
        yield UniPCMultistepScheduler, {**common, "final_sigmas_type": "sigma_min"}, {"steps": 6}
        yield UniPCMultistepScheduler, {**common, "use_karras_sigmas": True}, {"steps": 6}
    yield UniPCMultistepScheduler, {**flow, "flow_shift": 2.0, "shift_terminal": 0.05}, {"steps": 6}
    yield UniPCMultistepScheduler, {**flow, "flow_shift": 2.0}, {"sigmas": [0.95, 0.7, 0.4, 0.1]}
    yield UniPCMultistepScheduler, {**flow, "use_dynamic_shifting": True}, {"steps": 6, "mu": 0.6}
    yield DPMSolverMultistepScheduler, {"use_flow_sigmas": True, "prediction_type": "v_prediction"}, {"steps": 6}
    yield DPMSolverMultistepInverseScheduler, {**flow, "flow_shift": 3.0}, {"steps": 6}


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
            {"name": name, "config": {"_class_name": cls.__name__, **config}, **run, "custom": run.get("timesteps"),
             **found}
        )
    save_file(tensors, path, metadata={"cases": json.dumps(index)})


if __name__ == "__main__":
    main(sys.argv[1])
