import json
import operator
import os
import pickle
import re
import subprocess
import sys
import types
import warnings
import zipfile
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import skops.io
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skemotion
from skemotion import load_model, read_model_info, save_model
from skemotion.persistence import check_model_path
from skemotion.persistence._about import describe
from skemotion.persistence._composition import estimators
from skemotion.persistence._names import dump_publicly, known_names
from skemotion.pipeline import ClipPipeline, make_emotion_pipeline
from skemotion.video import HOG3D, VideoLoader

X, Y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array(["calm", "calm", "angry", "angry"])


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "video": [rng.integers(0, 256, (6, 24, 30), dtype=np.uint8) for _ in range(6)],
            "audio": [0.1 * rng.standard_normal(3000 + 99 * row) for row in range(6)],
        }
    )


@pytest.fixture(scope="module")
def model(clips):
    model = make_emotion_pipeline(recipe="reference").set_params(
        features__video__clips__load__n_frames=10,
        features__video__clips__load__size=(20, 24),
        features__video__tucker__ranks=(2, 2, 0.9, None, 1),
        features__audio__clips__load__source_rate=22050,
        features__audio__clips__augment__pitch_steps=(4,),
        features__audio__clips__augment__speed_rates=(),
        features__audio__tucker__ranks=(4, 8),
        classifier__hidden_layer_sizes=(8, 4),
        classifier__max_iter=5,
    )
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        return model.fit(clips, ["calm", "angry", "sad"] * 2)


@pytest.fixture
def saved(model, tmp_path):
    return save_model(model, tmp_path / "a model.skops", corpus="noise", n_clips=6)


def edit(path, change, member="schema.json", **packing):
    """Change what a saved model says of its objects, or of itself."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    content = change(json.loads(members[member]))
    members[member] = content if isinstance(content, bytes) else json.dumps(content).encode()
    with zipfile.ZipFile(path, "w", **packing) as file:
        for name, content in members.items():
            file.writestr(name, content)


def plant(path, node):
    """Put an object into the place of a LogisticRegression's parameter."""
    save_model(LogisticRegression().fit(X, Y), path)

    def change(schema):
        schema["content"]["content"]["C"] = node
        return schema

    edit(path, change)


def word(value):
    return {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode",
            "content": json.dumps(value)}  # fmt: skip


def many(loader, items):
    name = loader.removesuffix("Node").lower()
    return {"__class__": name, "__module__": "builtins", "__loader__": loader, "content": items}


def mapping(**items):
    keys = many("ListNode", [{**word(""), "__loader__": "TypeNode"} for _ in items])
    return {"__class__": "dict", "__module__": "builtins", "__loader__": "DictNode",
            "content": items, "key_types": keys}  # fmt: skip


def refused(path, *words):
    """Expect one line that names the file, what was found and what to do."""
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}: ") as caught:
        load_model(path)
    message = str(caught.value)
    for part in words:
        assert part in message
    assert "\n" not in message
    for internal in ("__reduce__", "__class__", "Node", "schema", "Error", "object at"):
        assert internal not in message
    assert message.count(". ") >= 1
    return message


# --- Saving, loading ---


def test_what_is_loaded_predicts_the_same_to_the_bit(saved, model, clips):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load_model(saved)
    np.testing.assert_array_equal(loaded.predict_proba(clips), model.predict_proba(clips))
    np.testing.assert_array_equal(loaded.predict(clips), model.predict(clips))
    assert repr(loaded) == repr(model)
    # It can be fitted on.
    with pytest.warns(ConvergenceWarning):
        loaded.fit(clips, ["calm", "angry", "sad"] * 2)
    np.testing.assert_array_equal(loaded.predict_proba(clips), model.predict_proba(clips))


