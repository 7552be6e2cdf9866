"""Who acts in the synthetic corpus, and how they act: looks, ways and poses, picture by picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

Array = NDArray[np.float64]

# What an emotion does to the face, at strong intensity; 1 is about as far as a face goes.
# Up is positive, as is forward; roll leans the head, squint raises cheek and lower lid.
_COLUMNS = "inner outer knit lid squint corner width jaw press sneer pitch roll forward gaze"
_POSES = _COLUMNS.split()
MOVES = [*_POSES, "voice", "blink"]
_EMOTIONS = np.array(
    [
        # inner outer knit  lid squint corner width jaw press sneer pitch roll forward gaze
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],  # neutral
        [0.1, 0.1, -0.1, -0.2, 0.1, 0.25, 0.0, 0.0, -0.1, 0.0, 0.0, 0.1, -0.1, 0.0],  # calm
        [0.2, 0.2, -0.1, 0.0, 0.8, 1.0, 0.8, 0.25, -0.2, 0.1, 0.2, 0.2, 0.1, 0.0],  # happy
        [0.9, -0.5, 0.4, -0.5, 0.0, -0.9, -0.2, 0.0, 0.0, 0.0, -0.7, 0.5, -0.2, -0.8],  # sad
        [-0.9, 0.2, 1.0, 0.1, 0.5, -0.4, 0.1, 0.0, 0.9, 0.3, -0.3, 0.0, 0.9, 0.0],  # angry
        [0.9, 0.4, 0.6, 0.9, 0.0, -0.4, 0.6, 0.4, 0.0, 0.0, 0.1, -0.3, -0.8, 0.2],  # fearful
        [-0.5, -0.2, 0.6, -0.4, 0.8, -0.5, 0.0, 0.1, 0.0, 1.0, 0.3, -0.5, -0.5, -0.2],  # disgust
        [1.0, 1.0, -0.2, 1.0, -0.2, 0.0, -0.5, 0.9, -0.2, 0.0, 0.4, 0.0, -0.2, 0.1],  # surprised
    ]
)
# Head movement of each emotion: how large, how fast, and how much of it is trembling
_MOVEMENT = np.array(
    [
        (1.0, 1.0, 0.0),
        (0.8, 0.7, 0.0),
        (1.6, 1.4, 0.0),
        (0.8, 0.5, 0.0),
        (1.8, 1.6, 0.2),
        (1.1, 1.3, 1.0),
        (1.2, 0.8, 0.0),
        (1.3, 1.2, 0.1),
    ]
)
# How far a person's resting face, a person's way with an emotion and a take stray from that
_HABIT, _PORTRAYAL, _TAKE = 0.18, 0.18, 0.10

# Blue, green, red, from light to dark
_SKINS = np.array(
    [(150, 178, 224), (128, 160, 212), (104, 138, 190), (70, 102, 158), (48, 70, 112)], float
)
_HAIRS = np.array([(22, 20, 20), (28, 40, 58), (40, 66, 104), (90, 140, 188), (60, 70, 130)], float)
_IRISES = np.array([(60, 80, 60), (40, 60, 90), (130, 100, 70)], float)


class Actor:
    """What does not change between an actor's clips; lengths in half head heights."""

    def __init__(self, rng: np.random.Generator, male: bool) -> None:
        def near(middle: float, spread: float) -> float:
            return float(middle + spread * np.clip(rng.normal(), -2, 2))

        def mix(colours: Array) -> Array:
            k, share = divmod(rng.uniform(0, len(colours) - 1), 1)
            return np.asarray(colours[int(k)] * (1 - share) + colours[int(k) + 1] * share)

        self.skin, self.hair = mix(_SKINS), mix(_HAIRS)
        self.iris = _IRISES[rng.integers(len(_IRISES))]
        self.shirt = np.full(3, rng.uniform(25, 70))
        self.size = near(0.30, 0.010)
        self.place = np.array([near(0.0, 0.012), near(0.0, 0.01)])
        self.width = near(0.72 if male else 0.69, 0.03)
        self.jaw = near(0.26 if male else 0.36, 0.05)
        self.brow_y = near(-0.29 if male else -0.32, 0.02)
        self.brow_thickness = near(0.058 if male else 0.042, 0.008)
        self.eye_x = near(0.30, 0.02)
        self.eye_size = near(0.145 if male else 0.155, 0.01)
        self.nose = near(1.05 if male else 0.95, 0.07)
        self.mouth_y = near(0.53, 0.02)
        self.mouth_width = near(0.25, 0.02)
        self.lips = near(0.040 if male else 0.052, 0.007)
        self.hairline = near(-0.64, 0.05)
        self.hair_length = rng.uniform(0.0, 0.3) if male else rng.uniform(0.2, 1.2)
        self.beard = max(0.0, rng.uniform(-0.5, 0.45)) if male else 0.0
        self.articulation = near(1.0, 0.15)
        self.liveliness = 2 ** near(0.0, 0.3)
        self.habit = _HABIT * rng.normal(size=len(_POSES))
        self.gains = 2 ** (0.25 * rng.normal(size=len(_POSES)))
        self.portrayals = _PORTRAYAL * rng.normal(size=_EMOTIONS.shape)


