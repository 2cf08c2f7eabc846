"""How much of a model's attention falls on the actor, given its mask; how far two streams agree."""

import numpy as np

from keras_acl.attention.maps import AttentionMaps, stretch

IOU_THRESHOLD = 0.5
TIE = 1e-5  # share of a map's range within which places are equally strong: rounding, no more


def pointing_game(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Whether each map's strongest place lies in its mask (Zhang et al., 2016).

    Where several places are equally strong, as along the border of an upsampled map, it is the
    share of them that lies in the mask: the chance to hit it if one is drawn. The first one alone
    would give a mirrored clip another score.

    Args:
        maps: (B, H, W), or (B, T, H, W) for the strongest place and time of a clip; any range.
        masks: Masks of the same shape, bool.

    Returns:
        (B,) in [0, 1]; 0 or 1 where one place is the strongest.

    Raises:
        ValueError: If the shapes differ.
    """
    _check(maps, masks)
    axes = tuple(range(1, maps.ndim))
    low, high = maps.min(axis=axes, keepdims=True), maps.max(axis=axes, keepdims=True)
    strongest = maps >= high - TIE * (high - low)
    return (strongest & masks).sum(axis=axes) / strongest.sum(axis=axes)


def energy_inside(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Share of each map that falls in its mask.

    Args:
        maps: (B, H, W) or (B, T, H, W), values ≥ 0.
        masks: Masks of the same shape, bool.

    Returns:
        (B,) in [0, 1]; an even map gives the mask's share of the picture, an empty map 0.

    Raises:
        ValueError: If the shapes differ.
    """
    _check(maps, masks)
    axes = tuple(range(1, maps.ndim))
    return (maps * masks).sum(axis=axes) / np.maximum(maps.sum(axis=axes), 1e-12)


def mask_iou(maps: np.ndarray, masks: np.ndarray, threshold: float = IOU_THRESHOLD) -> np.ndarray:
    """Intersection over union of each mask and the region where its map is strong.

    Zhou et al. (2016) cut at 0.2 of the maximum and draw a box around the largest part. Here the
    region itself counts, and the cut is at half: our maps are stretched down to 0, so that 0.2
    takes in most of a picture.

    Args:
        maps: (B, H, W) or (B, T, H, W), values ≥ 0.
        masks: Masks of the same shape, bool.
        threshold: Least share of a map's maximum that counts as strong.

    Returns:
        (B,) in [0, 1]; 0 for an empty map or an empty mask.

    Raises:
        ValueError: If the shapes differ, or `threshold` is not above 0 and at most 1.
    """
    _check(maps, masks)
    if not 0 < threshold <= 1:
        raise ValueError(f"Expected 0 < threshold <= 1. Received: threshold={threshold}")
    axes = tuple(range(1, maps.ndim))
    strong = (maps >= threshold * maps.max(axis=axes, keepdims=True)) & (maps > 0)
    union = (strong | masks).sum(axis=axes)
    return (strong & masks).sum(axis=axes) / np.maximum(union, 1)


def stream_correlation(spatial: np.ndarray, temporal: np.ndarray) -> np.ndarray:
    """Pearson correlation of two streams' maps over the places of each clip.

    Args:
        spatial: (B, H, W), any range.
        temporal: (B, H, W), or (B, T, H, W), whose mean over time is taken (Eq. 2).

    Returns:
        (B,) in [-1, 1]; 0 where a map is even.

    Raises:
        ValueError: If the shapes differ.
    """
    first, second = (
        maps - maps.mean(axis=(1, 2), keepdims=True) for maps in _both(spatial, temporal)
    )
    scale = np.sqrt((first**2).sum(axis=(1, 2)) * (second**2).sum(axis=(1, 2)))
    return (first * second).sum(axis=(1, 2)) / np.maximum(scale, 1e-12)


def stream_distance(spatial: np.ndarray, temporal: np.ndarray) -> np.ndarray:
    """How far one stream's attention has to be carried to become the other's.

    The earth mover's distances of the columns' and of the rows' sums, added: each is exact in one
    dimension and cheap. Together they are at most the earth mover's distance in city blocks, and
    equal to it where one map is the other one moved. Unlike correlation it tells a near miss from
    a far one.

    Args:
        spatial: (B, H, W), values ≥ 0.
        temporal: (B, H, W), or (B, T, H, W), whose mean over time is taken (Eq. 2).

    Returns:
        (B,) from 0, the same place, to 2, opposite corners; in widths plus heights of the picture.
        An empty map counts as an even one.

    Raises:
        ValueError: If the shapes differ.
    """
    first, second = (_as_mass(maps) for maps in _both(spatial, temporal))
    total = np.zeros(len(first))
    for summed in (1, 2):
        difference = np.cumsum((first - second).sum(axis=summed), axis=1)[:, :-1]
        total += np.abs(difference).sum(axis=1) / max(difference.shape[1], 1)
    return total


def measure(maps: AttentionMaps, masks: np.ndarray) -> dict[str, np.ndarray]:
    """All measures of both streams.

    `spatial_…` and `temporal_…` compare like with like: one map per clip (the temporal one is the
    mean over the frames, Eq. 2) against all that the mask passes over. `frames_…` asks more of the
    temporal stream: each frame's map against that frame's mask, each clip as one volume.

    Args:
        maps: Maps of B clips; without a temporal stream only the `spatial_…` are measured.
        masks: (B, T, H, W) bool, aligned with the frames that the model sees.

    Returns:
        Arrays (B,): `spatial_pointing`, `spatial_energy`, `spatial_iou`, the same of `temporal` and
        `frames`, `correlation`, `distance`, and `chance`: the share of the picture that the mask
        passes over, which is what an even map scores.

    Raises:
        ValueError: If the shapes differ.
    """
    if masks.ndim != 4:
        raise ValueError(
            f"Expected a mask for every frame, (B, T, H, W). Received: masks.shape={masks.shape}"
        )
    swept = np.asarray(masks.any(axis=1))
    compared = {"spatial": (maps.spatial, swept)}
    if maps.temporal is not None:
        compared["temporal"] = (stretch(maps.temporal.mean(axis=1)), swept)
        compared["frames"] = (maps.temporal, masks)
    found = {}
    for name, pair in compared.items():
        found[f"{name}_pointing"] = pointing_game(*pair)
        found[f"{name}_energy"] = energy_inside(*pair)
        found[f"{name}_iou"] = mask_iou(*pair)
    if maps.temporal is not None:
        found["correlation"] = stream_correlation(maps.spatial, maps.temporal)
        found["distance"] = stream_distance(maps.spatial, stretch(maps.temporal.mean(axis=1)))
    found["chance"] = swept.mean(axis=(1, 2))
    return found


def _both(spatial: np.ndarray, temporal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of maps, (B, H, W) float64."""
    if temporal.ndim == 4:
        temporal = temporal.mean(axis=1)
    if spatial.shape != temporal.shape or spatial.ndim != 3:
        raise ValueError(
            "Expected maps of two streams of the same clips, (B, H, W). Received: "
            f"spatial.shape={spatial.shape}, temporal.shape={temporal.shape}"
        )
    return spatial.astype(np.float64), temporal.astype(np.float64)


def _as_mass(maps: np.ndarray) -> np.ndarray:
    """Maps whose places add up to 1."""
    total = maps.sum(axis=(1, 2), keepdims=True)
    return np.where(total > 0, maps / np.maximum(total, 1e-12), 1 / maps[0].size)


def _check(maps: np.ndarray, masks: np.ndarray) -> None:
    if maps.shape != masks.shape:
        raise ValueError(
            "Expected a mask of the same shape as each map. Received: "
            f"maps.shape={maps.shape}, masks.shape={masks.shape}"
        )
