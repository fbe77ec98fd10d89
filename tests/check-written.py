#!/usr/bin/env python3
"""Checks that PyTorch and safetensors load what our writers write, tensor for tensor the same as the goldens. Writes nothing itself.

    SAEUNBOX_WRITTEN=DIR tests/run.sh Checkpoints -class '*GoldenWritersTests'    # DIR: a full path; these two fill it
    SAEUNBOX_WRITTEN=DIR tests/run.sh Sae.Tests -class '*WritingTests'
    python3 tests/check-written.py DIR [GOLDENS]

GOLDENS is the folder the tests ran on, tests/goldens where it is left out. In DIR lie each of its X.safetensors, again as X.safetensors and
as X.safetensors.pt, and its autoencoders as saves of their own. Needs PyTorch and safetensors; the exit status is 1 where anything differs.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file


def tensors(path):
    """Dotted names to tensors; a bare tensor has no name."""

    def flat(name, value):
        if isinstance(value, torch.Tensor):
            return {name: value}
        if isinstance(value, dict):
            return {key: tensor for part, inner in value.items() for key, tensor in flat(f"{name}.{part}".lstrip("."), inner).items()}
        return {}

    return flat("", load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True))


def differences(written, golden):
    yield from (f"lacks {name}" for name in golden.keys() - written.keys())
    yield from (f"has {name}, too" for name in written.keys() - golden.keys())
    for name in written.keys() & golden.keys():
        one, other = written[name], golden[name]
        if (one.dtype, one.shape, one.is_contiguous()) != (other.dtype, other.shape, other.is_contiguous()):
            yield f"{name}: {one.dtype} {tuple(one.shape)} {one.stride()}, not {other.dtype} {tuple(other.shape)} {other.stride()}"
        elif not torch.equal(one, other):
            yield f"{name}: other values"


def main(folder, goldens):
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".safetensors", ".pt", ".pth"))
    if not files:
        sys.exit(f"{folder} holds nothing that our writers wrote")
    failed = 0
    for path in files:
        within = str(path.relative_to(folder))
        found = sorted(differences(tensors(path), tensors(goldens / within.replace(".safetensors.pt", ".safetensors"))))
        failed += bool(found)
        print(f"{within}: {'; '.join(found) or 'the same'}")
    print(f"{len(files) - failed} of {len(files)} files are the same")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else Path(__file__).resolve().parent / "goldens"))
