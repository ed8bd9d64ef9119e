"""Loss, gradients and two short training runs of a tiny class-conditional U-Net; a loss that compares pictures.

Usage: python scripts/golden/training.py FOLDER
"""

import sys

import torch
from diffusers import DDPMScheduler, UNet2DModel
from diffusers.optimization import get_cosine_schedule_with_warmup
from diffusers.training_utils import EMAModel

from common import WEIGHTS_RULE, config_of, fill, generator, samples, save

CONFIG = {
    "sample_size": 8,
    "block_out_channels": (8, 16),
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 1,
    "attention_head_dim": 8,
    "norm_num_groups": 4,
    "time_embedding_dim": 16,
    "num_class_embeds": 3,
}
# Class of every sample of a batch of four.
LABELS = [0, 1, 2, 0]
STEPS = 10


def batches(count, size):
    """What a step trains on, drawn from one generator in this order: x0, noise, timesteps."""
    g = generator(123)
    for _ in range(count):
        x0 = torch.randn(size, 3, 8, 8, generator=g)
        noise = torch.randn(size, 3, 8, 8, generator=g)
        timesteps = torch.randint(0, 1000, (size,), generator=g)
        yield x0, noise, timesteps


def loss_of(model, scheduler, x0, noise, timesteps):
    labels = torch.tensor(LABELS[: len(timesteps)])
    predicted = model(scheduler.add_noise(x0, noise, timesteps), timesteps, class_labels=labels).sample
    return torch.nn.functional.mse_loss(predicted, noise)


def gradients(folder):
    model, scheduler = fill(UNet2DModel(**CONFIG)).train(), DDPMScheduler()
    x0, noise, timesteps = next(batches(1, 2))
    loss = loss_of(model, scheduler, x0, noise, timesteps)
    loss.backward()
    tensors = {f"gradient.{n}": p.grad for n, p in model.named_parameters()}
    tensors |= {"x0": x0, "noise": noise, "timestep": timesteps.float(), "loss": loss.reshape(1)}
    tensors["noisy"] = scheduler.add_noise(x0, noise, timesteps)
    save(folder, "gradients", tensors, config=config_of(model), weights=WEIGHTS_RULE, class_labels=LABELS[:2],
         timesteps=timesteps.tolist(), loss=loss.item())


def adamw(model):
    return torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)


def plain(folder):
    """Ten AdamW steps, nothing else."""
    model, scheduler = fill(UNet2DModel(**CONFIG)).train(), DDPMScheduler()
    optimizer, losses, drawn = adamw(model), [], []
    for x0, noise, timesteps in batches(STEPS, 4):
        loss = loss_of(model, scheduler, x0, noise, timesteps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        drawn.append(timesteps.tolist())
    save(folder, "training_plain", {"weights": samples(model.named_parameters())}, config=config_of(model),
         weights=WEIGHTS_RULE, class_labels=LABELS, timesteps=drawn, losses=losses,
         optimizer={"type": "AdamW", "lr": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01})


def full(folder):
    """Ten AdamW steps with clipping, warm-up and cosine decay of the rate, and three moving averages."""
    model, scheduler = fill(UNet2DModel(**CONFIG)).train(), DDPMScheduler()
    optimizer = adamw(model)
    rates = get_cosine_schedule_with_warmup(optimizer, num_warmup_steps=3, num_training_steps=STEPS)
    settings = {
        "power": {"decay": 0.9999, "use_ema_warmup": True, "inv_gamma": 1.0, "power": 0.75},
        "ramp": {"decay": 0.9999},
        "constant": {"decay": 0.95, "min_decay": 0.95},
    }
    averages = {name: EMAModel(model.parameters(), **s) for name, s in settings.items()}
    losses, drawn, lrs, norms, decays = [], [], [], [], {name: [] for name in settings}
    for x0, noise, timesteps in batches(STEPS, 4):
        loss = loss_of(model, scheduler, x0, noise, timesteps)
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item())
        lrs.append(rates.get_last_lr()[0])
        optimizer.step()
        rates.step()
        for name, average in averages.items():
            average.step(model.parameters())
            decays[name].append(average.cur_decay_value)
        losses.append(loss.item())
        drawn.append(timesteps.tolist())
    tensors = {"weights": samples(model.named_parameters())}
    names = [n for n, _ in model.named_parameters()]
    for name, average in averages.items():
        tensors[f"ema_{name}"] = samples(zip(names, average.shadow_params))
    save(folder, "training_full", tensors, config=config_of(model), weights=WEIGHTS_RULE, class_labels=LABELS,
         timesteps=drawn, losses=losses, learning_rates=lrs, gradient_norms=norms, ema=settings, ema_decays=decays,
         max_grad_norm=1.0, warmup_steps=3, training_steps=STEPS,
         optimizer={"type": "AdamW", "lr": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01})


