import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import median_filter
from scipy.signal import savgol_filter
from sklearn.pipeline import make_pipeline

from skemotion.decomposition import TrajectoryStatistics
from skemotion.video import FaceMeasures, LandmarkLoader, face_measures

RIGID = [27, 28, 29, 30, 33, 36, 39, 42, 45]


def make_face(n_frames, seed=0):
    """Give a face that is near the mean one and moves a little."""
    from skemotion.video._face_shape import MEAN_FACE

    rng = np.random.default_rng(seed)
    face = MEAN_FACE + 0.02 * rng.standard_normal((68, 2))
    sway = np.cumsum(0.004 * rng.standard_normal((n_frames, 68, 2)), axis=0)
    return 640 + 150 * (face + sway)


def procrustes(face):
    """Bring one frame's face to the mean one, with the rotation from a singular value analysis."""
    from skemotion.video._face_shape import MEAN_FACE

    here, there = face[RIGID], MEAN_FACE[RIGID]
    a, b = here - here.mean(axis=0), there - there.mean(axis=0)
    u, s, vt = np.linalg.svd(a.T @ b)
    u[:, -1] *= np.sign(np.linalg.det(u @ vt))
    s[-1] *= np.sign(np.linalg.det(a.T @ b))
    return (face - here.mean(axis=0)) @ (u @ vt) * s.sum() / (a**2).sum() + there.mean(axis=0)


def measure(face):
    """Measure one aligned face: the recipe, point by point."""
    x, y = face.T

    def d(i, j):
        return np.linalg.norm(face[i] - face[j])

    right = (y[41] + y[40] - y[37] - y[38]) / 2
    left = (y[47] + y[46] - y[43] - y[44]) / 2
    corners = (y[48] + y[54]) / 2
    return {
        "lid-opening": (right + left) / 2,
        "lid-opening-difference": right - left,
        "brow-raise-inner": y[39] - y[21] + y[42] - y[22],
        "brow-raise-middle": y[37] - y[19] + y[44] - y[24],
        "brow-raise-outer": y[36] - y[17] + y[45] - y[26],
        "brow-gap": x[22] - x[21],
        "brow-arch-inner": y[21] - y[19] + y[22] - y[24],
        "brow-arch-outer": y[17] - y[19] + y[26] - y[24],
        "mouth-width": d(48, 54),
        "mouth-width-inside": d(60, 64),
        "mouth-height": d(51, 57),
        "mouth-opening": d(62, 66),
        "mouth-opening-sides": (d(61, 67) + d(63, 65)) / 2,
        "mouth-corners-upper-lip": corners - y[51],
        "mouth-corners-lower-lip": corners - y[57],
        "mouth-corners-centre": corners - y[62],
        "nose-upper-lip": y[51] - y[33],
        "nose-lower-lip": y[57] - y[33],
        "chin-lower-lip": y[8] - y[57],
        "chin-nose": y[8] - y[33],
        "nose-width": x[35] - x[31],
        "nose-lip-peaks": y[50] + y[52] - 2 * y[33],
        "upper-lip-thickness": y[62] - y[51],
        "lower-lip-thickness": y[57] - y[66],
        "mouth-corners-eyes": d(48, 36) + d(54, 45),
        "mouth-corners-nose": d(48, 33) + d(54, 33),
        "mouth-corners-difference": y[48] - y[54],
        "jaw-width-low": d(5, 11),
        "jaw-width-high": d(3, 13),
        "nostrils-eyes": (y[31] + y[35]) / 2 - (y[39] + y[42]) / 2,
        "upper-lip-width": d(49, 53),
        "lower-lip-width": d(59, 55),
        # As the recipe has it, less pi, by which it goes round twice.
        "brow-slope": np.arctan2(y[19] - y[21], x[21] - x[19])
        - np.arctan2(y[24] - y[22], x[22] - x[24])
        - np.pi,
    }


def reference(points):
    steady = savgol_filter(median_filter(points, size=(3, 1, 1), mode="nearest"), 5, 2, axis=0)
    frames = [measure(procrustes(frame)) for frame in steady]
    values = np.array([list(frame.values()) for frame in frames])
    values[:, :32] = np.log(np.abs(values[:, :32]) + 0.02)
    values[:, 32] = (values[:, 32] + np.pi) % (2 * np.pi) - np.pi
    return values, list(frames[0])


def test_equals_the_recipe():
    points = make_face(40)
    expected, names = reference(points)
    stage = FaceMeasures().fit([points])
    np.testing.assert_allclose(stage.transform([points])[0], expected, atol=1e-9)
    assert list(stage.get_feature_names_out()) == names


