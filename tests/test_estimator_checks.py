"""scikit-learn's whole check suite, for every estimator, on tables and lifted to n-d clips."""

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx.parser
import pytest
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import VotingClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from suite import (
    CHECKS_OF_ALL,
    CHECKS_OF_STAGES,
    Classifying,
    Learning,
    Stateless,
    Weighting,
    assert_keeps_promises,
    assert_passes_suite,
)

from skemotion import audio, base, classification, decomposition, pipeline, video
from skemotion.audio import (
    AudioAugmenter,
    AudioFeatures,
    AudioLoader,
    ONNXAudioBackbone,
    OpenSMILE,
    SpeechFunctionals,
    SpeechTrajectories,
)
from skemotion.base import ClipFunction, ClipTransformer
from skemotion.classification import (
    FrameVotingClassifier,
    TrajectoryCNNClassifier,
    TrajectoryRNNClassifier,
)
from skemotion.decomposition import (
    BSplineProjector,
    MiniRocket,
    MultiRocket,
    PartialTucker,
    TrajectoryResampler,
    TrajectoryStatistics,
)
from skemotion.pipeline import ClipPipeline, ClipUnion
from skemotion.video import (
    HOG3D,
    FaceCrop,
    FaceLandmarks,
    FaceMeasures,
    FrameHOG,
    LandmarkLoader,
    ONNXBackbone,
    VideoLoader,
)

FOLDER = TemporaryDirectory()
AUDIO_NETWORK = str(Path(FOLDER.name) / "audio.onnx")
onnx.save(
    onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 17]>
        network (float[n, samples] waveform) => (float[n, samples, 1] values)
        <int64[1] last = {2}> {
            values = Unsqueeze(waveform, last)
        }"""
    ),
    AUDIO_NETWORK,
)
NETWORK = str(Path(FOLDER.name) / "network.onnx")
onnx.save(
    onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 17]>
        network (float[n, 3, 4, 4] picture) => (float[n, 3, 1, 1] brightest) {
            brightest = GlobalMaxPool(picture)
        }"""
    ),
    NETWORK,
)


class Loudness(ClipTransformer):
    """A stage as a user writes it."""

    takes = "waveforms"
    _parameter_constraints = {"n_blocks": [int]}

    def __init__(self, n_blocks=2):
        self.n_blocks = n_blocks

    def transform_clip(self, clip):
        return [np.sqrt(np.mean(part**2)) for part in np.array_split(clip, self.n_blocks)]


def peak(clip):
    return np.abs(clip).max(axis=0, keepdims=True)


STAGES = [
    Loudness(1),
    ClipFunction(peak),
    VideoLoader(),
    VideoLoader(trim_dark=True),
    HOG3D(),
    FrameHOG(),
    FaceCrop(),
    FaceLandmarks(),
    ONNXBackbone(NETWORK),
    LandmarkLoader(),
    FaceMeasures(pose=True),
    AudioLoader(),
    AudioAugmenter(),
    AudioFeatures(),
    SpeechFunctionals(("mfcc", "timing")),  # of 4,340 columns, tables take long to check
    ONNXAudioBackbone(AUDIO_NETWORK, normalize=False),
    # Licensed for non-commercial use, so that the tests do not install it.
    *([OpenSMILE("IS09")] if find_spec("opensmile") else []),
    SpeechTrajectories(n_points=12),
    BSplineProjector(),
    TrajectoryStatistics(),
    TrajectoryResampler(5),
    ClipUnion([("peak", ClipFunction(peak)), ("again", ClipFunction(peak))]),
    PartialTucker(),
    MiniRocket(200, n_points=20),
    MultiRocket(84, n_points=20),
    ClipPipeline([("load", VideoLoader()), ("hog3d", HOG3D())]),
]


class _Lift:
    """Sends a table's rows as clips of shape (n_features, 1, 1) through an n-d stage."""

    def fit(self, X, y=None):
        return super().fit(self._lift(check_array(X, dtype=[np.float64, np.float32])), y)

    def transform(self, X):
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        return super().transform(self._lift(X)).reshape(len(X), -1)

    @staticmethod
    def _lift(X):
        return X[:, :, np.newaxis, np.newaxis]


