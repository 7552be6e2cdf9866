"""scikit-learn's whole check suite, for every estimator, on tables and lifted to n-d clips."""

import unittest
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
from sklearn.utils import estimator_checks as checks
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from skemotion.audio import AudioAugmenter, AudioFeatures, AudioLoader, SpeechFunctionals
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
    TrajectoryStatistics,
)
from skemotion.pipeline import ClipPipeline
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

STAGES = [
    VideoLoader(),
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
    BSplineProjector(),
    TrajectoryStatistics(),
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


class LiftedSpeechFunctionals(_Lift, SpeechFunctionals):
    pass


class LiftedBSplineProjector(_Lift, BSplineProjector):
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
TRAINING = {"max_epochs": 15, "learning_rate": 0.03}
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

COMMON = {
    "check_array_api_input",
    "check_complex_data",
    "check_dict_unchanged",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_dont_overwrite_parameters",
    "check_dtype_object",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_estimator_sparse_tag",
    "check_estimator_tags_renamed",
    "check_estimators_dtypes",
    "check_estimators_empty_data_messages",
    "check_estimators_fit_returns_self",
    "check_estimators_nan_inf",
    "check_estimators_overwrite_params",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_fit1d",
    "check_fit2d_1feature",
    "check_fit2d_1sample",
    "check_fit2d_predict1d",
    "check_fit_check_is_fitted",
    "check_fit_idempotent",
    "check_fit_score_takes_y",
    "check_get_params_invariance",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_mixin_order",
    "check_n_features_in",
    "check_n_features_in_after_fitting",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_pipeline_consistency",
    "check_positive_only_tag_during_fit",
    "check_readonly_memmap_input",
    "check_set_params",
    "check_transformer_data_not_an_array",
    "check_transformer_general",
    "check_transformer_n_iter",
    "check_transformer_preserve_dtypes",
    "check_valid_tag_types",
}
# scikit-learn asks a stage that needs no fit for results without one, and any other for an error.
LEARNING = COMMON | {"check_estimators_unfitted", "check_transformers_unfitted"}
STATELESS = COMMON | {"check_transformers_unfitted_stateless"}
CLASSIFYING = (COMMON - {name for name in COMMON if name.startswith("check_transformer")}) | {
    "check_class_weight_classifiers",
    "check_classifier_data_not_an_array",
    "check_classifiers_classes",
    "check_classifiers_one_label",
    "check_classifiers_one_label_sample_weights",
    "check_classifiers_regression_target",
    "check_classifiers_train",
    "check_decision_proba_consistency",
    "check_estimators_partial_fit_n_features",
    "check_estimators_unfitted",
    "check_non_transformer_estimators_n_iter",
    "check_requires_y_none",
    "check_supervised_y_2d",
    "check_supervised_y_no_nan",
}

# The suite never yields these.
BY_HAND = [
    checks.check_dataframe_column_names_consistency,
    checks.check_get_feature_names_out_error,
    checks.check_global_output_transform_pandas,
    checks.check_global_set_output_transform_polars,
    checks.check_param_validation,
    checks.check_set_output_transform,
    checks.check_set_output_transform_pandas,
    checks.check_set_output_transform_polars,
    checks.check_transformer_get_feature_names_out,
    checks.check_transformer_get_feature_names_out_pandas,
]


def _name(estimator):
    return type(estimator).__name__


@pytest.mark.parametrize("estimator", STAGES + LIFTED, ids=_name)
def test_whole_suite(estimator):
    ran = []
    for stage, check in checks.estimator_checks_generator(estimator):
        name = check.func.__name__
        try:
            check(stage)
        except unittest.SkipTest as skip:
            pytest.fail(f"{name} was skipped: {skip}")
        ran.append(name)
    learns = isinstance(estimator, PartialTucker | MiniRocket | MultiRocket)
    assert set(ran) == (LEARNING if learns else STATELESS)
    # Pickling and the general check are each yielded twice.
    assert len(ran) == (47 if learns else 46)


@pytest.mark.parametrize("check", BY_HAND, ids=lambda check: check.__name__)
@pytest.mark.parametrize("estimator", STAGES, ids=_name)
# These checks change between tables with and without names on purpose.
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
def test_checks_that_the_suite_never_yields(estimator, check):
    check(_name(estimator), clone(estimator))


@pytest.mark.parametrize("voting", VOTING + LIFTED_VOTING, ids=_name)
def test_whole_suite_of_frames_that_vote(voting):
    ran = []
    for estimator, check in checks.estimator_checks_generator(voting):
        name = check.func.__name__
        try:
            check(estimator)
        except unittest.SkipTest as skip:
            pytest.fail(f"{name} was skipped: {skip}")
        ran.append(name)
    # The weights of classes are the frames' classifier's.
    assert set(ran) == CLASSIFYING - {"check_class_weight_classifiers"}
    # Pickling is yielded twice and training thrice.
    assert len(ran) == 55


@pytest.mark.parametrize("network", NETWORKS + LIFTED_NETWORKS, ids=_name)
def test_whole_suite_of_networks(network):
    ran = []
    for estimator, check in checks.estimator_checks_generator(network):
        name = check.func.__name__
        try:
            check(estimator)
        except unittest.SkipTest as skip:
            pytest.fail(f"{name} was skipped: {skip}")
        ran.append(name)
    assert set(ran) == CLASSIFYING
    # Pickling is yielded twice and training thrice.
    assert len(ran) == 56


@pytest.mark.parametrize(
    "check",
    [checks.check_dataframe_column_names_consistency, checks.check_param_validation],
    ids=lambda check: check.__name__,
)
@pytest.mark.parametrize("network", [*NETWORKS, *VOTING], ids=_name)
# Of tables with and without names, one after the other, on purpose.
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
def test_checks_that_the_suite_never_yields_of_networks(network, check):
    check(_name(network), clone(network))
