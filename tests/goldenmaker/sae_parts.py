"""What needs autoencoders: they themselves in every container, their results, interventions."""

import copy

import torch
from PIL import Image, ImageDraw

from . import edits, plan, sae
from .files import SavedAsCuda
from .runs import Captured, TimedHook, relative_change, run


def _folder(site):
    s = plan.SAE
    return f"saes/{plan.SITES[site]}_k{s['k']}_hidden{s['n_dirs']}_auxk{s['auxk']}_bs{s['bs']}_lr{s['lr']}/final"


def difference(captured, site):
    """Output - input, (batch, step, h, w, channel)."""
    return (captured.output(site) - captured.input(site)).permute(0, 1, 3, 4, 2)


def _training_rows(made):
    """Each site's differences over turbo runs of other prompts and seeds."""
    rows = {site: [] for site in plan.SITES}
    for prompt in plan.SAE_TRAINING_PROMPTS:
        for seed in plan.SAE_TRAINING_SEEDS:
            captured = Captured()
            run(made.networks, "turbo1", captured.hooks(), prompt=prompt, seed=seed)
            for site in plan.SITES:
                rows[site].append(difference(captured, site).flatten(0, 3))
    return {site: torch.cat(values) for site, values in rows.items()}


def _gap_of_means(means, count=11):
    top = means.topk(count).values
    return (top[:-1] - top[1:]).min().item()


def _gaps(model, turbo, base):
    """What keeps rounding from changing an order, each as a multiple of what is enough: within the top k of a position, at its edge, in the
    largest means; turbo as it is stored, base as another implementation may compute it anew."""
    order, edge = sae.safest(model, turbo)
    means = [_gap_of_means(model.encode(x).flatten(0, -2).mean(dim=0)) for x in (turbo, base)]
    return [order / 3e-5, edge / 1e-3, sae.safest(model, base)[1] / 3e-3, means[0] / 1.5e-3, means[1] / 1.5e-3]


def saes(made):
    rows, notes = _training_rows(made), []
    made.saes, made.means, tensors, described = {}, {}, {}, {"folders": {site: _folder(site) for site in plan.SITES}}
    for number, site in enumerate(plan.SITES):
        turbo, base = difference(made.captured["turbo1"], site)[0, 0], difference(made.captured["base"], site)[1]
        tried = []
        while len(tried) < 10 and not (tried and min(tried[-1][1]) >= 1):
            model = sae.train(rows[site], plan.SAE, seed=100 * number + len(tried))
            tried.append((model, _gaps(model, turbo, base[plan.BASE_STEP])))
        model, gaps = max(tried, key=lambda one: min(one[1]))
        notes.append(f"{site}: {'clear' if min(gaps) >= 1 else 'NOT CLEAR'} after {len(tried)}, gaps " + " ".join(f"{gap:.2g}" for gap in gaps)
                     + f", explained on training {sae.explained_variance(model.decode(model.encode(rows[site])), rows[site]):.3f}, dead {(model.encode(rows[site]) > 0).any(0).logical_not().sum()}")
        made.saes[site] = model
        made.means[site], deviation = sae.statistics(model, rows[site])
        folder = _folder(site)
        made.out.json(f"{folder}/config.json", model.config())
        torch.save({"state_dict": model.state_dict()}, made.out.at(folder, "state_dict.pth"))
        with SavedAsCuda():
            torch.save(made.means[site], made.out.at(folder, "mean.pt"))
            torch.save(deviation, made.out.at(folder, "std.pt"))

        codes = model.encode(turbo)
        flat, mean = turbo.flatten(0, 1), codes.mean(dim=(0, 1))
        reconstruction = model.decode(codes)
        before = model.stats_last_nonzero.clone()
        counted = copy.deepcopy(model)
        again, (values, indices), _ = counted(flat)
        base_codes = model.encode(base)
        explained = sae.explained_variance(reconstruction.flatten(0, 1), flat)
        grid = (*turbo.shape[:2], model.k)
        tensors |= {f"{site}/{name}": value for name, value in {
            "diff": turbo, "inds": indices.view(grid).to(torch.int32), "vals": values.view(grid), "mean_activation": mean, "top10": mean.topk(10).indices,
            "reconstruction": reconstruction, "stats_before": before, "stats_after": counted.stats_last_nonzero,
            "base_top10": base_codes[plan.BASE_STEP].mean(dim=(0, 1)).topk(10).indices,
            "base_top10_no_timestep": base_codes.mean(dim=(0, 1)).topk(10, dim=-1).indices,
            "base_mean_activation": base_codes[plan.BASE_STEP].mean(dim=(0, 1)),
        }.items()}
        described[site] = {
            "k": model.k, "n_dirs": model.n, "d_model": model.d, "explained_variance": explained, "smallest_gap_between_kth_and_next": sae.safest(model, turbo)[1],
            "max_abs_forward_minus_encode_reconstruction": (again - reconstruction.flatten(0, 1)).abs().max().item(),
            "active_fraction": (codes > 0).float().mean().item(), "positions_with_fewer_than_k_positive": ((codes > 0).sum(-1) < model.k).sum().item(),
        }
    tensors |= _other_containers(made)
    made.out.tensors("saes.safetensors", tensors)
    made.out.json("saes.json", described)
    return "; ".join(notes)


