"""Interventions at a block, as forward hooks: each gets the block's inputs and output and returns what stands for the output."""


def difference(inputs, output):
    """What the block added, channels last."""
    return (output[0] - inputs[0]).permute(0, 2, 3, 1)


def added(sae, feature, amount):
    """amount, (h, w) or a number, times the feature's direction, as (1, channels, h, w)."""
    direction = sae.direction(feature).view(1, -1, 1, 1)
    return direction * (amount[None, None] if hasattr(amount, "ndim") else amount)


def add(sae, feature, amount):
    return lambda _, inputs, output: (output[0] + added(sae, feature, amount),)


def add_contrast(sae, feature, amount):
    """Under guidance: added to the prompt's half, taken from the other."""
    def hook(_, inputs, output):
        result, extra = output[0].clone(), added(sae, feature, amount)[0]
        result[0] -= extra
        result[1] += extra
        return (result,)
    return hook


def add_conditional(sae, feature, amount):
    def hook(_, inputs, output):
        result = output[0].clone()
        result[1] += added(sae, feature, amount)[0]
        return (result,)
    return hook


def replace(sae, feature, value):
    return lambda _, inputs, output: (inputs[0] + added(sae, feature, value),)


def replace_conditional(sae, feature, value):
    """The half without the prompt gets the block's plain input."""
    def hook(_, inputs, output):
        result = inputs[0].clone()
        result[1] += added(sae, feature, value)[0]
        return (result,)
    return hook


def modulate(sae, feature, beta):
    def hook(_, inputs, output):
        strength = sae.encode(difference(inputs, output))[..., feature].unsqueeze(1)
        return (output[0] + beta * strength * sae.direction(feature).view(1, -1, 1, 1),)
    return hook


def reconstruct(sae):
    return lambda _, inputs, output: (inputs[0] + sae.decode(sae.encode(difference(inputs, output))).permute(0, 3, 1, 2),)


def ablate():
    return lambda _, inputs, output: (inputs[0],)