def perform(
    actor: Actor,
    emotion: int,
    intensity: int,
    loudness: Array,
    frame_duration: float,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Lay out poses (then mouth opening and blink) and the head's place, picture by picture."""
    n = loudness.size
    time = np.arange(n) * frame_duration
    progress = np.linspace(0, 1, n)
    size, speed, tremor = _MOVEMENT[emotion - 1] * (0.7 + 0.3 * (intensity == 2))

    strength = (0.65 if intensity == 1 else 1.0) * 2 ** rng.normal(0, 0.15) * actor.liveliness
    style = _EMOTIONS[emotion - 1] + (actor.portrayals[emotion - 1] if emotion > 1 else 0.0)
    apex = strength * actor.gains * style + _TAKE * rng.normal(size=style.size)

    # Onset, apex, offset: the emotion is there before the voice and fades after it.
    onset, offset = rng.uniform(0.02, 0.12), rng.uniform(0.78, 0.92)
    rise = np.clip((progress - onset) / rng.uniform(0.12, 0.25), 0, 1)
    fall = np.clip((progress - offset) / 0.2, 0, 1)
    course = 0.15 + 0.85 * _smooth(rise) * (1 - 0.6 * _smooth(fall))
    poses = actor.habit + course[:, None] * apex
    poses += 0.10 * _drift(rng, (n, style.size), 0.2 / frame_duration / speed)

    voice = gaussian_filter1d(np.minimum(loudness, 2.0), 0.8) * actor.articulation
    blink = np.zeros(n)
    for moment in np.cumsum(rng.exponential(2.0 / speed, 4) + 0.15):
        blink = np.maximum(blink, np.exp(-(((time - moment) / 0.06) ** 4)))
    poses = np.column_stack([poses, voice, blink])

    sway = 0.015 * size * _drift(rng, (n, 4), 0.15 / frame_duration / speed)
    shiver = 0.006 * tremor * _drift(rng, (n, 2), 1.0)
    pitch, roll, forward = (poses[:, _POSES.index(p)] for p in ("pitch", "roll", "forward"))
    heads = np.column_stack(
        [
            sway[:, 0] + shiver[:, 0] + 0.02 * rng.normal(),
            sway[:, 1] + shiver[:, 1] - 0.07 * pitch - 0.02 * size * voice + 0.012 * rng.normal(),
            0.11 * roll + 0.6 * sway[:, 2] + 0.012 * rng.normal(),
            1 + 0.07 * forward + 0.5 * sway[:, 3],
        ]
    )
    return poses, heads


def _smooth(ramp: Array) -> Array:
    return ramp * ramp * (3 - 2 * ramp)


def _drift(rng: np.random.Generator, shape: tuple[int, int], width: float) -> Array:
    """Smooth noise of unit standard deviation, `width` pictures from one turn to the next."""
    # Filtered before it is cut, so that a short clip moves as much as a long one.
    margin = int(4 * width) + 1
    noise = rng.normal(size=(shape[0] + 2 * margin, shape[1]))
    smooth = gaussian_filter1d(noise, width, axis=0)[margin:-margin]
    return np.asarray(smooth * np.sqrt(2 * np.sqrt(np.pi) * max(width, 0.3)))
