"""What is around the networks, against plain references and without them."""

import itertools
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from skemotion.video import _landmark_tracking
from skemotion.video._face_detection import (
    Detection,
    anchors,
    decode_boxes,
    merge_boxes,
    overlaps,
)
from skemotion.video._face_points import BLENDSHAPE_POINTS, BLENDSHAPES, IBUG68
from skemotion.video._face_region import Region, crop, region_of_points, to_picture
from skemotion.video._frame_stream import Frame
from skemotion.video._head_pose import head_pose, resting_face
from skemotion.video._landmark_track import fill_gaps
from skemotion.video._landmark_tracking import follow_faces

RNG = np.random.default_rng(0)
AMOUNTS = st.floats(-1, 1)


def test_tables_of_points():
    assert len(IBUG68) == len(set(IBUG68)) == 68
    assert len(BLENDSHAPE_POINTS) == len(set(BLENDSHAPE_POINTS)) == 146
    assert (np.diff(BLENDSHAPE_POINTS) > 0).all()
    assert BLENDSHAPE_POINTS[-1] == 477
    assert len(BLENDSHAPES) == len(set(BLENDSHAPES)) == 51
    assert list(BLENDSHAPES) == sorted(BLENDSHAPES)


def test_anchors():
    # SSD anchors of strides 8, 16, 16, 16: two a place where a stride is new, as often again for
    # each layer of the same stride.
    expected = []
    for stride, n_layers in ((8, 1), (16, 3)):
        n_places = 128 // stride
        for y, x in itertools.product(range(n_places), repeat=2):
            expected += [((x + 0.5) / n_places, (y + 0.5) / n_places)] * (2 * n_layers)
    np.testing.assert_allclose(anchors(), expected)
    assert len(expected) == 896


def test_decoding_of_boxes():
    values, places = RNG.normal(size=(5, 16)) * 128, RNG.uniform(size=(5, 2))
    kept = values.copy()
    for got, value, (x, y) in zip(decode_boxes(values, places), kept, places, strict=True):
        cx, cy, width, height = value[:4] / 128
        expected = [
            x + cx - width / 2,
            y + cy - height / 2,
            x + cx + width / 2,
            y + cy + height / 2,
        ]
        for point in value[4:].reshape(-1, 2) / 128:
            expected += [x + point[0], y + point[1]]
        np.testing.assert_allclose(got, expected)


def iou(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    area = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (one, other))
    return width * height / (area - width * height)


def weighted_suppression(boxes, scores):
    """The plain way: one box after the other."""
    left = sorted(range(len(boxes)), key=lambda i: -scores[i])
    merged = []
    while left:
        same = [i for i in left if iou(boxes[left[0]], boxes[i]) > 0.3 or i == left[0]]
        total = sum(scores[i] for i in same)
        merged.append((sum(scores[i] * boxes[i] for i in same) / total, scores[left[0]]))
        left = [i for i in left if i not in same]
    return merged


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_suppression(n_boxes, seed):
    rng = np.random.default_rng(seed)
    boxes = rng.uniform(size=(n_boxes, 16))
    boxes[:, 2:4] = boxes[:, :2] + rng.uniform(0, 0.8, (n_boxes, 2))
    scores = rng.permutation(np.linspace(0.5, 1, 12))[:n_boxes]
    got, expected = merge_boxes(boxes, scores), weighted_suppression(boxes, scores)
    assert [score for _, score in got] == pytest.approx([score for _, score in expected])
    for (box, _), (plain, _) in zip(got, expected, strict=True):
        np.testing.assert_allclose(box, plain)
    if n_boxes:
        plain = [iou(boxes[0], box) for box in boxes]
        np.testing.assert_allclose(overlaps(boxes[0], boxes), plain)


