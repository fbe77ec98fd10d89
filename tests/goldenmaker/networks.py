"""The tiny random networks: configurations of the first folder with other sizes, and weights scaled so that every part matters."""

import inspect
from types import SimpleNamespace

import torch
from diffusers import (
    AutoencoderKL, AutoencoderTiny, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from . import plan


class RecordedTokenizer:
    """A tokenizer that knows the texts of tokens.json: their ids come from the slow CLIPTokenizer, which newer libraries no longer have."""

    added_tokens_encoder = {}

    def __init__(self, tokens, which):
        self.model_max_length = tokens["model_max_length"]
        self._ids = {text["text"]: text[f"ids_{which}"] for text in tokens["texts"]}

    def __call__(self, texts, **_):
        texts = [texts] if isinstance(texts, str) else texts
        return SimpleNamespace(input_ids=torch.tensor([self._ids[text] for text in texts]))

    def tokenize(self, text):
        return []

    def batch_decode(self, ids):
        return ["" for _ in ids]


def fill(module, generator, gains, half):
    """Weights of variance gain^2 / inputs; the first pair of gains whose text occurs in a name counts. Half: every value exact in float16."""
    with torch.no_grad():
        for name, weight in module.named_parameters():
            gain = next((gain for part, gain in gains if part in name), 1.0)
            value = torch.randn(weight.shape, generator=generator)
            if name.endswith("bias"):
                value = 0.1 * value
            elif weight.ndim == 1:
                value = 1 + 0.2 * value
            elif "embedding.weight" not in name:
                value = value * gain / weight[0].numel() ** 0.5
            else:
                value = value * gain
            weight.copy_(value.half().float() if half else value)
    return module.eval().requires_grad_(False)


def accepted(make, config):
    """The entries of a configuration that a constructor has a parameter for."""
    known = inspect.signature(make).parameters
    return {key: tuple(value) if isinstance(value, list) else value for key, value in config.items() if key in known}


class Networks:
    def __init__(self, first):
        generator = torch.Generator().manual_seed(plan.WEIGHT_SEED)
        self.configs = {
            "model/text_encoder": first.read_json("model/text_encoder/config.json") | plan.TEXT_1,
            "model/text_encoder_2": first.read_json("model/text_encoder_2/config.json") | plan.TEXT_2,
            "model/unet": first.read_json("model/unet/config.json") | plan.UNET,
            "model/vae": first.read_json("model/vae/config.json") | plan.VAE,
            "vae_tiny": first.read_json("vae_tiny/config.json") | plan.VAE_TINY,
        }
        text_gains = [("token_embedding", 1.0), ("position_embedding", 0.5)]
        self.text_1 = fill(CLIPTextModel(self._text_config("model/text_encoder")), generator, text_gains, half=False)
        self.text_2 = fill(CLIPTextModelWithProjection(self._text_config("model/text_encoder_2")), generator, text_gains, half=True)
        self.unet = fill(self._make(UNet2DConditionModel, "model/unet"), torch.Generator().manual_seed(plan.UNET_WEIGHT_SEED),
                         [("mid_block", 1.5), ("up_blocks.0.attentions", 1.3), ("proj_out", 2.0), ("up_blocks.0", 1.6), ("conv_out", 2.5)], half=True)
        # The decoder gets latents of about 15 divided by the scaling factor, and should answer within [-1, 1].
        self.vae = fill(self._make(AutoencoderKL, "model/vae"), generator,
                        [("decoder.conv_in", plan.VAE["scaling_factor"] / 12), ("decoder.conv_out", 0.55)], half=True)
        self.vae_tiny = fill(self._make(AutoencoderTiny, "vae_tiny"), generator, [], half=False)
        tokens = first.read_json("tokens.json")
        self.texts = [text["text"] for text in tokens["texts"]]
        self.tokenizers = RecordedTokenizer(tokens, 1), RecordedTokenizer(tokens, 2)
        self.ancestral = first.read_json("model/scheduler/scheduler_config.json")
        self.euler = first.read_json("scheduler_base/scheduler_config.json")

    def scheduler(self, folder):
        return (EulerAncestralDiscreteScheduler.from_config(self.ancestral) if folder == "model/scheduler"
                else EulerDiscreteScheduler.from_config(self.euler))

    def pipeline(self, folder):
        pipe = StableDiffusionXLPipeline(
            vae=self.vae, text_encoder=self.text_1, text_encoder_2=self.text_2, tokenizer=self.tokenizers[0], tokenizer_2=self.tokenizers[1],
            unet=self.unet, scheduler=self.scheduler(folder), force_zeros_for_empty_prompt=True, add_watermarker=False)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def text(self, beginning):
        """The one text that begins so; an exact one goes before."""
        return beginning if beginning in self.texts else next(text for text in self.texts if text.startswith(beginning))

    def write(self, out, first):
        out.copy(first, "model/model_index.json", "model/scheduler", "model/tokenizer", "model/tokenizer_2", "scheduler_base")
        for folder, config in self.configs.items():
            out.json(f"{folder}/config.json", config)
        out.tensors("model/text_encoder/model.safetensors", _text_state(self.text_1, torch.float32))
        out.tensors("model/text_encoder_2/model.safetensors", _text_state(self.text_2, torch.float16))
        for folder, module, dtype in [("model/unet", self.unet, torch.float16), ("model/vae", self.vae, torch.float16), ("vae_tiny", self.vae_tiny, torch.float32)]:
            out.tensors(f"{folder}/diffusion_pytorch_model.safetensors", {name: value.to(dtype) for name, value in module.state_dict().items()})

    def _text_config(self, folder):
        skipped = {"architectures", "dtype", "torch_dtype", "model_type", "transformers_version"}
        return CLIPTextConfig(**{key: value for key, value in self.configs[folder].items() if key not in skipped})

    def _make(self, kind, folder):
        return kind(**accepted(kind.__init__, self.configs[folder]))


def _text_state(model, dtype):
    """Under the names of the published files, whether or not the library's module has the level text_model."""
    named = {name if name.startswith(("text_model.", "text_projection.")) else f"text_model.{name}": value for name, value in model.state_dict().items()}
    return {name: value.to(dtype) for name, value in named.items() if not name.endswith("position_ids")}
