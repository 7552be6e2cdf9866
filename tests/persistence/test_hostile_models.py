"""Model files made to crash, exhaust or take over the process that loads them."""

import io
import json
import zipfile
from importlib import import_module

import numpy as np
import pytest
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC

from skemotion import load_model, save_model
from skemotion.decomposition import MiniRocket, MultiRocket
from skemotion.persistence import _contents
from skemotion.persistence._names import _ESTIMATORS
from skemotion.pipeline import ClipPipeline
from skemotion.video import HOG3D

X, Y = np.array([[0.0], [1.0], [2.0], [3.0]] * 5), np.array(["calm", "calm", "sad", "sad"] * 5)


def edit(path, change):
    """Change the members of a saved model, the description of its parts being one of them."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    schema = json.loads(members.pop("schema.json"))
    change(members, schema)
    with zipfile.ZipFile(path, "w") as file:
        for name, content in {**members, "schema.json": json.dumps(schema).encode()}.items():
            file.writestr(name, content)


def rename(node, old, new):
    """Give parts of one class the name of another."""
    if isinstance(node, dict):
        if node.get("__class__") == old:
            node["__module__"], _, node["__class__"] = new.rpartition(".")
        node = list(node.values())
    for part in node if isinstance(node, list) else ():
        rename(part, old, new)


def replace_arrays(path, forge):
    """Let `forge` make other bytes of the file of each array."""

    def change(members, schema):
        for name, content in members.items():
            if name.endswith(".npy"):
                members[name] = forge(content)

    edit(path, change)


def written(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def many_values_of_no_bytes():
    file = io.BytesIO()
    header = {"descr": "<U0", "fortran_order": False, "shape": (10**9,)}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def refused(path, *words):
    with pytest.raises(ValueError, match=r"model\.skops: ") as caught:
        load_model(path)
    for part in words:
        assert part in str(caught.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skops"


@pytest.mark.parametrize(
    "name",
    ["scipy.sparse._csr.csr_matrix", "scipy.sparse._matrix.spmatrix", "skemotion.video.HOG3D"],
)
def test_sparse_matrices_are_listed_under_any_name(path, name):
    """Their indices lead wherever the file says, also out of memory."""
    model = LogisticRegression().fit(X, Y).sparsify()
    model.coef_.indices[:] = 2 * 10**9
    save_model(model, path)
    edit(path, lambda members, schema: rename(schema, "csr_matrix", name))
    refused(path, "not trusted", f"[{name!r}]")


def test_sparse_matrices_load_if_they_are_trusted(path):
    model = LogisticRegression().fit(X, Y).sparsify()
    loaded = load_model(save_model(model, path), trusted=["scipy.sparse._csr.csr_matrix"])
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (SVC(kernel="precomputed"), "sklearn.svm._classes.SVC"),
        (KNeighborsClassifier(algorithm="kd_tree"), "sklearn.neighbors._kd_tree.KDTree"),
        (KNeighborsClassifier(algorithm="brute"), "sklearn.neighbors._classification.KNeighbors"),
        (GradientBoostingClassifier(n_estimators=2), "sklearn.ensemble._gb.GradientBoosting"),
        (HistGradientBoostingClassifier(max_iter=2), "predictor.TreePredictor"),
        (KMeans(2, n_init=1), "sklearn.cluster._kmeans.KMeans"),
        (OneHotEncoder(), "sklearn.preprocessing._encoders.OneHotEncoder"),
        (OneVsRestClassifier(LinearSVC()), "sklearn.multiclass.OneVsRestClassifier"),
        (FunctionTransformer(kw_args={"a": np.random.default_rng()}), "numpy.random._generator."),
    ],
)
def test_what_compiled_code_relies_on_is_listed(path, model, name):
    kernel = isinstance(model, SVC)
    save_model(model.fit(X @ X.T if kernel else X, Y), path)
    refused(path, "not trusted", name)


def test_inner_archives_that_unpack_to_far_more(path, monkeypatch):
    """A deflated matrix within is counted unpacked: here a megabyte in a kilobyte."""
    model = LogisticRegression().fit(X, Y)
    model.coef_ = sparse.csr_matrix((np.zeros(10**5), np.zeros(10**5, int), [0, 10**5]))
    save_model(model, path)
    monkeypatch.setattr(_contents, "_MOST_UNPACKED", 1000)
    refused(path, "a damaged or altered one")


def test_members_that_are_read_again_and_again(path, monkeypatch):
    save_model(LogisticRegression().fit(X, Y), path)

    def repeat(members, schema):
        parts = schema["content"]["content"]
        again = {key: value for key, value in parts["coef_"].items() if key != "__id__"}
        items = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode"}
        parts["intercept_"] = items | {"content": [again] * 1000}

    edit(path, repeat)
    monkeypatch.setattr(_contents, "_MOST_UNPACKED", 1000)
    refused(path, "a damaged or altered one")


@pytest.mark.parametrize(
    "forge",
    [
        lambda content: content + bytes(8),
        lambda content: content[:-1],
        lambda content: many_values_of_no_bytes(),
        lambda content: content.replace(b"(1,", b"(-1,").replace(b" " * 11, b" " * 10, 1),
        lambda content: b"\x93NUMPY\x01\x00\xff\xff{",
    ],
)
def test_arrays_of_another_size_than_they_say(path, forge):
    save_model(LogisticRegression().fit(X, Y), path)
    replace_arrays(path, forge)
    refused(path, "a damaged or altered one")


def test_bytes_are_not_allocated_by_number(path):
    """numpy.void(n) would be n bytes."""
    save_model(LogisticRegression().fit(X, Y), path)

    def change(members, schema):
        members["0.npy"] = written(np.array(10**9))
        schema["content"]["content"]["C"] = {
            "__class__": "void", "__module__": "numpy", "__loader__": "NdArrayNode",
            "type": "numpy", "file": "0.npy",
        }  # fmt: skip

    edit(path, change)
    refused(path, "not trusted", "'numpy.void'")


def test_workers_that_a_file_asks_for_are_not_started(path):
    steps = make_pipeline(StandardScaler(), LogisticRegression())
    committee = VotingClassifier([("a", steps)]).fit(X, Y)
    committee.set_params(n_jobs=10**5)
    committee.estimators_[0][-1].n_jobs = 10**5
    loaded = load_model(save_model(committee, path))
    assert loaded.n_jobs is None
    assert loaded.estimators_[0][-1].n_jobs is None
    assert committee.n_jobs == 10**5


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_generators_whose_state_does_not_exist(path):
    model = MLPClassifier((2,), max_iter=2, random_state=0).fit(X, Y)
    save_model(model, path)
    assert load_model(path)._random_state.get_state()[2] == model._random_state.get_state()[2]
    state = model._random_state.get_state(legacy=False)
    state["state"]["pos"] = 10**6
    model._random_state.set_state(state)
    save_model(model, path)
    refused(path, "a damaged or altered one")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_parameter_constraints", {}),
        ("_validate_params", list),
        ("check_parameters", list),
        ("takes", "arrays"),
        ("transform", np.negative),
    ],
)
def test_classes_are_not_replaced_by_what_a_file_says(path, name, value):
    """Compiled code relies on checked parameters."""
    model = HOG3D(cell_size=(0, -1, 10**9))
    save_model(ClipPipeline([("hog3d", HOG3D())]), path)
    assert load_model(path).steps[0][1].cell_size == (5, 5, 6)
    setattr(model, name, value)
    save_model(ClipPipeline([("hog3d", model)]), path)
    refused(path, "a damaged or altered one")


@pytest.mark.parametrize("rocket", [MiniRocket, MultiRocket])
@pytest.mark.parametrize(
    "change",
    [
        {"channels": 10**9}, {"channels": -1}, {"dilations": 10**6}, {"dilations": 0},
        {"starts": 10**9}, {"n_biases": 10**6}, {"n_biases": -1},
    ],
)  # fmt: skip
def test_kernels_that_read_out_of_bounds_are_refused(path, rocket, change):
    curves = [np.random.default_rng(row).normal(size=(20, 2)) for row in range(3)]
    model = rocket(84, 20, random_state=0).fit(curves)
    for loaded in (load_model(save_model(model, path)), model):
        [(part, value)] = change.items()
        np.testing.assert_array_equal(loaded.transform(curves), model.transform(curves))
        getattr(loaded.kernels_[0], part)[-1] = value
        with pytest.raises(ValueError, match="Expected kernels for series of 2 channels and 20"):
            loaded.transform(curves)


def test_kernels_of_another_type_are_refused():
    curves = [np.random.default_rng(row).normal(size=(20, 2)) for row in range(3)]
    model = MiniRocket(84, 20, random_state=0).fit(curves)
    kernels = model.kernels_[0]
    for channels in (kernels.channels.astype(object), kernels.channels[:, np.newaxis], [0]):
        model.kernels_ = [kernels._replace(channels=channels)]
        with pytest.raises(ValueError, match="Expected kernels"):
            model.transform(curves)


WRAPPERS = {
    "CalibratedClassifierCV": {"estimator": LogisticRegression()},
    "ColumnTransformer": {"transformers": [("a", StandardScaler(), [0])]},
    "BaggingClassifier": {"estimator": LogisticRegression(), "n_estimators": 2},
    "ExtraTreesClassifier": {"n_estimators": 2},
    "RandomForestClassifier": {"n_estimators": 2},
    "StackingClassifier": {"estimators": [("a", LogisticRegression())]},
    "VotingClassifier": {"estimators": [("a", LogisticRegression())]},
    "RFE": {"estimator": LogisticRegression()},
    "RFECV": {"estimator": LogisticRegression()},
    "SelectFromModel": {"estimator": LogisticRegression()},
    "SelectKBest": {"k": 1},
    "SequentialFeatureSelector": {"estimator": LogisticRegression(), "n_features_to_select": 1},
    "FrozenEstimator": {"estimator": LogisticRegression().fit(X, Y)},
    "FixedThresholdClassifier": {"estimator": LogisticRegression()},
    "GridSearchCV": {"estimator": LogisticRegression(), "param_grid": {"C": [1.0]}},
    "RandomizedSearchCV": {
        "estimator": LogisticRegression(),
        "param_distributions": {"C": [1.0]},
        "n_iter": 1,
    },
    "QuadraticDiscriminantAnalysis": {"reg_param": 0.1},
    "FeatureUnion": {"transformer_list": [("a", StandardScaler())]},
    "Pipeline": {"steps": [("a", LogisticRegression())]},
    "MLPClassifier": {"hidden_layer_sizes": (2,), "max_iter": 2},
    "LogisticRegressionCV": {"cv": 2, "Cs": 2, "use_legacy_attributes": False},
    "QuantileTransformer": {"n_quantiles": 5},
    "TruncatedSVD": {"n_components": 1},
}


@pytest.mark.parametrize(
    ("part", "name"), [(part, name) for part, names in _ESTIMATORS.items() for name in names]
)
@pytest.mark.filterwarnings("ignore")
def test_what_is_trusted_loads_and_does_the_same(path, part, name):
    known = getattr(import_module(f"sklearn.{part}"), name)
    model = known(**WRAPPERS.get(name, {}))
    table = np.c_[X, np.sin(X)]
    labels = Y == "sad" if name in ("LinearRegression", "Ridge", "RidgeCV") else Y
    model.fit(Y) if name in ("LabelBinarizer", "LabelEncoder") else model.fit(np.abs(table), labels)
    loaded = load_model(save_model(model, path), trusted=["sklearn.tree._tree.Tree"])
    for do in {"predict", "predict_proba", "transform"} & set(dir(model)):
        given = Y if name in ("LabelBinarizer", "LabelEncoder") else table
        np.testing.assert_array_equal(getattr(loaded, do)(given), getattr(model, do)(given))
