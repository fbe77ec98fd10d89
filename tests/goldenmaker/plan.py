"""Every number and word that makes this folder differ from tests/goldens. Prompts must be texts of tokens.json."""

SITES = {
    "down.2.1": "unet.down_blocks.2.attentions.1",
    "mid.0": "unet.mid_block.attentions.0",
    "up.0.0": "unet.up_blocks.0.attentions.0",
    "up.0.1": "unet.up_blocks.0.attentions.1",
}

TEXT_1 = {"hidden_size": 24, "num_attention_heads": 3, "intermediate_size": 72, "num_hidden_layers": 4}
TEXT_2 = {"hidden_size": 56, "num_attention_heads": 4, "intermediate_size": 192, "num_hidden_layers": 3, "projection_dim": 36}
UNET = {
    "block_out_channels": [12, 24, 48],
    "attention_head_dim": [2, 4, 3],
    "transformer_layers_per_block": [1, 2, 1],
    "norm_num_groups": 6,
    "addition_time_embed_dim": 10,
    "sample_size": 40,
    "cross_attention_dim": TEXT_1["hidden_size"] + TEXT_2["hidden_size"],
    "projection_class_embeddings_input_dim": 6 * 10 + TEXT_2["projection_dim"],
}
VAE = {"block_out_channels": [6, 12, 12, 24], "norm_num_groups": 3, "layers_per_block": 1, "sample_size": 320, "scaling_factor": 0.18}
VAE_TINY = {
    "block_out_channels": [10] * 4, "encoder_block_out_channels": [10] * 4, "decoder_block_out_channels": [10] * 4,
    "num_encoder_blocks": [1, 2, 3, 2], "num_decoder_blocks": [2, 3, 2, 1],
}
WEIGHT_SEED, UNET_WEIGHT_SEED = 20, 21

FOX = "the quick brown fox jumps over the lazy dog"
PARK = "a dog ! in the park"
LONG = "A cinematic shot of a professor sloth"  # the one text of tokens.json that begins so
RUNS = {
    "turbo1": {"prompt": FOX, "seed": 7, "height": 384, "width": 256, "num_inference_steps": 1, "guidance_scale": 0.0, "scheduler": "model/scheduler"},
    "turbo4": {"prompt": PARK, "seed": 123, "height": 128, "width": 224, "num_inference_steps": 3, "guidance_scale": 0.0, "scheduler": "model/scheduler"},
    "base": {"prompt": LONG, "seed": 99, "height": 160, "width": 96, "num_inference_steps": 5, "guidance_scale": 5.0, "scheduler": "scheduler_base"},
}
BASE_STEP = 1
TEXT_PROMPTS = [FOX, LONG, "", PARK, "dog<|endoftext|>cat", "4k 8K 3d r2d2"]

# name -> timestep, batch, height and width of the latents
UNET_PASSES = {"t961": (961, 3, 12, 20), "t41": (41, 1, 20, 8)}
VAE_LATENTS = (1, 4, 5, 7)

SCHEDULER_STEPS = {"euler_ancestral_trailing": [1, 3, 7], "euler_leading": [8, 30]}
SCHEDULER_SHAPE = (1, 4, 6, 4)
NOISE_SEEDS = [0, 42, 31337, 2**41 + 5]

# The autoencoders on the model's own activations, and how they are trained.
SAE = {"k": 6, "n_dirs": 200, "auxk": 24, "bs": 128, "lr": 0.002, "steps": 300, "dead_steps_threshold": 30}
SAE_TRAINING_PROMPTS = [FOX, PARK, "", "fish &amp; chips", "a, b, c", "straße STRASSE", "(((best quality)))", "dog dog dog dog", "4k 8K 3d r2d2"]
SAE_TRAINING_SEEDS = [1, 2]
PROBE = {"k": 7, "n_dirs": 20, "d_model": 5, "rows": 30}

# train/: the training loop number by number
TRAIN = {"n": 72, "d": 20, "k": 3, "auxk": 12, "batch": 40, "stats_batches": 10, "steps": 12, "dead_steps_threshold": 3,
         "eps": 6.25e-10, "auxk_coef": 1 / 32, "betas": [0.9, 0.999], "lrs": [0.0002, 0.002], "log_interval": 5, "saved": {1: True, 6: False, 12: True}}

MASK_FACTOR = 32
