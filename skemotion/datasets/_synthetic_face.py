"""A face for the synthetic corpus: drawn shapes that move with emotion and voice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ._synthetic_acting import MOVES, Actor, Array, perform

Colour = tuple[float, float, float]

_GRAIN = 8  # the sensor's noise is kept in bytes, around this value
_SHIFT = 5  # fractional bits of a coordinate in OpenCV's drawing functions


def draw_face(
    emotion: int,
    intensity: int,
    loudness: Array,
    *,
    male: bool,
    frame_size: tuple[int, int],
    frame_duration: float,
    actor_rng: np.random.Generator,
    clip_rng: np.random.Generator,
) -> Iterator[NDArray[np.uint8]]:
    """Draw the pictures of one clip.

    Parameters
    ----------
    emotion, intensity : int
        RAVDESS identifiers, counted from 1.
    loudness : ndarray of shape (n_frames,)
        How loud the voice is while each picture is shown, 1 being a vowel of usual loudness.
    male : bool
        Whether to draw a man.
    frame_size : (int, int)
        Height and width in pixels, both even.
    frame_duration : float
        Seconds per picture.
    actor_rng, clip_rng : numpy.random.Generator
        What the actor's looks and ways, and what this take are drawn from.

    Yields
    ------
    ndarray of uint8, shape (height * 3 / 2, width)
        Planar YUV 4:2:0, luma above chroma.
    """
    actor = Actor(actor_rng, male)
    poses, heads = perform(actor, emotion, intensity, loudness, frame_duration, clip_rng)
    height, width = frame_size
    unit = actor.size * min(height, width * 9 / 16)
    centre = np.array([width / 2, 0.47 * height]) + actor.place * height
    portrait = _draw_portrait(actor, frame_size, unit, centre)
    light = 1 + 0.02 * clip_rng.normal() + 0.004 * clip_rng.normal(size=len(poses))
    tile = np.clip(clip_rng.normal(_GRAIN, 1.5, (128, 128)), 0, 2 * _GRAIN).astype(np.uint8)
    grain = np.tile(tile, (height // 128 + 2, width // 128 + 2))
    starts = clip_rng.integers(128, size=(len(poses), 2))

    for pose, head, gain, (row, column) in zip(poses, heads, light, starts, strict=True):
        picture = portrait.copy()
        _draw_features(_Pen(picture, unit, centre), actor, dict(zip(MOVES, pose, strict=True)))
        yield _move(picture, head, gain, unit, centre, grain[row:, column:])


def _move(
    picture: NDArray[np.uint8],
    head: Array,
    gain: float,
    unit: float,
    centre: Array,
    grain: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Turn the person about the neck, then let light and sensor do their part."""
    height, width = picture.shape[:2]
    dx, dy, roll, zoom = head
    pivot = (centre + np.array([0, 1.3 * unit])).tolist()
    turn = np.array(cv2.getRotationMatrix2D(pivot, np.degrees(roll), zoom), float)
    turn[:, 2] += unit * dx, unit * dy
    # Planes are turned one by one: OpenCV takes three times as long over interleaved colours.
    planes = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), np.uint8)
    luma, chroma = planes[:height], planes[height:].reshape(2, height // 2, width // 2)
    edge = cv2.BORDER_REPLICATE
    moved = cv2.warpAffine(luma, turn, (width, height), borderMode=edge)
    cv2.addWeighted(moved, gain, grain[:height, :width], 1.0, -_GRAIN, dst=luma)
    turn[:, 2] /= 2
    for plane in chroma:
        plane[:] = cv2.warpAffine(plane, turn, (width // 2, height // 2), borderMode=edge)
    return planes


class _Pen:
    """Draws on a picture in head units: origin between the eyes' height and chin, y down."""

    def __init__(self, picture: NDArray[np.uint8], unit: float, centre: Array) -> None:
        self.picture, self.unit, self.centre = picture, unit, centre

    def pixels(self, points: Any) -> NDArray[np.int32]:
        place = np.asarray(points, float) * self.unit + self.centre
        return np.asarray(np.round(place * 2**_SHIFT), np.int32)

    def fill(self, points: Any, colour: Any) -> None:
        cv2.fillPoly(self.picture, [self.pixels(points)], _bgr(colour), cv2.LINE_AA, _SHIFT)

    def line(self, points: Any, colour: Any, thickness: float) -> None:
        pixels = max(1, round(thickness * self.unit))
        curve = [self.pixels(points)]
        cv2.polylines(self.picture, curve, False, _bgr(colour), pixels, cv2.LINE_AA, _SHIFT)

    def crease(self, points: Any, depth: float, thickness: float = 0.018) -> None:
        """Darken the skin along a curve, by at most 40 %."""
        depth = min(depth, 0.4)
        if depth > 0.02:
            x, y = self.pixels(points)[len(points) // 2] >> _SHIFT
            height, width = self.picture.shape[:2]
            tone = self.picture[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
            self.line(points, (1 - depth) * tone, thickness)


def _bgr(colour: Any) -> Colour:
    b, g, r = (float(c) for c in colour)
    return b, g, r


def _arc(left: Any, middle: Any, right: Any, n: int = 17) -> Array:
    """Curve through three points, a parabola in its parameter."""
    t = np.linspace(0, 1, n)[:, None]
    a, m, b = (np.asarray(p, float) for p in (left, middle, right))
    return (1 - t) * (1 - 2 * t) * a + 4 * t * (1 - t) * m + t * (2 * t - 1) * b


def _draw_portrait(
    actor: Actor, frame_size: tuple[int, int], unit: float, centre: Array
) -> NDArray[np.uint8]:
    """Draw all that moves with the head as a whole, over a plain backdrop."""
    height, width = frame_size
    picture = np.full((height, width, 3), (205, 208, 206), np.uint8)
    pen = _Pen(picture, unit, centre)
    angle = np.linspace(-np.pi / 2, 1.5 * np.pi, 96, endpoint=False)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    oval = np.sign(circle) * np.abs(circle) ** (0.7, 0.95)
    head = oval * np.column_stack(
        [actor.width * (1 - actor.jaw * np.maximum(oval[:, 1], 0) ** 1.6), np.ones(angle.size)]
    )

    if actor.hair_length > 0.3:
        fall = np.sign(circle) * np.abs(circle) ** (0.5, 0.5) * (1.22 * actor.width, 0.5)
        fall[:, 1] = (fall[:, 1] + 0.5) * (0.7 + actor.hair_length) - 0.7
        pen.fill(fall, 0.75 * actor.hair)
    shoulder = [*_arc((-0.34, 1.1), (-0.8, 1.32), (-1.5, 1.5)), (-1.8, 1.9), (-2.0, 4.0)]
    pen.fill([*shoulder, *(np.array(shoulder) * (-1, 1))[::-1]], actor.shirt)
    neck = [(-0.38, 0.6), (-0.4, 1.15), *_arc((-0.36, 1.2), (0, 1.42), (0.36, 1.2))]
    pen.fill([*neck, (0.4, 1.15), (0.38, 0.6)], 0.82 * actor.skin)
    for side in (-1, 1):
        pen.fill(circle * (0.09, 0.17) + (side * actor.width, 0.03), 0.9 * actor.skin)
    pen.fill(head, actor.skin)
    if actor.beard:
        colour = (1 - actor.beard) * actor.skin + actor.beard * actor.hair
        pen.fill([*head[head[:, 1] > 0.2], *_arc((-0.6, 0.2), (0, 0.47), (0.6, 0.2))], colour)
    crown = (head * (1.1, 1.08))[head[:, 1] < -0.22]
    crown = crown[np.argsort(crown[:, 0])]
    across = np.linspace(1, -1, 33)
    parting = actor.hairline - 0.08 * across * (1 - across**2)
    edge = parting + np.abs(across) ** 5 * (-0.2 - parting)
    front = np.column_stack([crown[-1, 0] * across, edge])
    pen.fill([*crown, *front], actor.hair)
    for side in (-1, 1):
        bridge = _arc((side * 0.09, -0.12), (side * 0.05, 0.05), (side * 0.09, 0.22))
        pen.crease(bridge * (actor.nose, 1), 0.08, 0.03)

    # Soft light from the upper left, and a head that is round.
    mask = np.zeros((height // 4, width // 4), np.float32)
    cv2.fillPoly(mask, [np.round((head * unit + centre) / 4).astype(np.int32)], 1.0)
    round_ = np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.06 * unit, 0.5)))
    rows, columns = np.ogrid[0 : 1 : height // 4 * 1j, 0 : 1 : width // 4 * 1j]
    shade = 1.06 - 0.1 * columns - 0.08 * rows + 0.35 * mask * (round_ - 0.9)
    light = cv2.resize(cv2.GaussianBlur(shade.astype(np.float32), (0, 0), 1.0), (width, height))
    return np.asarray(np.clip(picture * light[:, :, None], 0, 255), np.uint8)


def _draw_features(pen: _Pen, actor: Actor, pose: dict[str, float]) -> None:
    """Draw what moves within the face."""
    lift = 0.5 * (pose["inner"] + pose["outer"])
    for k in (1, 2):
        y = actor.brow_y - 0.05 - 0.05 * lift + k / 4 * (actor.hairline - actor.brow_y)
        pen.crease(_arc((-0.26, y), (0, y - 0.02), (0.26, y)), 0.15 * lift)
    raised = -0.035 * pose["sneer"]
    for side in (-1, 1):
        pen.crease(
            [(side * 0.05, actor.brow_y - 0.05), (side * 0.035, actor.brow_y + 0.09)],
            0.25 * pose["knit"],
        )
        pen.crease([(side * 0.08, -0.05), (side * 0.02, raised)], 0.2 * pose["sneer"])
        if not actor.beard:
            fold = np.array([pose["squint"], pose["corner"], pose["sneer"], 0.4])
            end = (1.3 * actor.mouth_width, actor.mouth_y - 0.02 - 0.05 * pose["corner"])
            cheek = _arc((0.17, 0.25 + raised), (0.28, 0.34), end)
            pen.crease(cheek * (side, 1), float(np.maximum(fold, 0) @ (0.06, 0.09, 0.12, 0.1)))
        _draw_eye(pen, actor, pose, side)
        _draw_brow(pen, actor, pose, side)

    base = _arc((-0.13, 0.22 + raised), (0, 0.36 + 0.3 * raised), (0.13, 0.22 + raised))
    pen.line(base * (actor.nose, 1), 0.78 * actor.skin, 0.02)
    for side in (-1, 1):
        nostril = _arc((side * 0.09, 0.29), (side * 0.065, 0.26), (side * 0.035, 0.30))
        pen.fill(nostril * (actor.nose, 1) + (0, raised), 0.45 * actor.skin)
    _draw_mouth(pen, actor, pose)


def _draw_brow(pen: _Pen, actor: Actor, pose: dict[str, float], side: int) -> None:
    lift = 0.5 * (pose["inner"] + pose["outer"])
    thick = np.array([0.0, actor.brow_thickness])
    inner = np.array([0.14 - 0.05 * pose["knit"], actor.brow_y - 0.12 * pose["inner"]])
    outer = np.array([actor.eye_x + 0.18, actor.brow_y + 0.06 - 0.10 * pose["outer"]])
    middle = np.array([actor.eye_x, actor.brow_y - 0.03 - 0.11 * lift])
    upper, lower = _arc(inner, middle, outer), _arc(outer, middle + thick, inner + thick)
    pen.fill(np.concatenate([upper, lower]) * (side, 1), 0.75 * actor.hair)


def _draw_eye(pen: _Pen, actor: Actor, pose: dict[str, float], side: int) -> None:
    size = actor.eye_size
    centre = np.array([side * actor.eye_x, -0.06])
    seen = 1 - pose["blink"]
    upper = max(0.08, (0.50 + 0.30 * pose["lid"]) * seen)
    lower = max(0.04, (0.36 - 0.20 * pose["squint"] + 0.10 * pose["lid"]) * (0.3 + 0.7 * seen))
    u = np.linspace(-1, 1, 25)
    # The lids slope down towards the temples where the inner brow is raised, as in grief.
    slope = side * u * 0.12 * (pose["inner"] - pose["outer"])
    top = slope - upper * (1 - np.abs(u) ** 2.2)
    bottom = slope + lower * (1 - u**2)
    lid = size * np.column_stack([u, top]) + centre
    bag = size * np.column_stack([u, bottom]) + centre
    pen.fill([*lid, *bag[::-1]], (228, 232, 232))
    for radius, colour in ((0.5, actor.iris), (0.22, np.full(3, 15.0))):
        x = radius * np.linspace(-1, 1, 21)
        rim = np.sqrt(radius**2 - x**2)
        between = np.interp(x, u, top), np.interp(x, u, bottom)
        middle = -0.06 - 0.25 * pose["gaze"]
        above = size * np.column_stack([x, np.clip(middle - rim, *between)]) + centre
        below = size * np.column_stack([x, np.clip(middle + rim, *between)]) + centre
        pen.fill([*above, *below[::-1]], colour)
    pen.line(lid, 0.25 * actor.skin, 0.022)
    pen.line(bag, 0.72 * actor.skin, 0.012)
    pen.crease(lid - (0, 0.035 + 0.2 * size * upper), 0.2, 0.014)
    pen.crease(bag - (0, -0.045), 0.08 + 0.15 * max(0.0, pose["squint"]))


def _draw_mouth(pen: _Pen, actor: Actor, pose: dict[str, float]) -> None:
    press, sneer = float(np.clip(pose["press"], -0.5, 1.2)), max(0.0, pose["sneer"])
    gap = 0.18 * pose["jaw"] + 0.11 * pose["voice"] * (1 - 0.3 * press)
    gap = float(np.clip(gap, 0.004, 0.27))
    stretch = 0.28 * pose["width"] + 0.12 * pose["corner"] - 0.8 * gap
    half = actor.mouth_width * float(np.clip(1 + stretch, 0.6, 1.6))
    lips = actor.lips * (1 - 0.55 * press)
    corner = actor.mouth_y - 0.12 * pose["corner"] + 0.35 * gap
    middle = actor.mouth_y + 0.03 * pose["corner"] - 0.045 * sneer
    # A sneer lifts one side more than the other.
    ends = (-half, corner - 0.05 * sneer), (half, corner)

    def curve(y: float) -> Array:
        return _arc(ends[0], (0, y), ends[1])

    top, bottom = curve(middle), curve(middle + gap)
    chin = middle + gap + 1.3 * lips
    red = 0.72 * actor.skin + 0.28 * np.array([70, 50, 170])
    pen.fill([*curve(middle - lips), *top[::-1]], 0.82 * red)
    pen.fill([*bottom, *curve(chin)[::-1]], 0.92 * red)
    pen.fill([*top, *bottom[::-1]], (28, 18, 50))
    if gap > 0.02:
        teeth = np.column_stack([top[:, 0], np.minimum(top[:, 1] + 0.05, bottom[:, 1])])
        tongue = np.column_stack([top[:, 0], np.maximum(bottom[:, 1] - 0.3 * gap, teeth[:, 1])])
        pen.fill([*top[2:-2], *teeth[2:-2][::-1]], (215, 225, 228))
        pen.fill([*tongue[4:-4], *bottom[4:-4][::-1]], (80, 70, 150))
    pen.line(top, 0.4 * red, 0.012)
    pen.crease(_arc((-0.12, chin + 0.09), (0, chin + 0.12), (0.12, chin + 0.09)), 0.1, 0.025)