def test_another_process_predicts_the_same_to_the_bit(saved, model, clips, tmp_path):
    np.savez(tmp_path / "clips.npz", *clips["video"], *clips["audio"])
    code = (
        "import sys, numpy as np, pandas as pd; from skemotion import load_model\n"
        "clips = list(np.load(sys.argv[2]).values())\n"
        "clips = pd.DataFrame({'video': clips[:6], 'audio': clips[6:]})\n"
        "np.save(sys.argv[3], load_model(sys.argv[1]).predict_proba(clips))"
    )
    words = [saved, tmp_path / "clips.npz", tmp_path / "shares.npy"]
    subprocess.run([sys.executable, "-W", "error", "-c", code, *map(str, words)], check=True)
    shares = np.load(tmp_path / "shares.npy")
    np.testing.assert_array_equal(shares, model.predict_proba(clips))


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_other_solvers(clips, model, solver, tmp_path):
    other = clone(model).set_params(classifier__solver=solver)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        other.fit(clips, ["calm", "angry", "sad"] * 2)
    loaded = load_model(save_model(other, tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict_proba(clips), other.predict_proba(clips))


@pytest.mark.parametrize(
    "other",
    [
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=GroupKFold(2)),
        VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft"),
    ],
)
def test_searches_and_committees_are_trusted(other, tmp_path):
    settings = {"groups": [1, 2, 1, 2]} if isinstance(other, GridSearchCV) else {}
    other.fit(X, Y, **settings)
    loaded = load_model(save_model(other, tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict_proba(X), other.predict_proba(X))


def test_clips_that_could_not_be_used_stay_noted(tmp_path):
    steps = [("load", VideoLoader(n_frames=5, size=(10, 12))), ("hog3d", HOG3D())]
    describe = ClipPipeline(steps, on_error="nan")
    with pytest.warns(UserWarning, match="1 of 2 clips"):
        describe.fit_transform([np.zeros((6, 20, 24), dtype=np.uint8), tmp_path / "gone.mp4"])
    assert len(describe.errors_) == 1
    assert load_model(save_model(describe, tmp_path / "model")).errors_ == describe.errors_


OWN_CLASSES = [
    getattr(import_module(name.rpartition(".")[0]), name.rpartition(".")[2])
    for name in known_names()["ObjectNode"]
    if name.startswith("skemotion.")
]


@pytest.mark.parametrize("known", OWN_CLASSES)
def test_every_estimator_is_saved_by_its_public_name_and_trusted(known, tmp_path):
    made = known.__new__(known)
    path = tmp_path / "model"
    dump_publicly(made, path)
    assert private_modules(path) == []
    assert set(skops.io.get_untrusted_types(file=path)) <= set(known_names()["ObjectNode"])
    # A file may have them called: all that comes of it is an object that keeps what it was given.
    assert not {"__new__", "__setstate__", "__reduce__", "__reduce_ex__"} & {
        name for base in known.__mro__ if base.__module__.startswith("skemotion.")
        for name in vars(base)
    }  # fmt: skip


def test_what_is_trusted_of_the_package():
    names = {known.__name__ for known in OWN_CLASSES}
    assert {"HOG3D", "ClipPipeline", "PartialTucker", "WithinGroupShuffleSplit"} <= names
    assert not {"ClipCache", "make_ravdess", "Evaluation"} & names


def private_modules(path):
    with zipfile.ZipFile(path) as file:
        schema = file.read("schema.json").decode()
    return re.findall(r'"skemotion[.\w]*\._\w+"', schema)


def test_files_of_the_package_may_be_renamed(saved, model, clips, tmp_path, monkeypatch):
    assert private_modules(saved) == []
    assert b'"skemotion.video"' in saved.read_bytes()
    expected = model.predict_proba(clips)
    monkeypatch.setitem(sys.modules, HOG3D.__module__, None)  # importing it fails
    monkeypatch.setattr(HOG3D, "__module__", "skemotion.video._cubes")
    monkeypatch.setitem(sys.modules, "skemotion.video._cubes", types.SimpleNamespace(HOG3D=HOG3D))
    np.testing.assert_array_equal(load_model(saved).predict_proba(clips), expected)
    assert private_modules(save_model(model, tmp_path / "again")) == []


def test_what_has_no_public_name_is_not_saved(tmp_path):
    inner = FunctionTransformer(describe)
    with pytest.raises(ValueError, match=r"_about\.describe is no public name of skemotion"):
        save_model(inner.fit(X), tmp_path / "model.skops")
    assert list(tmp_path.iterdir()) == []


def test_names_at_the_top():
    assert {"load_model", "read_model_info", "save_model"} <= set(skemotion.__all__)
    with pytest.raises(AttributeError, match=r"'skemotion' has no attribute 'save_all'"):
        _ = skemotion.save_all


# --- What a file tells of itself ---


def test_what_a_file_tells(saved, model):
    about = read_model_info(saved)
    assert list(about) == [
        "saved", "versions", "classes", "parameters", "uses_speaker_clips", "training",
    ]  # fmt: skip
    assert about["uses_speaker_clips"] is False
    age = datetime.now(UTC) - datetime.fromisoformat(about["saved"])
    assert -1 <= age.total_seconds() < 600
    assert about["classes"] == ["angry", "calm", "sad"]
    assert about["training"] == {"corpus": "noise", "n_clips": 6}
    assert about["versions"]["skemotion"] == skemotion.__version__
    assert about["versions"]["numpy"] == np.__version__
    assert about["versions"]["python"] == sys.version.split()[0]
    assert {"scikit-learn", "scipy", "av", "librosa", "skops"} <= set(about["versions"])
    told = about["parameters"]
    assert set(told) == set(model.get_params())
    assert told["features__audio__tucker__ranks"] == [4, 8]
    assert told["features__video__tucker__ranks"] == [2, 2, 0.9, None, 1]
    assert told["classifier__alpha"] == 0.07
    assert told["classifier"] == "MLPClassifier"
    assert told["steps"][2] == ["classifier", "MLPClassifier"]
    # Any program can read it.
    with zipfile.ZipFile(saved) as archive:
        assert json.loads(archive.read("about.json")) == about


def test_what_json_has_no_words_for(tmp_path):
    class Odd(BaseEstimator):
        def __init__(self, value):
            self.value = value

    values = {"nan": np.nan, "function": os.getcwd, "type": np.float32, "numpy": np.int64(3),
              "array": np.eye(2), "set": {1}, "range": range(2), 5: None}  # fmt: skip
    told = describe(Odd(values), {"n": np.arange(2)})
    assert told["parameters"]["value"] == {
        "nan": "nan",
        "function": f"{os.getcwd.__module__}.getcwd",
        "type": "numpy.float32",
        "numpy": 3,
        "array": [[1, 0], [0, 1]],
        "set": [1],
        "range": "range(0, 2)",
        "5": None,
    }
    assert told["training"] == {"n": [0, 1]}
    assert told["classes"] is None
    json.dumps(told, allow_nan=False)


def test_it_is_told_without_loading(tmp_path, monkeypatch):
    path = save_model(FunctionTransformer(hostile), tmp_path / "model.skops")
    monkeypatch.setattr(skops.io, "load", hostile)
    monkeypatch.setattr(skops.io, "get_untrusted_types", hostile)
    assert read_model_info(path)["parameters"]["func"] == f"{hostile.__module__}.hostile"


# --- What is not trusted ---


def hostile(*arguments):
    pytest.fail("code that a model file named was run")


def touch(path):
    Path(path).touch()


def double(values):
    return 2 * values


class Loudness(TransformerMixin, BaseEstimator):
    """A stage of one's own."""

    def fit(self, X, y=None):
        self.level_ = float(np.mean(X))
        return self

    def transform(self, X):
        return X - self.level_


CALLERS = ("ConstructorFromReduceNode", "ListNode", "SetNode", "TupleNode", "TypeNode",
           "FunctionNode", "ObjectNode", "DictNode", "NdArrayNode", "LossNode",
           "RandomStateNode", "RandomGeneratorNode", "DTypeNode", "DefaultDictNode")  # fmt: skip


@pytest.mark.parametrize("protocol", [0, 1, 2])
@pytest.mark.parametrize("loader", CALLERS)
def test_functions_are_not_trusted_wherever_they_come_from(loader, protocol, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    path = tmp_path / "planted.skops"
    for module, name in (
        ("sklearn.datasets._base", "clear_data_home"),  # removes a folder
        ("sklearn.datasets._base", "urlretrieve"),  # writes a file
        ("skemotion.datasets._synthetic", "make_ravdess"),  # writes a folder
        ("skemotion.persistence._model_file", "os.makedirs"),
        ("os", "makedirs"),
        ("os", "system"),
        ("builtins", "eval"),
        (touch.__module__, "touch"),
        (hostile.__module__, "hostile"),
    ):
        argument = word(str(victim / "new"))
        contents = {
            "ConstructorFromReduceNode": many("TupleNode", [argument]),
            "ObjectNode": mapping(path=argument),
            "DictNode": {"path": argument},
            "LossNode": mapping(),
            "RandomStateNode": mapping(path=argument),
            "RandomGeneratorNode": {
                "bit_generator": mapping(bit_generator=argument),
                "seed_seq": mapping(),
            },
            "DTypeNode": argument,
            "DefaultDictNode": {"main": mapping(), "default_factory": argument},
            "FunctionNode": {"module_path": module, "function": name},
        }
        node = {
            "__class__": name,
            "__module__": module,
            "__loader__": loader,
            "content": contents.get(loader, [argument]),
            "key_types": many("ListNode", [{**argument, "__loader__": "TypeNode"}]),
            "__reduce__": {"args": many("TupleNode", [argument])},
            "type": "json",
            "shape": many("TupleNode", [word(1)]),
        }
        plant(path, node)
        edit(path, lambda schema: {**schema, "protocol": protocol})
        refused(path)
        # The first form is refused as a whole; these numbers for their state, too.
        if protocol and loader != "RandomGeneratorNode":
            refused(path, "not trusted", f"'{module}.{name}'")
    assert list(victim.iterdir()) == []


def test_nothing_is_called_by_way_of_what_is_trusted(tmp_path):
    victim = tmp_path / "victim"
    path = tmp_path / "planted.skops"
    arguments = many("TupleNode", [word(str(victim))])
    os_type = {**word(""), "__class__": "makedirs", "__module__": "os", "__loader__": "TypeNode"}
    numbers = {"__class__": "Generator", "__module__": "numpy.random._generator"}
    nodes = {
        # CVE-2025-54412: any function of the module operator.
        "operator.call": {"__class__": "call", "__module__": "operator",
                          "__loader__": "OperatorFuncNode",
                          "attrs": many("TupleNode", [os_type, word(str(victim))])},
        "operator.methodcaller": {"__class__": "methodcaller", "__module__": "operator",
                                  "__loader__": "OperatorFuncNode", "attrs": arguments},
        # CVE-2025-54413: any attribute of what is trusted.
        "builtins.str.format": {"__class__": "str", "__module__": "builtins",
                                "__loader__": "MethodNode",
                                "content": {"func": "format", "obj": word("{}")}},
        "functools.partial": {"__class__": "partial", "__module__": "functools",
                              "__loader__": "PartialNode",
                              "content": {"func": os_type, "args": arguments,
                                          "kwds": mapping(), "namespace": mapping()}},
        # A function of numpy.random in the place of a generator of bits.
        "numpy.random.seed": {**numbers, "__loader__": "RandomGeneratorNode",
                              "content": {"bit_generator": mapping(bit_generator=word("seed")),
                                          "seed_seq": mapping()}},
        # The nodes of a tree lead wherever the file says, also out of memory.
        "sklearn.tree._tree.Tree": {"__class__": "Tree", "__module__": "sklearn.tree._tree",
                                    "__loader__": "TreeNode", "content": mapping(),
                                    "__reduce__": {"args": arguments}},
    }  # fmt: skip
    for name, node in nodes.items():
        plant(path, node)
        refused(path, "not trusted", f"'{name}'")
    # A name that is trusted does not cover for another of the same letters.
    for loader in ("OperatorFuncNode", "MethodNode"):
        plant(path, {"__class__": "Pipeline", "__module__": "sklearn.pipeline",
                     "__loader__": loader, "attrs": arguments,
                     "content": {"func": "fit", "obj": word("")}})  # fmt: skip
        refused(path, "a damaged or altered one")
    assert not victim.exists()
    assert operator.call  # it exists, so that it was not for want of it


def test_what_is_not_trusted_is_listed_and_can_be(tmp_path):
    """A function, and a stage of one's own, are named with what to write."""
    other = make_pipeline(Loudness(), FunctionTransformer(double)).fit(X, Y)
    path = save_model(other, tmp_path / "model.skops")
    names = [f"{__name__}.Loudness", f"{__name__}.double"]
    assert f"load_model(..., trusted={names})" in refused(path, f"not loaded: {names}.")
    with pytest.raises(ValueError, match=r"not loaded: \['[\w.]*\.double'\]\. .*Loudness"):
        load_model(path, trusted=names[:1])
    with pytest.raises(TypeError, match="trusted must be a list of names"):
        load_model(path, trusted=names[0])
    loaded = load_model(path, trusted=names)
    np.testing.assert_array_equal(loaded.transform(X), other.transform(X))
    np.testing.assert_array_equal(loaded.transform(X)[:, 0], [-3, -1, 1, 3])


def test_trees_are_loaded_on_demand(tmp_path):
    forest = RandomForestClassifier(3, random_state=0).fit(X, Y)
    path = save_model(forest, tmp_path / "model.skops")
    refused(path, "'sklearn.tree._tree.Tree'")
    loaded = load_model(path, trusted=["sklearn.tree._tree.Tree"])
    np.testing.assert_array_equal(loaded.predict_proba(X), forest.predict_proba(X))


# --- Caches ---


@pytest.mark.parametrize("as_path", [str, Path])
def test_caches_stay_behind(model, clips, as_path, tmp_path):
    """Neither file nor loaded model knows the folder; the model that was saved still does."""
    cache, other = tmp_path / "cache", tmp_path / "other"
    cached = make_pipeline(clone(model[0]), LogisticRegression(), memory=joblib.Memory(None))
    for branch in ("video", "audio"):
        cached.set_params(**{f"clipcolumntransformer__{branch}__clips__memory": as_path(cache)})
    cached.fit(clips, ["calm", "angry", "sad"] * 2)
    folders = [clips.memory for clips in clip_pipelines(cached)]
    memory = cached.memory
    path = save_model(cached, tmp_path / "model.skops")
    assert [clips.memory for clips in clip_pipelines(cached)] == folders
    assert as_path(cache) in folders
    assert cached.memory is memory
    assert str(cache).encode() not in path.read_bytes()
    before = sorted(cache.rglob("*"))
    loaded = load_model(path)
    assert all(clips.memory is None for clips in clip_pipelines(loaded))
    assert loaded.memory is None
    # Nothing is written until a folder is asked for.
    expected = loaded.predict_proba(clips)
    np.testing.assert_array_equal(expected, cached.predict_proba(clips))
    assert sorted(cache.rglob("*")) == before
    np.testing.assert_array_equal(load_model(path, memory=other).predict_proba(clips), expected)
    assert len(list(other.rglob("*.clip"))) > len(clips)


def clip_pipelines(model):
    found = estimators(model)
    return [estimator for estimator in found if isinstance(estimator, ClipPipeline)]


def test_a_folder_in_a_file_from_a_stranger_is_not_used(saved, clips, tmp_path):
    victim = tmp_path / "victim"

    def remember(node):
        if isinstance(node, dict):
            node = {key: remember(value) for key, value in node.items()}
            if "memory" in node:
                node["memory"] = word(str(victim))
        return [remember(part) for part in node] if isinstance(node, list) else node

    edit(saved, remember)
    assert saved.read_bytes().count(str(victim).encode()) > 6
    loaded = load_model(saved)
    found = [e for e in estimators(loaded) if isinstance(e, Pipeline)]
    assert len(found) > 6
    assert all(pipeline.memory is None for pipeline in found)
    loaded.predict(clips)
    with pytest.warns(ConvergenceWarning):
        loaded.fit(clips, ["calm", "angry", "sad"] * 2)
    assert not victim.exists()


# --- What cannot be saved ---


def test_what_would_not_load_again_is_not_saved(tmp_path, monkeypatch):
    def inner(values):
        return values

    def of_a_script(values):
        return values

    of_a_script.__module__ = "__main__"
    monkeypatch.setattr(sys.modules["__main__"], "of_a_script", of_a_script, raising=False)
    for function in (lambda values: values, inner, of_a_script):
        with pytest.raises(ValueError, match=r"model\.skops: this Pipeline cannot be .*top level"):
            save_model(
                make_pipeline(FunctionTransformer(function), StandardScaler()).fit(X),
                tmp_path / "model.skops",
            )
    scaler = StandardScaler().fit(X)
    scaler.stream = (number for number in ())
    with pytest.raises(ValueError, match="this StandardScaler cannot be saved"):
        save_model(scaler, tmp_path / "model.skops")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_fitted_model(tmp_path):
    path = tmp_path / "model.skops"
    with pytest.raises(NotFittedError, match="LogisticRegression instance is not fitted yet"):
        save_model(LogisticRegression(), path)
    with pytest.raises(TypeError, match="Expected an estimator to save, got list"):
        save_model([LogisticRegression()], path)
    assert list(tmp_path.iterdir()) == []


def test_missing_files_and_folders(model, tmp_path):
    for read in (load_model, read_model_info):
        with pytest.raises(FileNotFoundError, match=r"gone\.skops: no such model file"):
            read(tmp_path / "gone.skops")
        with pytest.raises(IsADirectoryError, match=r"no such model file, but a folder"):
            read(tmp_path)
        with pytest.raises(FileNotFoundError, match=r"^'': expected the name of a model file"):
            read("")
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    file.touch()
    for write in (check_model_path, partial(save_model, model)):
        with pytest.raises(FileNotFoundError, match=r"gone: no such folder to save the model in"):
            write(tmp_path / "gone" / "model.skops")
        with pytest.raises(NotADirectoryError, match=r"file: is no folder to save the model in"):
            write(file / "model.skops")
        with pytest.raises(IsADirectoryError, match=r"folder: is a folder"):
            write(folder)
        for suffix in (".pkl", ".JOBLIB", ".onnx"):
            with pytest.raises(ValueError, match=rf"m\{suffix}: a model .* name it m\.skops\.$"):
                write(tmp_path / f"m{suffix}")
        if Path("/proc").is_dir():  # where nobody can make a file
            with pytest.raises(PermissionError, match=r"^/proc: cannot be written to \("):
                write("/proc/model.skops")
    assert sorted(tmp_path.iterdir()) == [file, folder]
    assert check_model_path(tmp_path / "model.skops") == tmp_path / "model.skops"


def test_a_failed_save_leaves_the_old_file(saved, model, monkeypatch):
    before = saved.read_bytes()

    def break_off(part, trusted):
        assert part.is_file()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(skops.io, "load", break_off)
        with pytest.raises(KeyboardInterrupt):
            save_model(model, saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]
    # What goes well takes its place.
    save_model(LogisticRegression().fit(X, Y), saved)
    assert isinstance(load_model(saved), LogisticRegression)
    assert list(saved.parent.iterdir()) == [saved]


# --- Other files, damaged files ---


def archive(path, **members):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name.replace("_json", ".json"), content)
    return path.read_bytes()


def test_other_files_are_told_apart(tmp_path):
    path = tmp_path / "other.skops"
    schema = json.dumps(many("ListNode", []) | {"protocol": 2})
    about = json.dumps(
        {"versions": {}, "parameters": {}, "training": {}, "uses_speaker_clips": False}
    )
    for content, found in (
        (b"", "an empty file"),
        (b"a text", "no archive"),
        (pickle.dumps(LogisticRegression()), "a pickle"),
        (b"PK\x05\x06" + bytes(18), "no files"),
        (b"PK\x03\x04 and then nothing", "the beginning of one"),
        (skops.io.dumps(LogisticRegression()), "a file of skops that save_model did not write"),
        (archive(path, **{"Actor_01/a.wav": b"RIFF"}), "other things (such as 'Actor_01/a.wav')"),
        (archive(path, schema_json="{", about_json="{}"), "a damaged or altered one"),
        (archive(path, schema_json="{}", about_json="[]"), "a damaged or altered one"),
        (archive(path, schema_json="{}", about_json=about), "a damaged or altered one"),
        (archive(path, schema_json=schema, about_json=about), "found a list. Give"),
    ):
        path.write_bytes(content)
        message = refused(path, f"{path}: expected a model saved by skemotion, found", found)
        assert re.search(r"\. (Give|Copy|Read) .*\.$", message)


def test_damaged_files_are_named(saved):
    whole = saved.read_bytes()
    rng = np.random.default_rng(0)
    cut = [whole[: len(whole) * share // 10] for share in range(10)]
    noisy = []
    for _ in range(40):
        content = np.frombuffer(whole, dtype=np.uint8).copy()
        content[rng.integers(len(content), size=20)] = rng.integers(256, size=20)
        noisy.append(content.tobytes())
    for content in cut + noisy:
        saved.write_bytes(content)
        refused(saved, "expected a model saved by skemotion, found")
    for content in cut:
        saved.write_bytes(content)
        with pytest.raises(ValueError, match=rf"^{re.escape(str(saved))}: expected a model"):
            read_model_info(saved)


def test_files_that_are_larger_than_they_look(tmp_path):
    """None of them keeps the reader busy, or fills the memory."""
    path = tmp_path / "model.skops"

    def bomb(change, **packing):
        save_model(LogisticRegression().fit(X, Y), path)
        edit(path, change, **packing)
        refused(path, "a damaged or altered one")

    # A gigabyte of zeros is a megabyte when packed; here a little less.
    bomb(lambda schema: {**schema, "more": "0" * 10**7}, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10**5
    # Parts within parts.
    bomb(lambda schema: b'{"protocol":2,"content":' + b"[" * 10**6)
    deep = b'{"__class__":"list","__module__":"builtins","__loader__":"ListNode","content":['
    bomb(lambda schema: deep * 300 + b"]}" * 300)
    # Two parts that are two parts each, and so on.
    laughs = {**many("ListNode", [word(0)]), "__id__": 10**6}
    for level in range(1, 80):
        again = {"__id__": 10**6 + level - 1}
        laughs = {**many("ListNode", [laughs, again]), "__id__": 10**6 + level}
    plant(path, laughs)
    refused(path, "a damaged or altered one")
    # An array of more numbers than there is memory for.
    save_model(LogisticRegression().fit(X, Y), path)
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            large = content.replace(b"'shape': (1,)", b"'shape': (9" + b"9" * 11 + b",)")
            file.writestr(name, large.replace(b" " * 11, b"", 1) if large != content else content)
    refused(path, "a damaged or altered one")


# --- Versions ---


def test_other_versions_are_told(saved):
    def age(about):
        about["versions"] |= {"scikit-learn": "1.2.3", "skemotion": "0.0.1", "python": "3.0"}
        del about["versions"]["scipy"]
        return about

    def age_estimators(schema):
        return json.loads(json.dumps(schema).replace(sklearn.__version__, "1.2.3"))

    edit(saved, age, "about.json")
    edit(saved, age_estimators)
    with pytest.warns(UserWarning, match="saved with other versions") as caught:
        load_model(saved)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    here = read_model_info(saved)["versions"]
    message = str(caught[0].message)
    assert message.startswith(f"{saved} was saved with other versions: ")
    assert f"skemotion 0.0.1 (here {skemotion.__version__}): descriptors may" in message
    assert re.search(r"scikit-learn 1\.2\.3 \(here \d[\w.]+\): the classifier may decide", message)
    assert "scipy unknown (here " in message
    assert "numpy" not in message
    assert "python" not in message
    assert "Train it again, or install these versions" in message
    assert here["python"] == "3.0"


def test_what_the_versions_here_cannot_rebuild(saved, monkeypatch):
    def age(about):
        about["versions"]["scikit-learn"] = "1.2.3"
        return about

    edit(saved, age, "about.json")
    monkeypatch.setattr(skops.io, "load", types.SimpleNamespace)  # takes no argument like ours
    refused(saved, "cannot rebuild: scikit-learn 1.2.3 (here ", "Install the versions")
