"""What needs no network: random draws, heat maps, the training loop number by number."""

import copy

import numpy
import torch
from PIL import Image

from . import plan, sae


def noise(made):
    tensors, described = {}, {}

    def generator(seed):
        return torch.Generator().manual_seed(seed)

    for seed in plan.NOISE_SEEDS:
        draw = generator(seed)
        whole = torch.randn(1, 4, 64, 64, generator=draw)
        made_of = {"corner": whole[:, :, :8, :8], "last16": whole.flatten()[-16:], "next": torch.randn(1, 4, 8, 8, generator=draw)}
        for count in (1, 3, 5, 15, 16, 17, 20, 33):
            made_of[f"n{count}"] = torch.randn(count, generator=generator(seed))
        scalar = generator(seed)
        made_of["n5_then_n3"] = torch.cat([torch.randn(5, generator=scalar), torch.randn(3, generator=scalar)])
        for name, dtype in [("f16", torch.float16), ("bf16", torch.bfloat16), ("f64", torch.float64)]:
            # A half is the float32 draw rounded, as newer versions of PyTorch draw it; older ones drew other numbers.
            drawn = torch.float64 if dtype == torch.float64 else torch.float32
            made_of[name] = torch.randn(1, 4, 8, 8, generator=generator(seed), dtype=drawn).to(dtype)
            made_of[f"{name}_n7"] = torch.randn(7, generator=generator(seed), dtype=drawn).to(dtype)
        made_of["f32_8x8"] = torch.randn(1, 4, 8, 8, generator=generator(seed))
        made_of["batch2"] = torch.randn(2, 4, 8, 8, generator=generator(seed))
        tensors |= {f"seed{seed}/{name}": value for name, value in made_of.items()}
        described[f"seed{seed}"] = {"sum": whole.double().sum().item(), "sum_of_squares": whole.double().pow(2).sum().item(), "first4": whole.flatten()[:4].tolist()}
    tensors["list_of_generators"] = torch.cat([torch.randn(1, 4, 8, 8, generator=generator(seed)) for seed in (0, 42)])
    made.out.tensors("noise.safetensors", tensors)
    made.out.json("noise.json", described)
    return f"{len(tensors)} draws"


