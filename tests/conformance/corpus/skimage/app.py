"""Pictures as arrays: scikit-image loads its parts lazily, by stub files."""

import os

os.environ.setdefault("XDG_CACHE_HOME", "/tmp")  # scikit-image asks where to keep samples; there is no home on Lambda

import numpy as np
import skimage as ski

COINS = np.zeros((40, 40))
COINS[5:15, 5:15], COINS[22:36, 20:34] = 1.0, 0.7


def edges(event):
    return round(float(getattr(ski.filters, event.get("filter", "sobel"))(COINS).max()), 3)


def count(event):
    labels = ski.measure.label(ski.filters.threshold_otsu(COINS) < COINS)
    return [int(labels.max()), sorted(int(region.area) for region in ski.measure.regionprops(labels))]


def threshold(event):
    return round(float(getattr(ski.filters, f"threshold_{event['method']}")(COINS)), 3)


def resize(event):
    return list(ski.transform.resize(COINS, (10, 12), anti_aliasing=True).shape)


def shapes(event):
    return int(getattr(ski.morphology, event["operation"])(COINS > 0.5, ski.morphology.disk(1)).sum())


def color(event):
    found = getattr(ski.color, f"rgb2{event['space']}")(np.full((1, 1, 3), 0.5))
    return np.round(found.ravel(), 3).tolist()


def segment(event):
    return int(ski.segmentation.slic(COINS, n_segments=4, channel_axis=None, start_label=1).max()) >= 2


def features(event):
    return [len(ski.feature.peak_local_max(COINS, min_distance=3)) > 0, len(ski.feature.hog(COINS)) > 0]


def sample(event):
    found = getattr(ski.data, event["sample"])()
    return [list(found.shape), str(found.dtype)]


def noise(event):
    noisy = ski.util.random_noise(COINS, rng=1)
    return [
        bool(ski.metrics.mean_squared_error(COINS, noisy) > 0),
        list(ski.restoration.denoise_tv_chambolle(noisy).shape),
    ]


def exposure(event):
    return [
        round(float(value), 3)
        for value in (ski.exposure.adjust_gamma(COINS, 2).mean(), ski.exposure.equalize_hist(COINS).max())
    ]


def handler(event, context):
    actions = (edges, count, threshold, resize, shapes, color, segment, features, sample, noise, exposure)
    return {action.__name__: action for action in actions}[event["do"]](event)