class LiftedLoudness(_Lift, Loudness):
    pass


class LiftedClipFunction(_Lift, ClipFunction):
    pass


class LiftedVideoLoader(_Lift, VideoLoader):
    pass


class LiftedHOG3D(_Lift, HOG3D):
    pass


class LiftedFrameHOG(_Lift, FrameHOG):
    pass


class LiftedFaceCrop(_Lift, FaceCrop):
    pass


class LiftedFaceLandmarks(_Lift, FaceLandmarks):
    pass


class LiftedONNXBackbone(_Lift, ONNXBackbone):
    pass


class LiftedLandmarkLoader(_Lift, LandmarkLoader):
    pass


class LiftedFaceMeasures(_Lift, FaceMeasures):
    """Sends a table's rows as faces of `n_features` frames, in which the jaw moves."""

    @staticmethod
    def _lift(X):
        face = FaceMeasures().lift_row(np.empty(0, X.dtype))
        return face + X[:, :, np.newaxis, np.newaxis] * (np.arange(68) < 17)[:, np.newaxis]


class LiftedAudioLoader(_Lift, AudioLoader):
    pass


class LiftedAudioAugmenter(_Lift, AudioAugmenter):
    pass


class LiftedAudioFeatures(_Lift, AudioFeatures):
    pass


class LiftedSpeechTrajectories(_Lift, SpeechTrajectories):
    pass


class LiftedSpeechFunctionals(_Lift, SpeechFunctionals):
    pass


class LiftedONNXAudioBackbone(_Lift, ONNXAudioBackbone):
    pass


class LiftedOpenSMILE(_Lift, OpenSMILE):
    pass


class LiftedBSplineProjector(_Lift, BSplineProjector):
    pass


class LiftedTrajectoryResampler(_Lift, TrajectoryResampler):
    pass


class LiftedClipUnion(_Lift, ClipUnion):
    pass


class LiftedTrajectoryStatistics(_Lift, TrajectoryStatistics):
    pass


class LiftedPartialTucker(_Lift, PartialTucker):
    pass


class LiftedMiniRocket(_Lift, MiniRocket):
    pass


class LiftedMultiRocket(_Lift, MultiRocket):
    pass


class LiftedClipPipeline(_Lift, ClipPipeline):
    pass


LIFTED = [
    globals()[f"Lifted{type(stage).__name__}"](**stage.get_params(deep=False)) for stage in STAGES
]

# Trained in as few epochs as learn the suite's problems.
TRAINING = {"max_epochs": 8, "learning_rate": 0.05, "batch_size": 64}
NETWORKS = [
    TrajectoryCNNClassifier((8,), **TRAINING),
    TrajectoryRNNClassifier(hidden_size=8, frames_per_step=2, **TRAINING),
]


