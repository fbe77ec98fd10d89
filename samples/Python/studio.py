# %% [markdown]
# # A studio from Python
#
# Makes a picture, reads its activations as arrays, finds a feature, and paints it over the hub. Needs Python 3.9, NumPy and a running studio
# (`dotnet run --project src/SaeUnbox.Web -c Release`). The cells run one after the other, as a program or in a notebook.
#
# `/openapi/v1.json` of the studio describes the API, docs/hub.md the paint hub and docs/recipe.md recipes.

# %%
import base64
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np

STUDIO = os.environ.get("SAEUNBOX_STUDIO", "http://localhost:5080").rstrip("/")
KEY = os.environ.get("SAEUNBOX_KEY")  # of a studio that knows programs by keys
FOLDER = Path(os.environ.get("SAEUNBOX_OUT", "."))


def request(path, body=None, accept="application/json", method=None):
    """The bytes that the studio answers; an error is raised with the studio's sentence."""
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    asked = urllib.request.Request(STUDIO + path, data, {"Accept": accept, "Content-Type": "application/json"}, method=method)
    if KEY:
        asked.add_header("Authorization", f"Bearer {KEY}")
    try:
        with urllib.request.urlopen(asked, timeout=300) as answer:
            if answer.status == 204:  # the end of a long poll
                raise ConnectionError("the studio closed the connection")
            return answer.read()
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        try:
            text = json.loads(text)["detail"]
        except (ValueError, KeyError, TypeError):
            pass
        raise RuntimeError(f"{path}: {error.code}: {text}") from None


# %% [markdown]
# ## A picture
# Fields that the recipe leaves out are the model's own. The PNG contains the whole recipe.

# %%
recipe = {"prompt": "palm trees on the beach, hills behind, a clear sky", "seed": 10}
(FOLDER / "picture.png").write_bytes(request("/api/v1/generate", recipe, accept="image/png"))
print("picture:", FOLDER / "picture.png")

# %% [markdown]
# ## What is active in it
# For each site the ten features with the largest mean, as JSON.

# %%
for site in json.loads(request("/api/v1/explore", recipe))["sites"]:
    top = ", ".join(f"{feature['feature']} ({feature['mean']:.2f})" for feature in site["top"][:5])
    print(f"{site['site']}: {site['explainedVariance']:.0%} explained, strongest {top}")

# %% [markdown]
# ## Activations as arrays
# Safetensors hold `SITE.indices` and `SITE.values`, both [steps, rows, columns, k]: the k strongest features of each cell. The file is the
# length of a JSON header, the header, and the numbers, little-endian.


# %%
DTYPES = {"I32": "<i4", "F32": "<f4"}


def read_safetensors(data):
    """Arrays by name."""
    start = 8 + int.from_bytes(data[:8], "little")
    arrays = {}
    for name, entry in json.loads(data[8:start]).items():
        first, end = entry["data_offsets"]
        arrays[name] = np.frombuffer(data[start + first:start + end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays


def explore(recipe):
    return read_safetensors(request("/api/v1/explore", recipe, accept="application/x-safetensors"))


def dense(arrays, site, features, step=-1):
    """Activations of all features in every cell: [rows, columns, features]."""
    indices, values = arrays[f"{site}.indices"][step], arrays[f"{site}.values"][step]
    all_values = np.zeros((*indices.shape[:2], features), np.float32)
    np.put_along_axis(all_values, indices, values, -1)
    return all_values


before = explore(recipe)
for name, array in before.items():
    print(name, array.dtype, array.shape)

# %% [markdown]
# ## A feature by words

# %%
found = json.loads(request("/api/v1/models/default/features?" + urllib.parse.urlencode({"text": "sea", "site": "down.2.1", "limit": 5})))
for hit in found["hits"]:
    print(hit["card"]["site"], hit["card"]["feature"], hit["card"]["name"])

# %% [markdown]
# ## A stroke over the hub
# SignalR's JSON protocol over long polling: messages end with the character 30, POST sends them, and GET waits for the next ones.


# %%
class Hub:
    END = "\x1e"

    def __init__(self):
        place = json.loads(request("/hubs/paint/negotiate?negotiateVersion=1&version=2", b""))
        self.path = "/hubs/paint?version=2&id=" + urllib.parse.quote(place["connectionToken"])
        self.messages = []
        self.calls = 0
        request(self.path)  # opens the connection
        self.send({"protocol": "json", "version": 1})
        self.next()

    def send(self, message):
        request(self.path, (json.dumps(message) + self.END).encode())

    def next(self):
        """The next message of the hub."""
        while not self.messages:
            self.messages = [json.loads(text) for text in request(self.path).decode().split(self.END) if text]
        return self.messages.pop(0)

    def call(self, method, *arguments):
        """The hub's answer to a call. What it sends meanwhile comes from `next` afterwards."""
        self.calls += 1
        self.send({"type": 1, "invocationId": str(self.calls), "target": method, "arguments": arguments})
        passed = []
        while (message := self.next()).get("invocationId") != str(self.calls):
            passed.append(message)
        self.messages = passed + self.messages
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        return message.get("result")

    def picture(self, version):
        """The bytes of the first picture of this version or a newer one."""
        while True:
            message = self.next()
            content = (message.get("arguments") or [{}])[0]
            if message.get("target") == "Frame" and content["version"] >= version:
                return base64.b64decode(content["picture"])
            if message.get("target") == "Rejected" and content["retryAfterSeconds"] is None:
                raise RuntimeError(content["message"])

    def close(self):
        request(self.path, method="DELETE")


def mask_text(cells):
    """A mask of zeros and ones in the text form of recipe.md: runs of equal cells, numbers in groups of seven bits."""
    flat = np.asarray(cells, dtype=int).ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    data = bytearray()
    for run in np.split(flat, edges):
        for number in (len(run), int(run[0])):
            while number > 127:
                data.append(number & 127 | 128)
                number >>= 7
            data.append(number)
    rows, columns = np.shape(cells)
    return f"{rows}x{columns}/1:{base64.urlsafe_b64encode(data).decode().rstrip('=')}"


SITE, FEATURE = "down.2.1", 434  # the sea, in unbox-mini
mask = np.zeros(before[f"{SITE}.values"].shape[1:3], dtype=int)
mask[mask.shape[0] // 2:] = 1  # the lower half

hub = Hub()
opened = hub.call("Open", None, json.dumps(dict(recipe, edits=[{"site": SITE, "feature": FEATURE, "strength": 8}])))
while (answer := hub.call("Paint", 0, mask_text(mask), True))["retryAfterSeconds"] is not None:
    time.sleep(answer["retryAfterSeconds"])
(FOLDER / "painted.jpg").write_bytes(hub.picture(answer["version"]))
hub.close()
print("painted:", FOLDER / "painted.jpg")

# %% [markdown]
# ## What the stroke did
# At a site behind the edit the model sees what was painted: this compares all features of each cell, inside the mask and outside.

# %%
painted = json.loads(opened["recipe"])
painted["edits"][0]["mask"] = mask_text(mask)
after = explore(painted)
BEHIND = "up.0.1"
size = 1 + max(int(arrays[f"{BEHIND}.indices"].max()) for arrays in (before, after))
change = np.abs(dense(after, BEHIND, size) - dense(before, BEHIND, size)).sum(-1)
inside = np.kron(mask, np.ones([grid // cells for grid, cells in zip(change.shape, mask.shape)])) == 1
print(f"{BEHIND} changed by {change[inside].mean():.3f} inside the mask and {change[~inside].mean():.3f} outside")
