"""What the networks give: text, single passes, autoencoders, schedulers, whole runs."""

import torch

from . import plan
from .runs import Captured, hooked, run


def text(made):
    nets, tensors = made.networks, {}
    prompts = [nets.text(prompt) for prompt in plan.TEXT_PROMPTS]
    pipe = nets.pipeline("model/scheduler")
    with torch.no_grad():
        for i, prompt in enumerate(prompts):
            for which, encoder in [(1, nets.text_1), (2, nets.text_2)]:
                ids = nets.tokenizers[which - 1](prompt).input_ids
                seen = []
                layers = getattr(encoder, "text_model", encoder).encoder.layers
                handle = layers[-1].register_forward_pre_hook(lambda _, args, kwargs: seen.append(args[0] if args else kwargs["hidden_states"]), with_kwargs=True)
                result = encoder(ids, output_hidden_states=True)
                handle.remove()
                hidden = result.hidden_states[-2]
                assert torch.equal(hidden, seen[0]), "hidden_states[-2] is not the input of the last layer"
                tensors[f"{i}/ids_{which}"] = ids.to(torch.int32)
                tensors[f"{i}/hidden_{which}"] = hidden
                if i == 0:
                    tensors[f"{i}/last_{which}"] = result.last_hidden_state
                if which == 2:
                    end = ids[0].argmax()
                    pooled = nets.text_2.text_projection(result.last_hidden_state[:, end])
                    assert (result.text_embeds - pooled).abs().max() < 1e-5, "text_embeds is not of the first largest id"
                    tensors[f"{i}/text_embeds"] = result.text_embeds
        tensors["0/prompt_embeds"] = pipe.encode_prompt(prompts[0], device="cpu", do_classifier_free_guidance=False)[0]
        _, negative, _, negative_pooled = pipe.encode_prompt(prompts[0], negative_prompt="", device="cpu", do_classifier_free_guidance=True)
        tensors["negative_empty_string/negative_prompt_embeds"] = negative
        tensors["negative_empty_string/negative_pooled"] = negative_pooled
    made.embeddings = [pipe.encode_prompt(prompt, device="cpu", do_classifier_free_guidance=False) for prompt in prompts]
    made.out.tensors("text.safetensors", tensors)
    made.out.json("text.json", {"prompts": prompts})
    return f"largest state {max(value.abs().max().item() for name, value in tensors.items() if 'hidden' in name):.3g}, pooled {tensors['0/text_embeds'].abs().max():.3g}"


def unet(made):
    generator, tensors = torch.Generator().manual_seed(31), {}
    for name, (timestep, batch, height, width) in plan.UNET_PASSES.items():
        embeddings = [made.embeddings[i] for i in range(batch)]
        given = {
            "sample": torch.randn(batch, 4, height, width, generator=generator),
            "timestep": torch.tensor([timestep]),
            "encoder_hidden_states": torch.cat([one[0] for one in embeddings]).detach(),
            "text_embeds": torch.cat([one[2] for one in embeddings]).detach(),
            "time_ids": torch.tensor([[8.0 * height, 8.0 * width, 16.0 * i, 5.0 * i, 8.0 * height, 8.0 * width + i] for i in range(batch)]),
        }
        captured, pipe = Captured(), made.networks.pipeline("model/scheduler")
        with torch.no_grad(), hooked(pipe, captured.hooks()):
            output = made.networks.unet(given["sample"], given["timestep"], encoder_hidden_states=given["encoder_hidden_states"],
                                        added_cond_kwargs={"text_embeds": given["text_embeds"], "time_ids": given["time_ids"]}).sample
        tensors |= {f"{name}/{key}": value for key, value in (given | {"output": output}).items()}
        for site, path in plan.SITES.items():
            tensors[f"{name}/{path}/input"], tensors[f"{name}/{path}/output"] = captured.input(site)[:, 0], captured.output(site)[:, 0]
    made.out.tensors("unet.safetensors", tensors)
    return ", ".join(f"{name}: output up to {tensors[f'{name}/output'].abs().max():.3g}, "
                     + f"blocks up to {max(tensors[f'{name}/{path}/output'].abs().max().item() for path in plan.SITES.values()):.3g}" for name in plan.UNET_PASSES)


