"""The top-k sparse autoencoder, its training, and its files."""

import torch
from torch import nn


class TopKAutoencoder(nn.Module):
    """relu(topk(encoder(x - pre_bias) + latent_bias)), then decoder(...) + pre_bias. The decoder lies column-major in memory."""

    def __init__(self, n, d, k, auxk, dead_after):
        super().__init__()
        self.n, self.d, self.k, self.auxk, self.dead_after = n, d, k, auxk, dead_after
        self.pre_bias, self.latent_bias = nn.Parameter(torch.zeros(d)), nn.Parameter(torch.zeros(n))
        self.register_buffer("stats_last_nonzero", torch.zeros(n, dtype=torch.int64))
        self.encoder, self.decoder = nn.Linear(d, n, bias=False), nn.Linear(n, d, bias=False)
        self.decoder.weight.data = self.encoder.weight.data.clone().T
        self.normalise_decoder()

    def pre_activations(self, x):
        return self.encoder(x - self.pre_bias) + self.latent_bias

    def encode(self, x):
        """Codes (..., n), dense."""
        pre = self.pre_activations(x)
        values, indices = pre.topk(self.k, dim=-1)
        return torch.zeros_like(pre).scatter(-1, indices, values.relu())

    def decode(self, codes):
        return self.decoder(codes) + self.pre_bias

    def forward(self, x):
        """Reconstruction of x, (rows, d), the top k and the top auxk among dead features as (values, indices); counts silence."""
        pre = self.pre_activations(x)
        values, indices = pre.topk(self.k, dim=-1)
        self.count(values, indices)
        aux = None
        if self.auxk is not None:
            dead_values, dead_indices = (pre * (self.stats_last_nonzero > self.dead_after)).topk(self.auxk, dim=-1)
            aux = dead_values.relu(), dead_indices
        return self.decode_sparse(values.relu(), indices), (values.relu(), indices), aux

    def decode_sparse(self, values, indices):
        return self.decode(torch.zeros(len(values), self.n).scatter(-1, indices, values))

    def count(self, values, indices):
        """stats_last_nonzero: 1 for a feature that was in a top k with more than 1e-3, else one more than before."""
        used = torch.zeros(self.n, dtype=torch.bool)
        used[indices[values > 1e-3]] = True
        self.stats_last_nonzero[used] = 0
        self.stats_last_nonzero += 1

    def normalise_decoder(self):
        self.decoder.weight.data /= self.decoder.weight.data.norm(dim=0)

    def remove_parallel_gradient(self):
        weight, gradient = self.decoder.weight.data, self.decoder.weight.grad
        gradient -= (weight * gradient).sum(dim=0) * weight

    def direction(self, feature):
        return self.decoder.weight.data[:, feature]

    def config(self):
        return {"n_dirs_local": self.n, "d_model": self.d, "k": self.k, "auxk": self.auxk, "dead_steps_threshold": self.dead_after}


def geometric_median(points, iterations=100, smallest=1e-6):
    """Weiszfeld's iteration from the mean, until the sum of distances repeats."""
    weights = torch.ones(len(points))

    def average(weights):
        return (points * (weights / weights.sum()).view(-1, 1)).sum(dim=0)

    median = average(weights)
    objective = (points - median).norm(dim=1).sum()
    for _ in range(iterations):
        before = objective
        weights = 1 / (points - median).norm(dim=1).clamp(min=smallest)
        median = average(weights)
        objective = (points - median).norm(dim=1).sum()
        if abs(before - objective) <= 1e-20 * objective:
            break
    return median


def mse_scale(sample):
    return (1 / ((sample.mean(dim=0) - sample) ** 2).mean()).item()


def explained_variance(reconstruction, x):
    """Mean over channels of 1 - var(residual) / (var(x) + 1e-8), variances over rows."""
    return (1 - (x - reconstruction).var(dim=0, unbiased=False) / (x.var(dim=0, unbiased=False) + 1e-8)).mean().item()


def losses(sae, x, scale, auxk_coef):
    """The two terms, and what the forward pass gave."""
    reconstruction, top, aux = sae(x)
    recons = scale * ((reconstruction - x) ** 2).mean()
    residual = x - reconstruction.detach() + sae.pre_bias.detach()
    normal = ((residual.mean(dim=0) - residual) ** 2).mean()
    auxiliary = auxk_coef * (((sae.decode_sparse(*aux) - residual) ** 2).mean() / normal).nan_to_num(0)
    return recons, auxiliary, reconstruction, top


def update(sae, optimiser, loss):
    """The order matters: the columns are normalised before their gradient is made orthogonal, and Adam moves them after."""
    loss.backward()
    sae.normalise_decoder()
    sae.remove_parallel_gradient()
    optimiser.step()
    optimiser.zero_grad()


def train(rows, sizes, seed):
    """An autoencoder of the rows, (count, d), with which batches are filled again and again in a random order."""
    torch.manual_seed(seed)
    sae = TopKAutoencoder(sizes["n_dirs"], rows.shape[1], sizes["k"], sizes["auxk"], sizes["dead_steps_threshold"])
    sae.pre_bias.data = geometric_median(rows)
    optimiser = torch.optim.Adam(sae.parameters(), lr=sizes["lr"], eps=6.25e-10)
    scale = mse_scale(rows)
    for _ in range(sizes["steps"]):
        batch = rows[torch.randint(len(rows), (sizes["bs"],))]
        recons, auxiliary, _, _ = losses(sae, batch, scale, 1 / 32)
        update(sae, optimiser, recons + auxiliary)
    return sae.requires_grad_(False)


def statistics(sae, rows):
    """Mean and standard deviation of each feature where it is active, 0 where it never is."""
    codes = sae.encode(rows)
    active = codes > 0
    count = active.sum(dim=0).clamp(min=1)
    mean = codes.sum(dim=0) / count
    deviation = (((codes - mean) ** 2 * active).sum(dim=0) / count).sqrt()
    return mean, deviation


def safest(sae, x):
    """The smallest step between neighbours among the k + 1 largest pre-activations of a position: below rounding, the order is chance."""
    top = sae.pre_activations(x).topk(sae.k + 1, dim=-1).values
    return (top[..., :-1] - top[..., 1:]).min().item(), (top[..., -2] - top[..., -1]).min().item()
