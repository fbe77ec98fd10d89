"""The new folder's own description."""

from . import plan


def write(made):
    changes = getattr(made, "changes", {})
    ablated = ", ".join(f"{site} ablated: {changes[f'ablate_{site}']}" for site in plan.SITES if f"ablate_{site}" in changes)
    sizes = "\n".join(f"- {name}: " + ", ".join(f"{key} {value}" for key, value in values.items())
                      for name, values in [("U-Net", plan.UNET), ("text_encoder", plan.TEXT_1), ("text_encoder_2", plan.TEXT_2), ("vae", plan.VAE), ("vae_tiny", plan.VAE_TINY), ("SAEs", plan.SAE)])
    made.out.at("README.md").write_text(f"""# Golden fixtures of other sizes

Written by tests/make-goldens.py in the layout, the names and the conventions of tests/goldens, whose README describes them all.

Made with: {made.made_with}. CPU, one thread, float32.

{sizes}

`base_top10` and `base_mean_activation` of saes.safetensors: on the base run (guidance on: batch 1 is taken), timestep={plan.BASE_STEP}.

Relative change of the final turbo1 latents when a part is taken away: {ablated}.
""", encoding="utf-8")