def vae(made):
    generator, nets = torch.Generator().manual_seed(32), made.networks
    latents = 15 * torch.randn(plan.VAE_LATENTS, generator=generator)
    tiny_latents = 2 * torch.randn(plan.VAE_LATENTS, generator=generator)
    _, _, height, width = plan.VAE_LATENTS
    image = torch.rand(1, 3, 8 * height, 8 * width, generator=generator) * 2 - 1
    with torch.no_grad():
        decoded = nets.vae.decode(latents / plan.VAE["scaling_factor"]).sample
        encoded = nets.vae.encode(image).latent_dist
        tensors = {
            "kl/latents": latents, "kl/decoded": decoded, "image": image, "kl/encoded_mean": encoded.mean, "kl/encoded_logvar": encoded.logvar,
            "kl/image_uint8": ((decoded / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1) * 255).round().to(torch.uint8),
            "tiny/latents": tiny_latents, "tiny/decoded": nets.vae_tiny.decode(tiny_latents).sample, "tiny/encoded": nets.vae_tiny.encode(image).latents,
        }
    made.out.tensors("vae.safetensors", tensors)
    return ", ".join(f"{name} up to {tensors[name].abs().max():.3g} (std {tensors[name].std():.2g})" for name in ["kl/decoded", "kl/encoded_mean", "tiny/decoded", "tiny/encoded"])


def schedulers(made):
    tensors, described = {}, {}
    folders = {"euler_ancestral_trailing": "model/scheduler", "euler_leading": "scheduler_base"}
    for kind, folder in folders.items():
        for count in plan.SCHEDULER_STEPS[kind]:
            scheduler, name = made.networks.scheduler(folder), f"{kind}/{count}"
            scheduler.set_timesteps(count)
            generator, own = (torch.Generator().manual_seed(plan.RUNS["turbo1"]["seed"]) for _ in range(2))
            outputs = torch.Generator().manual_seed(1000 + count)
            latents = [torch.randn(plan.SCHEDULER_SHAPE, generator=generator) * scheduler.init_noise_sigma]
            torch.randn(plan.SCHEDULER_SHAPE, generator=own)
            kept = {"scaled": [], "model_output": [], "pred_original_sample": [], "noise": []}
            for timestep in scheduler.timesteps:
                kept["scaled"].append(scheduler.scale_model_input(latents[-1], timestep))
                kept["model_output"].append(torch.randn(plan.SCHEDULER_SHAPE, generator=outputs))
                step = scheduler.step(kept["model_output"][-1], timestep, latents[-1], generator=generator)
                kept["pred_original_sample"].append(step.pred_original_sample)
                kept["noise"].append(torch.randn(plan.SCHEDULER_SHAPE, generator=own))
                latents.append(step.prev_sample)
            if kind == "euler_leading":
                del kept["noise"]
            tensors |= {f"{name}/{key}": torch.cat(values) for key, values in kept.items()}
            tensors |= {f"{name}/latents": torch.cat(latents), f"{name}/timesteps": scheduler.timesteps.float(), f"{name}/sigmas": scheduler.sigmas.float()}
            described[name] = {"timesteps": scheduler.timesteps.tolist(), "sigmas": scheduler.sigmas.tolist(), "init_noise_sigma": float(scheduler.init_noise_sigma)}
    tensors["alphas_cumprod"] = made.networks.scheduler("model/scheduler").alphas_cumprod
    made.out.tensors("schedulers.safetensors", tensors)
    made.out.json("schedulers.json", described)
    return ", ".join(described)


def runs(made):
    described, notes = {}, []
    made.captured, made.latents = {}, {}
    for name, request in plan.RUNS.items():
        captured = Captured()
        latents, steps = run(made.networks, name, captured.hooks())
        pictures, _ = run(made.networks, name, output_type="pil")
        pictures[0].save(made.out.at("runs", f"{name}.png"))
        generator = torch.Generator().manual_seed(request["seed"])
        tensors = {"noise": torch.randn(latents.shape, generator=generator), "step_latents": steps, "latents": latents}
        if request["scheduler"] == "model/scheduler":
            tensors["step_noise"] = torch.cat([torch.randn(latents.shape, generator=generator) for _ in range(request["num_inference_steps"])])
        else:
            tensors["latents_negative_empty_string"] = run(made.networks, name, negative_prompt="")[0]
            tensors["latents_prompt_empty"] = run(made.networks, name, prompt="")[0]
        for site, path in plan.SITES.items():
            tensors[f"{path}/input"], tensors[f"{path}/output"] = captured.input(site), captured.output(site)
        made.out.tensors(f"runs/{name}.safetensors", tensors)
        made.captured[name], made.latents[name] = captured, latents
        height, width = request["height"], request["width"]
        described[name] = request | {"prompt": made.networks.text(request["prompt"]), "negative_prompt": None,
                                     "time_ids": [height, width, 0, 0, height, width], "image": f"runs/{name}.png"}
        values = torch.tensor(list(pictures[0].getdata())).float()
        notes.append(f"{name}: latents up to {latents.abs().max():.3g}, picture std {values.std():.3g}, at the ends {((values == 0) | (values == 255)).float().mean():.2f}, blocks up to "
                     + f"{max(captured.output(site).abs().max().item() for site in plan.SITES):.3g}")
    made.out.json("runs/runs.json", described)
    return "; ".join(notes)
