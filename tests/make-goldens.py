#!/usr/bin/env python3
"""Writes a second golden folder: the layout of tests/goldens, computed by diffusers and PyTorch at other sizes (goldenmaker/plan.py).

    python3 tests/make-goldens.py OUT
    SAEUNBOX_GOLDENS=OUT dotnet test -c Release

Needs PyTorch, diffusers, transformers, safetensors, numpy, Pillow and matplotlib; runs on the CPU in float32, on one thread. The parts
that depend on no size (tokenizers and their texts, broken files, manifests) are copied from tests/goldens. A part that fails is reported,
and the others are made all the same; the exit status is then 1.
"""

import importlib.metadata
import platform
import sys
import time
import traceback
from pathlib import Path
from types import SimpleNamespace

import torch

torch.set_num_threads(1)


def versions():
    def of(package):
        try:
            return f"{package} {importlib.metadata.version(package)}"
        except importlib.metadata.PackageNotFoundError:
            return f"{package} {getattr(sys.modules.get(package), '__version__', '(version unknown)')}"

    return ", ".join([f"Python {platform.python_version()}", *map(of, ["torch", "diffusers", "transformers", "safetensors", "numpy", "Pillow", "matplotlib"])])


def main(first, out):
    from goldenmaker import files, model_parts, networks, plain_parts, readme, sae_parts

    made_with = versions()
    print(made_with, flush=True)
    first, out = files.Folder(first), files.Folder(out)
    made = SimpleNamespace(out=out, networks=None, made_with=made_with)

    def copied(_):
        out.copy(first, "badfiles", "badfiles.json", "tokens.json", "manifests")

    def built(_):
        made.networks = networks.Networks(first)
        made.networks.write(out, first)
        return f"{sum(weight.numel() for weight in made.networks.unet.parameters())} weights in the U-Net"

    parts = {
        "copied": copied, "networks": built, "text": model_parts.text, "unet": model_parts.unet, "vae": model_parts.vae, "schedulers": model_parts.schedulers,
        "runs": model_parts.runs, "saes": sae_parts.saes, "turbo edits": sae_parts.turbo_edits, "base edits": sae_parts.base_edits,
        "noise": plain_parts.noise, "heatmap": plain_parts.heatmap, "train": plain_parts.train, "readme": readme.write,
    }
    failed = []
    for name, make in parts.items():
        start = time.monotonic()
        try:
            note = make(made)
            print(f"{name}: made in {time.monotonic() - start:.1f} s. {note or ''}", flush=True)
        except Exception:
            failed.append(name)
            print(f"{name}: FAILED\n{traceback.format_exc()}", flush=True)
    print(f"failed: {', '.join(failed)}" if failed else "all parts made")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(__file__).resolve().parent / "goldens", sys.argv[1]))