def test_a_level_region_is_a_slice():
    picture = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    got = crop(picture, Region(20.0, 16.0, 20, 20, 0.0), 20, is_repeated=True)
    np.testing.assert_array_equal(got, picture[6:26, 10:30])
    # Outside, the border goes on, or all is black.
    for is_repeated, corner in ((True, picture[0, 0]), (False, 0)):
        outside = crop(picture, Region(0.0, 0.0, 20, 20, 0.0), 20, is_repeated=is_repeated)
        np.testing.assert_array_equal(outside[0, 0], np.broadcast_to(corner, 3))


@given(AMOUNTS, AMOUNTS, st.floats(0.1, 5), st.floats(0.1, 5), st.floats(-3, 3))
def test_places_of_a_region(x, y, width, height, angle):
    places = RNG.uniform(size=(4, 2))
    got = to_picture(places, Region(x, y, width, height, angle))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    expected = [(x, y) + turn @ ((place - 0.5) * (width, height)) for place in places]
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_region_of_points():
    points = np.zeros((478, 3))
    points[:, :2] = RNG.uniform(10, 20, (478, 2))
    points[0, :2], points[1, :2] = (0, 12), (40, 32)
    points[33, :2], points[263, :2] = (15, 15), (18, 18)
    x, y, width, height, angle = region_of_points(points)
    least, most = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    assert (x, y) == pytest.approx(tuple((least + most) / 2))
    assert width == height == pytest.approx(1.5 * 40)
    assert angle == pytest.approx(np.pi / 4)


def varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def field(number, value):
    """Write a field of a protocol buffers' message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3 | 2) + varint(len(value)) + value


@pytest.fixture(scope="module")
def resting():
    vertices = RNG.normal(size=(468, 5)).astype("<f4")
    weights = {4: 0.5, 200: 0.25, 33: 0.75, 467: 0.5}
    mesh = field(1, 0) + field(3, vertices.tobytes()) + field(4, b"\x00" * 300)
    points = [field(2, field(1, i) + field(2, w)) for i, w in weights.items()]
    rest = resting_face(field(1, mesh) + b"".join(points) + field(3, 1))
    assert rest.indices.tolist() == list(weights)
    np.testing.assert_allclose(rest.weights, np.array(list(weights.values())) / 2)
    places = vertices[rest.indices, :3]
    np.testing.assert_allclose(rest.places, places - rest.weights @ places, atol=1e-6)
    return rest


@given(st.floats(-85, 85), st.floats(-85, 85), st.floats(-170, 170), st.floats(0.1, 100), AMOUNTS)
def test_head_pose(resting, yaw, pitch, roll, scale, shift):
    turn = Rotation.from_euler("YXZ", [yaw, -pitch, roll], degrees=True)
    points = np.zeros((1, 478, 3))
    # Down and away from the camera, as in a picture.
    points[0, resting.indices] = scale * (turn.apply(resting.places) + shift) * (1, -1, -1)
    np.testing.assert_allclose(head_pose(points, resting)[0], [yaw, pitch, roll], atol=0.05)


def test_signs_of_the_head_pose(resting):
    nose = np.array([0.0, 0.0, 1.0])  # towards the camera
    crown = np.array([0.0, 1.0, 0.0])
    for angles, axis, expected in (
        ((30, 0, 0), nose, (1, 0)),  # to the right
        ((0, 30, 0), nose, (0, 1)),  # up
        ((0, 0, 30), crown, (-1, 1)),  # the crown to the left
    ):
        yaw, pitch, roll = angles
        turned = Rotation.from_euler("YXZ", [yaw, -pitch, roll], degrees=True).apply(axis)
        np.testing.assert_array_equal(np.sign(turned[:2].round(9)), expected)


@given(st.lists(st.booleans(), min_size=2, max_size=12))
def test_gaps_are_filled_linearly(found):
    found = np.array([True, *found, True])
    seconds = np.cumsum(RNG.uniform(0.1, 1, len(found)))
    values = RNG.normal(size=(found.sum(), 3, 2))
    got = fill_gaps(values, seconds[found], seconds)
    for i, j in np.ndindex(3, 2):
        expected = np.interp(seconds, seconds[found], values[:, i, j])
        np.testing.assert_allclose(got[:, i, j], expected, atol=1e-9)


# Faces that are simulated: name, first and last frame, and where they are in a frame.
def mesh_at(x, y, side):
    grid = np.stack(np.meshgrid(np.linspace(-0.5, 0.5, 22), np.linspace(-0.5, 0.5, 22)), axis=-1)
    points = np.zeros((478, 3), dtype=np.float32)
    points[:, :2] = grid.reshape(-1, 2)[:478] * side + (x, y)
    points[33, :2], points[263, :2] = (x - side / 4, y), (x + side / 4, y)
    return points


@pytest.fixture
def follow(monkeypatch):
    """Follow faces given as functions of the frame, that return x, y and side, or None."""

    def follow(faces, n_frames=60, black=()):
        frames = [
            Frame(i, i / 30, np.full((8, 8, 3), 0 if i in black else 200, np.uint8))
            for i in range(n_frames)
        ]
        n_looks = 0

        def now(picture):
            index = next(i for i, frame in enumerate(frames) if frame.picture is picture)
            return [place for place in (face(index) for face in faces) if place]

        def detect(picture, networks):
            nonlocal n_looks
            n_looks += 1
            return [Detection(Region(x, y, 1.5 * s, 1.5 * s, 0.0), 0.9) for x, y, s in now(picture)]

        def find(picture, region, networks):
            near = [
                (x, y, s)
                for x, y, s in now(picture)
                if np.hypot(x - region.x, y - region.y) < s / 2 and s / 2 < region.width < 3 * s
            ]
            return mesh_at(*near[0]) if near else None

        monkeypatch.setattr(_landmark_tracking, "detect_faces", detect)
        monkeypatch.setattr(_landmark_tracking, "find_points", find)
        paths, looks = follow_faces(frames, None)
        assert len(looks) == n_frames
        paths.sort(key=lambda path: -path.presence)
        return [sorted(path.points) for path in paths], n_looks

    return follow


def test_one_face_is_detected_once_a_second(follow):
    points, n_looks = follow([lambda t: (50 + t, 50, 40)])
    assert points == [list(range(60))]
    assert n_looks == 2


def test_a_lost_face_goes_on_where_it_is_found_again(follow):
    points, _ = follow([lambda t: None if 10 <= t < 30 else (50, 50, 40)])
    assert points == [[*range(10), *range(30, 60)]]


def test_a_face_elsewhere_is_another_one(follow):
    points, _ = follow([lambda t: (50, 50, 40) if t < 20 else (500, 50, 40) if t > 25 else None])
    assert points == [list(range(26, 60)), list(range(20))]


def test_a_face_that_jumps_is_found_in_the_same_frame(follow):
    points, _ = follow([lambda t: (50, 50, 40) if t < 20 else (80, 50, 40)])
    assert points == [list(range(60))]


def test_faces_are_followed_side_by_side(follow):
    late = 35  # seen when the detector looks again, in frame 60
    points, _ = follow(
        [lambda t: (50, 50, 40), lambda t: (200, 50, 60) if t >= late else None], n_frames=150
    )
    assert points == [list(range(60, 150)), list(range(150))]


def test_small_faces_are_left_out_beside_large_ones(follow):
    points, _ = follow([lambda t: (50, 50, 19), lambda t: (200, 50, 40)])
    assert points == [list(range(60))]
    points, _ = follow([lambda t, i=i: (100 * i, 50, 40 + i) for i in range(5)])
    assert len(points) == 3


def test_two_faces_that_become_one(follow):
    points, _ = follow([lambda t: (50, 50, 40), lambda t: (max(200 - 5 * t, 51), 50, 41)])
    assert points[0] == list(range(60))
    assert len(points) == 2
    assert max(points[1]) < 59


def test_nothing_is_looked_for_in_black_frames(follow):
    points, n_looks = follow([lambda t: (50, 50, 40)], n_frames=10, black={0, 1, 5})
    assert points == [[2, 3, 4, 6, 7, 8, 9]]
    assert n_looks == 2
    assert follow([lambda t: None], n_frames=10) == ([], 10)