def heatmap(made):
    """The demo's overlay: min-max normalised, every cell a square, jet with alpha 0 for the lowest row of the table and 0.6 for the others."""
    import matplotlib

    table = matplotlib.colormaps["jet"](numpy.arange(256))
    rows, columns, cell = 6, 9, 32
    y, x = numpy.mgrid[0 : rows * cell, 0 : columns * cell]
    image = Image.fromarray(numpy.stack([40 + x // 2, 250 - y, 20 + (x + 3 * y) // 6], axis=-1).astype(numpy.uint8))
    image.save(made.out.at("heatmap", "image.png"))
    generator = torch.Generator().manual_seed(9)
    single = torch.zeros(rows, columns)
    single[4, 7] = 2.5
    maps = {"ordinary": torch.rand(rows, columns, generator=generator) ** 2 * 7, "constant": torch.full((rows, columns), 1.25), "all_zero": torch.zeros(rows, columns), "single": single}
    tensors = {f"map/{name}": value for name, value in maps.items()}
    for name, value in maps.items():
        big = numpy.kron(value.double().numpy(), numpy.ones((cell, cell)))
        low, high = big.min(), big.max()
        overlay = numpy.zeros((*big.shape, 4), dtype=numpy.uint8)
        if high > low:
            index = numpy.minimum(((big - low) / (high - low) * 256).astype(int), 255)
            colours = numpy.concatenate([table[:, :3], numpy.where(numpy.arange(256) == 0, 0, 0.6)[:, None]], axis=1)
            overlay = (colours[index] * 255).astype(numpy.uint8)
        Image.alpha_composite(image.convert("RGBA"), Image.fromarray(overlay, "RGBA")).save(made.out.at("heatmap", f"{name}.png"))
    ordinary = maps["ordinary"].double()
    tensors["map/ordinary_normalised"] = (ordinary - ordinary.min()) / (ordinary.max() - ordinary.min())
    tensors["jet"], tensors["jet_uint8"] = torch.from_numpy(table), torch.from_numpy((table * 255).astype(numpy.uint8))
    made.out.tensors("heatmap/maps.safetensors", tensors)
    return f"{len(maps)} maps"


def _training_data(t):
    """Batches of sparse sums of random directions around a centre, with a little noise."""
    generator = torch.Generator().manual_seed(55)
    directions = torch.nn.functional.normalize(torch.randn(30, t["d"], generator=generator), dim=1)
    centre = torch.randn(t["d"], generator=generator)
    count = (t["stats_batches"] + t["steps"]) * t["batch"]
    uses = (torch.rand(count, 30, generator=generator) < 0.1) * torch.rand(count, 30, generator=generator) * 4
    rows = centre + uses @ directions + 0.3 * torch.randn(count, t["d"], generator=generator)
    batches = rows.view(-1, t["batch"], t["d"])
    return batches[: t["stats_batches"]], batches[t["stats_batches"] :]


def train(made):
    t = plan.TRAIN
    stats, batches = _training_data(t)
    sample = stats.flatten(0, 1)
    median, scale = sae.geometric_median(sample), sae.mse_scale(sample)
    tensors = {"stats_batches": stats, "train_batches": batches, "geometric_median": median}
    described, smallest = [], []
    for number, lr in enumerate(t["lrs"]):
        torch.manual_seed(500 + number)
        model = sae.TopKAutoencoder(t["n"], t["d"], t["k"], t["auxk"], t["dead_steps_threshold"])
        model.pre_bias.data = median.clone()

        def keep(moment, whole=True):
            for name, value in copy.deepcopy(model.state_dict()).items():
                if whole or name in ("latent_bias", "stats_last_nonzero"):
                    tensors[f"sae{number}/{moment}/{name}"] = value

        keep("initial")
        optimiser, steps = torch.optim.Adam(model.parameters(), lr=lr, eps=t["eps"], betas=tuple(t["betas"])), []
        used, uses = torch.zeros(t["n"], dtype=torch.int64), 0
        for step, batch in enumerate(batches):
            smallest.append(sae.safest(model, batch)[1])
            recons, auxiliary, reconstruction, (_, indices) = sae.losses(model, batch, scale, t["auxk_coef"])
            used += torch.bincount(indices.flatten(), minlength=t["n"])
            uses += indices.numel()
            last = model.stats_last_nonzero
            steps.append({
                "step": step, "recons": recons.item(), "auxk": auxiliary.item(), "total": (recons + auxiliary).item(),
                "explained_variance": sae.explained_variance(reconstruction.detach(), batch),
                "l2_div": (reconstruction.norm(dim=1) / batch.norm(dim=1)).mean().item(),
                **{f"not_activated_1e{power}": (last > 10.0**power / len(batch)).double().mean().item() for power in (4, 6, 7)},
                "dead_after_step": (last > t["dead_steps_threshold"]).sum().item(),
            })
            if (step + 1) % t["log_interval"] == 0:
                tensors[f"sae{number}/activated_step_{step}"] = (used / uses + 1e-9).log10()
                used, uses = torch.zeros_like(used), 0
            sae.update(model, optimiser, recons + auxiliary)
            if step + 1 in t["saved"]:
                keep(f"after_step_{step + 1}", t["saved"][step + 1])
        described.append({
            "name": f"{plan.SITES['mid.0']}_k{t['k']}_hidden{t['n']}_auxk{t['auxk']}_bs{t['batch']}_lr{lr}", "lr": lr, "eps": t["eps"], "auxk_coef": t["auxk_coef"], "k": t["k"], "auxk": t["auxk"],
            "d_model": t["d"], "n_dirs": t["n"], "batch": t["batch"], "dead_steps_threshold": t["dead_steps_threshold"], "betas": t["betas"], "steps": steps,
        })
    made.out.tensors("train/train.safetensors", tensors)
    made.out.json("train/train.json", {"mse_scale": scale, "saes": described})
    return f"mse_scale {scale:.4g}, smallest gap between the k-th and the next {min(smallest):.1e}, dead at the end {[entry['steps'][-1]['dead_after_step'] for entry in described]}"