def test_the_recipe_s_numbers_of_a_clip():
    clips = [make_face(n, seed) for seed, n in enumerate((40, 90))]
    statistics = ("mean", "std", "p5", "p25", "p50", "p75", "p95", "slope")
    statistics += ("velocity_std", "velocity_p95")
    chain = make_pipeline(
        LandmarkLoader(), FaceMeasures(), TrajectoryStatistics(statistics, rate=30)
    )
    values = chain.fit_transform(clips)
    for clip, value in zip(clips, values.reshape(2, 10, 33), strict=True):
        curves, _ = reference(clip)
        t, velocity = np.linspace(-0.5, 0.5, len(curves))[:, np.newaxis], np.diff(curves, axis=0)
        expected = [
            curves.mean(axis=0),
            curves.std(axis=0),
            *np.percentile(curves, [5, 25, 50, 75, 95], axis=0),
            (curves * t).mean(axis=0) / (t**2).mean(),
            30 * velocity.std(axis=0),  # per second, where the recipe's are per frame
            30 * np.percentile(np.abs(velocity), 95, axis=0),
        ]
        np.testing.assert_allclose(value, expected, atol=1e-9)
    names = chain.get_feature_names_out()
    assert len(set(names)) == 330
    assert names[8] == "mouth-width_mean"
    assert names[-1] == "brow-slope_velocity_p95"


@settings(deadline=None, max_examples=25)
@given(
    turn=st.floats(-0.5, 0.5),
    size=st.floats(0.2, 5),
    x=st.floats(-500, 500),
    y=st.floats(-500, 500),
)
def test_where_the_head_is_and_how_large_makes_no_difference(turn, size, x, y):
    # Points that move along lines: the median of others depends on where x and y point.
    points = np.linspace(1, 0, 12)[:, np.newaxis, np.newaxis] * make_face(1)
    points += np.linspace(0, 1, 12)[:, np.newaxis, np.newaxis] * make_face(1, seed=1)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    moved = size * points @ rotation + (x, y)
    np.testing.assert_allclose(face_measures(moved), face_measures(points), atol=1e-6)


def test_pose_tells_where_the_head_is():
    still = np.repeat(make_face(1), 21, axis=0)
    turn, growth = np.linspace(-0.2, 0.2, 21), np.linspace(0.9, 1.1, 21)
    shift = np.linspace(-30, 30, 21)
    centre = still[0, RIGID].mean(axis=0)
    points = np.empty_like(still)
    for t, face in enumerate(still):
        c, s = np.cos(turn[t]), np.sin(turn[t])
        rotation = np.array([[c, s], [-s, c]])
        points[t] = growth[t] * (face - centre) @ rotation + centre + (shift[t], 2 * shift[t])
    stage = FaceMeasures(pose=True).fit([points])
    names = list(stage.get_feature_names_out())
    pose = dict(zip(names[33:], stage.transform([points])[0][:, 33:].T, strict=True))
    eyes = np.linalg.norm(still[0, 45] - still[0, 36])
    inner = slice(2, -2)  # the ends, where the filter sees one side only
    np.testing.assert_allclose(np.diff(pose["roll"]), np.diff(turn), atol=1e-3)
    np.testing.assert_allclose(pose["log-scale"][inner], np.log(growth)[inner], atol=1e-3)
    ratio = pose["shift-y"][inner] * eyes / (2 * shift[inner] + 1e-12)
    np.testing.assert_allclose(np.delete(ratio, 8), ratio[0], rtol=1e-6)
    np.testing.assert_allclose(ratio[0], 1, atol=0.1)  # the size of a face is that of nine points
    np.testing.assert_allclose(pose["shift-x"], pose["shift-y"] / 2, atol=1e-9)
    for name in ("yaw", "pitch", "jaw-yaw", "nose-bridge"):
        np.testing.assert_allclose(np.ptp(pose[name]), 0, atol=1e-3)


def test_the_mirror_changes_the_signs_of_what_has_a_side():
    points = make_face(12)
    straight = face_measures(points, pose=True)
    mirrored = face_measures(points, pose=True, mirrored=True)
    names = FaceMeasures(pose=True).fit([points]).get_feature_names_out()
    signs = np.where(np.isin(names, ["roll", "shift-x", "yaw", "jaw-yaw"]), -1, 1)
    np.testing.assert_allclose(mirrored, signs * straight, atol=1e-9)
    np.testing.assert_array_equal(
        FaceMeasures(pose=True, mirror=True).transform([points])[0], mirrored
    )


@pytest.mark.parametrize("n_frames", [1, 2, 4, 5])
def test_short_clips(n_frames):
    assert np.isfinite(face_measures(make_face(n_frames), pose=True)).all()


def test_single_precision_and_a_third_coordinate():
    points = make_face(12)
    deep = np.concatenate([points, np.ones((12, 68, 1))], axis=2).astype(np.float32)
    measures = FaceMeasures().transform([deep])[0]
    assert measures.dtype == np.float32
    np.testing.assert_allclose(measures, face_measures(points), atol=1e-4)


def test_arrays_of_clips():
    X = np.stack([make_face(12, seed) for seed in range(2)])
    stage = FaceMeasures().fit(X)
    values = stage.transform(X)
    np.testing.assert_array_equal(values[1], face_measures(X[1]))
    assert len(stage.get_feature_names_out()) == values[0].size


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"row 1: expected landmarks .* found \(9, 478, 2\)"):
        FaceMeasures().transform([make_face(9), np.ones((9, 478, 2))])
    lost = make_face(9)
    lost[4:7] = 0
    with pytest.raises(ValueError, match=r"row 0: .*coincide in frame 4"):
        FaceMeasures().transform([lost])