class _LiftNetwork:
    """Sends a table's rows as trajectories of shape (n_features, 1) through a network."""

    def fit(self, X, y, groups=None):
        X = check_array(X, dtype=[np.float64, np.float32])
        return super().fit(X[:, :, np.newaxis], y, groups)

    def predict_proba(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        return super().predict_proba(X[:, :, np.newaxis])


class LiftedTrajectoryCNNClassifier(_LiftNetwork, TrajectoryCNNClassifier):
    pass


class LiftedTrajectoryRNNClassifier(_LiftNetwork, TrajectoryRNNClassifier):
    pass


LIFTED_NETWORKS = [
    globals()[f"Lifted{type(network).__name__}"](**network.get_params()) for network in NETWORKS
]

# Frames vote by probabilities, decision values, or labels alone.
HARD = VotingClassifier([("bayes", GaussianNB()), ("tree", DecisionTreeClassifier(random_state=0))])
VOTING = [
    FrameVotingClassifier(estimator)
    for estimator in (None, LinearDiscriminantAnalysis(), SVC(), HARD)
]


class LiftedFrameVotingClassifier(FrameVotingClassifier):
    """Sends a table's rows as clips of `n_features` frames, each of which is about the row."""

    def fit(self, X, y):
        return super().fit(self._lift(check_array(X, dtype=[np.float64, np.float32])), y)

    def _votes(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        return super()._votes(self._lift(X))

    @staticmethod
    def _lift(X):
        shares = np.linspace(0.9, 1.1, X.shape[1], dtype=X.dtype)
        return X[:, np.newaxis] * shares[:, np.newaxis]


LIFTED_VOTING = [LiftedFrameVotingClassifier(**voting.get_params(deep=False)) for voting in VOTING]


def _name(estimator):
    return type(estimator).__name__


@pytest.mark.parametrize("stage", STAGES + LIFTED, ids=_name)
def test_whole_suite(stage):
    learns = isinstance(stage, PartialTucker | MiniRocket | MultiRocket)
    assert_passes_suite(stage, Learning() if learns else Stateless())


@pytest.mark.parametrize("check", CHECKS_OF_STAGES, ids=lambda check: check.__name__)
@pytest.mark.parametrize("stage", STAGES, ids=_name)
# These checks change between tables with and without names on purpose.
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
def test_checks_that_the_suite_never_yields(stage, check):
    check(_name(stage), clone(stage))


@pytest.mark.parametrize("voting", VOTING + LIFTED_VOTING, ids=_name)
def test_whole_suite_of_frames_that_vote(voting):
    # The weights of classes are the frames' classifier's.
    assert_passes_suite(voting, Classifying())


@pytest.mark.parametrize("network", NETWORKS + LIFTED_NETWORKS, ids=_name)
def test_whole_suite_of_networks(network):
    assert_passes_suite(network, Weighting())


@pytest.mark.parametrize("check", CHECKS_OF_ALL, ids=lambda check: check.__name__)
@pytest.mark.parametrize("classifier", [*NETWORKS, *VOTING], ids=_name)
# Of tables with and without names, one after the other, on purpose.
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
def test_checks_that_the_suite_never_yields_of_classifiers(classifier, check):
    check(_name(classifier), clone(classifier))


def test_a_check_that_is_evaded_is_noticed():
    class Evading(Stateless):
        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.no_validation = True
            return tags

    with pytest.raises(AssertionError):
        assert_passes_suite(Evading(), Stateless())


RNG = np.random.default_rng(0)
FRAMES = [RNG.integers(0, 256, (6, 20, 24), dtype=np.uint8) for _ in range(3)]
WAVEFORMS = [RNG.normal(0, 0.1, 6000) for _ in range(3)]
CLIPS = {
    "frames": FRAMES,
    "waveforms": WAVEFORMS,
    "trajectories": [RNG.normal(size=(n, 4)) for n in (30, 41, 9)],
    "landmarks": [RNG.normal(100, 40, (8, 68, 2)) for _ in range(3)],
    "arrays": WAVEFORMS,
    "sound": [(rate, clip) for rate, clip in zip((8000, 22050, 48000), WAVEFORMS, strict=True)],
}


# FaceLandmarks needs networks that are not here everywhere; its own tests say what it does.
ONE_CLIP = [
    stage
    for stage in STAGES
    if isinstance(stage, ClipTransformer) and not isinstance(stage, FaceLandmarks)
]


@pytest.mark.parametrize("stage", ONE_CLIP, ids=_name)
def test_promises_of_stages_of_one_clip(stage):
    kind = stage.takes if stage.takes != "clips" else stage._in_memory
    others = [] if kind != stage.takes else ["a.mp4"]
    if isinstance(stage, FaceMeasures | LandmarkLoader):
        kind = "landmarks"
    assert_keeps_promises(stage, CLIPS[kind], others=others)


def test_every_public_stage_is_checked():
    # Checked where it is installed.
    checked = {type(stage) for stage in STAGES} | {OpenSMILE}
    for module in (audio, base, classification, decomposition, pipeline, video):
        public = {value for value in vars(module).values() if isinstance(value, type)}
        stages = {c for c in public if issubclass(c, ClipTransformer)} - {ClipTransformer}
        assert stages <= checked, stages - checked