def _other_containers(made):
    """saes_other/; returns the results of the probe."""
    flat, legacy, half = made.saes["up.0.1"], made.saes["mid.0"], made.saes["down.2.1"]
    torch.save(dict(flat.state_dict()), made.out.at("saes_other", "up.0.1_flat.pt"))
    made.out.json("saes_other/up.0.1_flat.config.json", flat.config())
    old = {"_use_new_zipfile_serialization": False}
    made.out.json("saes_other/mid.0_legacy/config.json", legacy.config())
    torch.save({"state_dict": legacy.state_dict()}, made.out.at("saes_other", "mid.0_legacy", "state_dict.pth"), **old)
    mean, deviation = (torch.load(made.out.at(_folder("mid.0"), name), map_location="cpu") for name in ("mean.pt", "std.pt"))
    torch.save(mean, made.out.at("saes_other", "mid.0_legacy", "mean.pt"), **old)
    torch.save(deviation, made.out.at("saes_other", "mid.0_legacy", "std.pt"), **old)
    with SavedAsCuda():
        state = half.state_dict()
        for name, value in state.items():
            state[name] = value.half() if value.is_floating_point() else value
        torch.save({"state_dict": state}, made.out.at("saes_other", "down.2.1_half.pth"))
    made.out.json("saes_other/down.2.1_half.config.json", half.config())

    sizes = plan.PROBE
    torch.manual_seed(77)
    probe = sae.TopKAutoencoder(sizes["n_dirs"], sizes["d_model"], sizes["k"], None, 4).requires_grad_(False)
    probe.pre_bias.copy_(0.5 * torch.randn(sizes["d_model"]))
    probe.latent_bias.copy_(0.3 * torch.randn(sizes["n_dirs"]) - 0.6)
    x = 2 * torch.randn(sizes["rows"], sizes["d_model"])
    x[0], x[1] = 0, probe.pre_bias
    made.out.json("saes_other/probe/config.json", probe.config())
    torch.save({"state_dict": probe.state_dict()}, made.out.at("saes_other", "probe", "state_dict.pth"))
    latents = probe.encode(x)
    reconstruction, (_, indices), _ = probe(x)
    return {"probe/x": x, "probe/latents": latents, "probe/reconstruction": reconstruction, "probe/inds": indices.to(torch.int32), "probe/stats_after": probe.stats_last_nonzero}


