"""Reading the first folder and writing the new one."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file


class Folder:
    def __init__(self, root):
        self.root = Path(root)

    def at(self, *parts):
        path = self.root.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def json(self, path, value):
        self.at(path).write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")

    def read_json(self, path):
        return json.loads(self.root.joinpath(path).read_text(encoding="utf-8"))

    def tensors(self, path, tensors):
        save_file({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, str(self.at(path)), metadata={"format": "pt"})

    def copy(self, other, *paths):
        """Files or folders of another folder, as they are."""
        for path in paths:
            if (other.root / path).is_dir():
                shutil.copytree(other.root / path, self.root / path, dirs_exist_ok=True)
            else:
                shutil.copyfile(other.root / path, self.at(path))


class SavedAsCuda:
    """Within it, torch.save says that tensors lay on the first GPU, as in the published SAE files."""

    _active = False

    def __enter__(self):
        SavedAsCuda._active = True

    def __exit__(self, *_):
        SavedAsCuda._active = False


torch.serialization.register_package(
    -100, lambda storage: "cuda:0" if SavedAsCuda._active else None, lambda storage, location: None)
