"""Runs of the pipeline with hooks on its transformer blocks."""

from contextlib import contextmanager

import torch

from . import plan


class TimedHook:
    """Applies a hook only in some of a run's calls, counted from 0; with no steps given, never. After total_steps it takes one call more to begin anew."""

    def __init__(self, hook, total_steps, apply_at_steps):
        self.hook, self.total_steps, self.apply_at_steps, self.current_step = hook, total_steps, apply_at_steps, 0

    def __call__(self, module, inputs, output):
        if self.apply_at_steps is None:
            return output
        applies = self.current_step in self.apply_at_steps
        self.current_step = self.current_step + 1 if self.current_step < self.total_steps else 0
        return self.hook(module, inputs, output) if applies else output


@contextmanager
def hooked(pipe, hooks):
    """Hooks, pairs of a site's code and a function, in their order."""
    handles = [pipe.unet.get_submodule(plan.SITES[site].removeprefix("unet.")).register_forward_hook(hook) for site, hook in hooks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class Captured:
    """Inputs and outputs of the sites over a run, each (batch, step, channel, height, width)."""

    def __init__(self, sites=plan.SITES):
        self._inputs, self._outputs = {site: [] for site in sites}, {site: [] for site in sites}

    def hooks(self):
        return [(site, self._keep(site)) for site in self._inputs]

    def _keep(self, site):
        def hook(module, inputs, output):
            self._inputs[site].append(inputs[0].clone())
            self._outputs[site].append(output[0].clone())
        return hook

    def input(self, site):
        return torch.stack(self._inputs[site], dim=1)

    def output(self, site):
        return torch.stack(self._outputs[site], dim=1)


def run(networks, name, hooks=(), output_type="latent", **changes):
    """Runs one of the plan's runs. Returns the final latents or pictures, and the latents after each step, (steps, 4, h, w)."""
    request = plan.RUNS[name] | changes
    pipe = networks.pipeline(request["scheduler"])
    steps = []

    def note(_pipe, _step, _timestep, values):
        steps.append(values["latents"].clone())
        return values

    with torch.no_grad(), hooked(pipe, hooks):
        output = pipe(
            prompt=networks.text(request["prompt"]), negative_prompt=request.get("negative_prompt"),
            height=request["height"], width=request["width"], num_inference_steps=request["num_inference_steps"],
            guidance_scale=request["guidance_scale"], generator=torch.Generator("cpu").manual_seed(request["seed"]),
            output_type=output_type, callback_on_step_end=note)
    return output.images, torch.cat(steps)


def relative_change(plain, changed):
    return round(((changed - plain).norm() / plain.norm()).item(), 4)