class Classifier(torch.nn.Module):
    """The project's classifier: pairs of normalised convolutions, halvings, a hidden layer."""

    def __init__(self, size, channels, blocks, features, classes):
        super().__init__()
        self.convs, self.norms = torch.nn.ModuleList(), torch.nn.ModuleList()
        before = channels
        for width in blocks:
            for _ in range(2):
                self.convs.append(torch.nn.Conv2d(before, width, 3, padding=1))
                self.norms.append(torch.nn.GroupNorm(8, width))
                before = width
        self.hidden = torch.nn.Linear(before * (size // 2 ** len(blocks)) ** 2, features)
        self.head = torch.nn.Linear(features, classes)

    def forward(self, x):
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            x = torch.nn.functional.silu(norm(conv(x)))
            if i % 2:
                x = torch.nn.functional.avg_pool2d(x, 2)
        return torch.relu(self.hidden(x.flatten(1)))


def ssim_map(a, b):
    """Structural similarity of pictures in [-1, 1] wherever an 11 x 11 Gaussian window of deviation 1.5 fits."""
    a, b = (a + 1) / 2, (b + 1) / 2
    line = torch.exp(-((torch.arange(11) - 5.0) ** 2) / (2 * 1.5 ** 2))
    line = line / line.sum()
    channels = a.shape[1]
    window = torch.outer(line, line).repeat(channels, 1, 1, 1)

    def mean(x):
        return torch.nn.functional.conv2d(x, window, groups=channels)

    ma, mb = mean(a), mean(b)
    va, vb, covariance = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
    c1, c2 = 0.01 ** 2, 0.03 ** 2
    return (2 * ma * mb + c1) * (2 * covariance + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2))


def pictures(folder):
    """The loss of one step with terms of SSIM and features of the denoised pictures, and its gradient."""
    size, classifier = 12, {"sample_size": 12, "in_channels": 3, "num_classes": 3, "block_channels": [8, 16],
                            "features": 8}
    seer = fill(Classifier(size, 3, classifier["block_channels"], classifier["features"], 3))
    seer.requires_grad_(False)
    weights = {"ssim": 0.5, "features": 2.0}
    tensors, runs = {}, {}
    for prediction in ("epsilon", "v_prediction", "sample"):
        model, scheduler = fill(UNet2DModel(**CONFIG | {"sample_size": size})).train(), DDPMScheduler()
        g = generator(321)
        x0, noise = torch.rand(4, 3, size, size, generator=g) * 2 - 1, torch.randn(4, 3, size, size, generator=g)
        timesteps = torch.tensor([20, 150, 400, 900])
        noisy = scheduler.add_noise(x0, noise, timesteps)
        output = model(noisy, timesteps, class_labels=torch.tensor(LABELS)).sample
        share = scheduler.alphas_cumprod[timesteps].reshape(4, 1, 1, 1)
        a, s = share.sqrt(), (1 - share).sqrt()
        target, clean = {
            "epsilon": (noise, (noisy - s * output) / a),
            "v_prediction": (a * noise - s * x0, a * noisy - s * output),
            "sample": (x0, output),
        }[prediction]
        ssim = (share * (1 - ssim_map(clean, x0))).mean()
        features = (share.reshape(4, 1) * (seer(clean) - seer(x0)) ** 2).mean()
        loss = torch.nn.functional.mse_loss(output, target) + weights["ssim"] * ssim + weights["features"] * features
        loss.backward()
        tensors[f"{prediction}.gradient"] = samples((n, p.grad) for n, p in model.named_parameters())
        runs[prediction] = {"loss": loss.item(), "ssim_loss": ssim.item(), "features_loss": features.item()}
    tensors |= {"x0": x0, "noise": noise}
    save(folder, "training_pictures", tensors, config=config_of(model), weights=WEIGHTS_RULE, class_labels=LABELS,
         timesteps=timesteps.tolist(), classifier=classifier, loss_weights=weights, runs=runs)


def main(folder):
    gradients(folder)
    pictures(folder)
    plain(folder)
    full(folder)


if __name__ == "__main__":
    main(sys.argv[1])