def _masks(made):
    """A drawn picture of the size of turbo1, and masks on its blocks' grid."""
    request, factor = plan.RUNS["turbo1"], plan.MASK_FACTOR
    width, height = request["width"], request["height"]
    drawing = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(drawing)
    draw.ellipse([width * 0.1, height * 0.45, width * 0.7, height * 0.93], fill=255)
    draw.line([width * 0.2, height * 0.1, width * 0.95, height * 0.3], fill=255, width=19)
    drawing.save(made.out.at("edits", "mask.png"))
    pixels = (torch.tensor(list(drawing.getdata())).view(height, width) > 0).float()

    def reduced(factor):
        return pixels.view(height // factor, factor, width // factor, factor).mean(dim=(1, 3))

    rows, columns = height // factor, width // factor
    left, one_cell = torch.zeros(rows, columns), torch.zeros(rows, columns)
    left[:, : columns // 2] = 1
    one_cell[rows - 3, 1] = 1
    return {"drawn": reduced(factor), "full": torch.ones(rows, columns), "left": left, "one_cell": one_cell, "drawn_factor_16": reduced(factor // 2)}


def turbo_edits(made):
    masks = _masks(made)
    tensors, described = {f"mask/{name}": mask for name, mask in masks.items()}, {}
    plain, prompt = made.latents["turbo1"], made.networks.text(plan.RUNS["turbo1"]["prompt"])
    active = {site: made.saes[site].encode(difference(made.captured["turbo1"], site)[0, 0]).mean(dim=(0, 1)) for site in plan.SITES}
    top = {site: active[site].topk(5).indices.tolist() for site in plan.SITES}

    def case(name, function, hooks, compare=True, kept=True, prompt=prompt, **fields):
        captured = Captured(dict(hooks))
        latents, _ = run(made.networks, "turbo1", [*hooks, *captured.hooks()], prompt=prompt)
        for site in dict(hooks) if kept else []:
            tensors[f"{name}/{site}/block_output"] = captured.output(site)[:, 0]
        tensors[f"{name}/latents"] = latents.half()
        described[name] = {"prompt": prompt, "function": function, **fields, "relative_change_of_latents": relative_change(plain, latents) if compare else None}

    def painted(site, feature, mask, strength):
        mean = made.means[site][feature].item()
        fields = {"block": site, "feature": feature, "mask": mask, "strength": strength, "mean_pt": mean}
        return fields, (site, edits.add(made.saes[site], feature, masks[mask] * mean * strength))

    def paint(name, *what):
        fields, hook = painted(*what)
        case(name, "add_feature_on_area_turbo", [hook], **fields, activation_map="mask * mean.pt[feature] * strength")

    inactive = max((f for f in range(plan.SAE["n_dirs"]) if active["up.0.0"][f] == 0), key=lambda f: made.means["up.0.0"][f].item())
    paint("add_top_drawn", "down.2.1", top["down.2.1"][0], "drawn", 4.0)
    paint("add_negative_left", "up.0.1", top["up.0.1"][1], "left", -2.5)
    paint("add_weak_full", "mid.0", top["mid.0"][2], "full", 0.6)
    paint("add_inactive_one_cell", "up.0.0", inactive, "one_cell", 6.0)
    for name, site, feature, value in [("add_scalar", "down.2.1", top["down.2.1"][3], 7.0)]:
        case(name, "add_feature", [(site, edits.add(made.saes[site], feature, value))], block=site, feature=feature, value=value)
    for name, site, beta in [("modulate", "up.0.1", 1.75), ("modulate_remove", "down.2.1", -1.0)]:
        case(name, "output + beta * z_f * d_f (own composition)", [(site, edits.modulate(made.saes[site], top[site][0], beta))], block=site, feature=top[site][0], beta=beta)
    for name, site, feature in [("icon_down", "down.2.1", top["down.2.1"][1]), ("icon_up", "up.0.1", top["up.0.1"][0])]:
        value = made.means[site][feature].item() * plan.SAE["k"]
        case(name, "replace_with_feature_turbo", [(site, edits.replace(made.saes[site], feature, value))], compare=False, prompt="",
             block=site, feature=feature, value=value, value_is="mean.pt[feature] * k")
    for site in ["mid.0", "up.0.1"]:
        case(f"reconstruct_{site}", "reconstruct_sae_hook", [(site, edits.reconstruct(made.saes[site]))], block=site)
    for site in plan.SITES:
        case(f"ablate_{site}", "ablate_block", [(site, edits.ablate())], kept=False, block=site)
    for name, function, parts in [
        ("two_blocks", "add_feature_on_area_turbo on two blocks in one run", [("mid.0", top["mid.0"][0], "drawn", 3.0), ("up.0.0", top["up.0.0"][1], "left", -4.0)]),
        ("two_on_one_block", "add_feature_on_area_turbo twice on one block, in this order", [("up.0.0", top["up.0.0"][0], "drawn", 3.0), ("up.0.0", top["up.0.0"][2], "left", -2.0)]),
    ]:
        made_parts = [painted(*part) for part in parts]
        case(name, function, [hook for _, hook in made_parts], edits=[fields for fields, _ in made_parts])
    made.out.tensors("edits/turbo.safetensors", tensors)
    made.out.json("edits/turbo.json", described)
    made.changes = {name: entry["relative_change_of_latents"] for name, entry in described.items()}
    return str(made.changes)


def base_edits(made):
    request, steps = plan.RUNS["base"], plan.RUNS["base"]["num_inference_steps"]
    rows, columns = request["height"] // 32, request["width"] // 32
    mask = torch.rand(rows, columns, generator=torch.Generator().manual_seed(5))
    mask[0, 0], mask[-1, -1] = 0, 1
    tensors, cases, plain = {"mask": mask}, {}, made.latents["base"]
    top = {site: made.saes[site].encode(difference(made.captured["base"], site)[1, 0]).mean(dim=(0, 1)).topk(5).indices.tolist() for site in plan.SITES}

    def case(name, function, site, hook, kept=False, **fields):
        captured = Captured([site])
        latents, _ = run(made.networks, "base", [(site, hook), *captured.hooks()])
        if kept:
            tensors[f"{name}/block_output"] = captured.output(site)
        tensors[f"{name}/latents"] = latents
        cases[name] = {"block": site, "function": function, **fields, "total_steps": steps, "relative_change_of_latents": relative_change(plain, latents)}

    def paint(name, site, feature, strength, at, function="add_feature_on_area_base", make=edits.add_contrast, kept=False):
        mean = made.means[site][feature].item()
        hook = TimedHook(make(made.saes[site], feature, mask * mean * strength), steps, at)
        case(name, function, site, hook, kept, feature=feature, strength=strength, mean_pt=mean,
             activation_map="mask * mean.pt[feature] * strength", apply_at_steps=at)

    everywhere = list(range(steps))
    paint(f"add_steps_0_{steps}", "mid.0", top["mid.0"][0], 4.0, everywhere)
    paint("add_steps_1_3", "down.2.1", top["down.2.1"][1], 3.5, [1, 2], kept=True)
    paint(f"add_steps_{steps - 2}_{steps}", "up.0.0", top["up.0.0"][0], 5.0, everywhere[-2:], kept=True)
    paint("add_apply_at_none", "down.2.1", top["down.2.1"][0], 5.0, None)
    paint("add_negative_up", "up.0.1", top["up.0.1"][0], -2.5, [0, 1])
    paint("add_cond_only", "down.2.1", top["down.2.1"][0], 4.0, everywhere, "add_feature_on_area_base_cond", edits.add_conditional)
    feature = top["up.0.0"][1]
    value = made.means["up.0.0"][feature].item() * plan.SAE["k"]
    case("icon_base", "replace_with_feature_base", "up.0.0", edits.replace_conditional(made.saes["up.0.0"], feature, value),
         feature=feature, value=value, value_is="mean.pt[feature] * k", apply_at_steps="no timed hook")
    made.out.tensors("edits/base.safetensors", tensors)
    made.out.json("edits/base.json", {"prompt": made.networks.text(request["prompt"]), "seed": request["seed"], "guidance_scale": request["guidance_scale"], "cases": cases})
    return str({name: entry["relative_change_of_latents"] for name, entry in cases.items()})
