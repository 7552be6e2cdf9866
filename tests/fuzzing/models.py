"""Damaged and forged models: each must be refused by name, or be harmless."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from skemotion import load_model, read_model_info, save_model
from skemotion.classification import BalancedLDA, FrameVotingClassifier
from skemotion.decomposition import BSplineProjector, MiniRocket, MultiRocket, PartialTucker
from skemotion.pipeline import ClipPipeline
from skemotion.video import HOG3D

from .damage import RAW, Mutant, choice, damaged

FORGED = ("parts", "arrays", "members")
DAMAGES = (*RAW, *FORGED)
_N_CLIPS = 12
# What a forged file may name: what runs code, what compiled code relies on, what is trusted.
_NAMES = (
    "os.system", "os.makedirs", "builtins.eval", "builtins.exec", "subprocess.Popen",
    "sklearn.datasets._base.clear_data_home", "skemotion.datasets.make_ravdess", "numpy.void",
    "numpy.load", "numpy.ndarray", "numpy.memmap", "numpy.random.mtrand.RandomState",
    "scipy.sparse._csr.csr_matrix", "sklearn.svm._classes.SVC", "sklearn.tree._tree.Tree",
    "sklearn.neighbors._kd_tree.KDTree", "sklearn.pipeline.Pipeline", "skemotion.video.HOG3D",
    "skemotion.decomposition.RocketKernels", "builtins.list", "builtins.dict", "builtins.str",
)  # fmt: skip
_LOADERS = (
    "ObjectNode", "ListNode", "DictNode", "SetNode", "TupleNode", "FunctionNode", "TypeNode",
    "NdArrayNode", "SparseMatrixNode", "TreeNode", "MethodNode", "OperatorFuncNode", "PartialNode",
    "ConstructorFromReduceNode", "RandomStateNode", "RandomGeneratorNode", "JsonNode", "BytesNode",
    "DTypeNode", "LossNode", "CachedNode", "MaskedArrayNode", "DefaultDictNode", "SliceNode",
)  # fmt: skip
# What Python, NumPy and scikit-learn ask objects for.
_ASKED_FOR = ("__array_interface__", "__array__", "__deepcopy__", "__class__", "__len__",
              "__call__", "__sklearn_tags__", "__sklearn_clone__", "cv_results_")  # fmt: skip
_VALUES = ("null", "true", "-1", "0", "1e308", "NaN", "[]", "{}", '"/dev/zero"', '"x"', "9" * 30,
           "2000000000", "[[]]", '"auto"')  # fmt: skip


def _numbers() -> Any:
    return np.random.default_rng(0).normal(size=(_N_CLIPS, 8))


def _curves() -> Any:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(20 + row, 2)) for row in range(_N_CLIPS)]


def _videos() -> Any:
    return np.random.default_rng(0).integers(0, 256, (_N_CLIPS, 6, 24, 30), dtype=np.uint8)


def _frames() -> Any:
    return np.random.default_rng(0).normal(size=(_N_CLIPS, 3, 8))


def _models() -> dict[str, tuple[Any, Any]]:
    """Give models by name, each with the clips that it takes."""
    hog = ClipPipeline([("hog3d", HOG3D(cell_size=(3, 8, 10)))], flatten=True)
    cube = ClipPipeline([("hog3d", HOG3D(cell_size=(3, 8, 10)))])
    vote = VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft")
    flat = FunctionTransformer(np.cbrt)
    return {
        "linear": (make_pipeline(StandardScaler(), PCA(3), LogisticRegression()), _numbers),
        "mlp": (make_pipeline(SimpleImputer(), flat, MLPClassifier((4,), max_iter=3)), _numbers),
        "vote": (vote, _numbers),
        "rocket": (make_pipeline(MiniRocket(84, 20), RidgeClassifier()), _curves),
        "multi": (make_pipeline(MultiRocket(84, 20), BalancedLDA()), _curves),
        "hog3d": (make_pipeline(hog, BalancedLDA()), _videos),
        "tucker": (
            make_pipeline(cube, PartialTucker((1, 2, 2, 3, 1)), _flat(), GaussianNB()),
            _videos,
        ),
        "spline": (make_pipeline(BSplineProjector(), _flat(), LogisticRegression()), _frames),
        "frames": (FrameVotingClassifier(GaussianNB()), _frames),
        # These are refused as they are.
        "forest": (RandomForestClassifier(2), _numbers),
        "svc": (SVC(), _numbers),
        "neighbours": (KNeighborsClassifier(), _numbers),
        "sparse": (LogisticRegression(), _numbers),
    }


def _flat() -> Any:
    return ClipPipeline([("roots", FunctionTransformer(np.cbrt))], flatten=True)


def mutants(folder: Path, rng: np.random.Generator) -> Iterator[Mutant]:
    """Give damaged and forged models without end."""
    warnings.simplefilter("ignore")
    y = np.array(["calm", "happy", "sad"] * (_N_CLIPS // 3))
    seeds = {}
    for name, (model, clips) in _models().items():
        model.fit(clips(), y)
        if name == "sparse":
            model.sparsify()
        seeds[name] = save_model(model, folder / f"{name}.skops").read_bytes()
    while True:
        for name, content in seeds.items():
            damage = choice(rng, [*RAW, *FORGED, *FORGED])
            if damage in RAW:
                made = damaged(damage, content, seeds[choice(rng, seeds)], rng)
            else:
                made = _forged(damage, content, rng)
            yield Mutant("model", damage, f"{name}.skops", made, name)


def _forged(damage: str, content: bytes, rng: np.random.Generator) -> bytes:
    """Change what a model holds, in an archive that is whole."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    arrays = [name for name in members if name.endswith(".npy")]
    packing = zipfile.ZIP_STORED
    for _ in range(int(rng.integers(1, 4))):
        if damage == "parts":
            schema = json.loads(members["schema.json"])
            _forge_part(schema, arrays, rng)
            members["schema.json"] = json.dumps(schema).encode()
            # What no part refers to would give it away.
            used = {part.get("file") for part in _parts(schema)}
            members = {
                name: data for name, data in members.items() if name in used or ".npy" not in name
            }
        elif damage == "arrays" and arrays:
            name = choice(rng, arrays)
            members[name] = _forge_array(members[name], rng)
        else:
            packing = choice(rng, [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
            name = choice(rng, members)
            change = int(rng.integers(4))
            if change == 0:
                members.pop(name)
            elif change == 1:
                members[name] = members[choice(rng, members)] if members else b""
            elif change == 2:
                inner = io.BytesIO()
                np.savez_compressed(inner, indices=np.zeros(10 ** int(rng.integers(1, 7))))
                members[name] = inner.getvalue()
            else:
                members[choice(rng, ["../x", "/x", "a\0b", "schema.json/", "x" * 300])] = b"x"
        if not members:
            break
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", packing) as archive:
        warnings.simplefilter("ignore")
        for name, data in members.items():
            archive.writestr(name, data)
            if damage == "members" and rng.random() < 0.02:
                archive.writestr(name, b"again")
    return file.getvalue()


def _parts(node: Any) -> list[dict[str, Any]]:
    """List all parts of a model's description that have a class."""
    found, todo = [], [node]
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            if "__class__" in part:
                found.append(part)
            todo.extend(part.values())
        elif isinstance(part, list):
            todo.extend(part)
    return found


def _forge_part(schema: Any, arrays: list[str], rng: np.random.Generator) -> None:
    parts = _parts(schema)
    part, other = choice(rng, parts), choice(rng, parts)
    change = int(rng.integers(10))
    if change == 0:
        part["__module__"], _, part["__class__"] = choice(rng, _NAMES).rpartition(".")
    elif change == 1:
        part["__loader__"] = choice(rng, _LOADERS)
    elif change == 2:
        part["__loader__"] = choice(rng, _LOADERS)
        part["__module__"], _, part["__class__"] = choice(rng, _NAMES).rpartition(".")
    elif change == 3:
        part.pop(choice(rng, part))
    elif change == 4:
        copied = deepcopy(other)
        part.clear()
        part.update(copied)
    elif change == 5 and arrays:
        part.update(type="numpy", file=choice(rng, arrays), __loader__="NdArrayNode",
                    __class__="ndarray", __module__="numpy")  # fmt: skip
        part.pop("__id__", None)
    elif change == 6:
        values = [part for part in parts if part.get("__loader__") == "JsonNode"]
        if values:
            choice(rng, values)["content"] = choice(rng, _VALUES)
    elif change == 7:
        part["__id__"] = other.get("__id__", 1)
    elif change == 8:
        dicts = [part for part in parts if part.get("__loader__") == "DictNode"]
        if dicts:
            held = choice(rng, dicts)
            with suppress(AttributeError, KeyError, TypeError):  # forged before
                held["key_types"]["content"].append(
                    {"__class__": "str", "__module__": "builtins", "__loader__": "TypeNode"}
                )
                held["content"][choice(rng, _ASKED_FOR)] = deepcopy(other)
    else:
        inner = {"data": deepcopy(part), "mask": deepcopy(other)}
        part.clear()
        loader = choice(rng, ["MaskedArrayNode", "ConstructorFromReduceNode"])
        part.update(
            __class__="MaskedArray", __module__="numpy.ma", __loader__=loader, content=inner
        )


def _forge_array(content: bytes, rng: np.random.Generator) -> bytes:
    try:
        array = np.load(io.BytesIO(content))
    except Exception:  # forged before
        return content
    change = int(rng.integers(7))
    if change == 0 and array.size and array.dtype.kind in "iufb":
        value = choice(rng, [0, -1, 1, 2 * 10**9, np.inf, np.nan, 2**62])
        with np.errstate(all="ignore"):
            array = array.copy()
            some = rng.random(array.shape) < rng.random()
            array[some] = np.asarray(value).astype(array.dtype)
    elif change == 1:
        array = array.ravel()[: int(rng.integers(array.size + 1))]
    elif change == 2:
        array = np.concatenate([array] * int(rng.integers(2, 50))) if array.ndim else array[None]
    elif change == 3:
        kind = choice(rng, ["f4", ">f8", "i1", "i8", "c16", "U3", "S2", "?", "V4"])
        with suppress(TypeError, ValueError):  # not of every type
            array = array.astype(kind)
    elif change == 4:
        array = array[..., None] if rng.random() < 0.5 else array.T
    elif change == 5:
        array = np.zeros(choice(rng, [(), (0,), (0, 10**9), (1, 1, 1, 1), (10**6,)]))
    else:
        return damaged(choice(rng, RAW), content, content, rng)
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


_clips: dict[str, Any] = {}


def prepare() -> None:
    """Compile and import what the models need."""
    warnings.simplefilter("ignore")
    y = np.array(["calm", "happy", "sad"] * (_N_CLIPS // 3))
    for name, (model, clips) in _models().items():
        _clips[name] = clips()
        model.fit(_clips[name], y).predict(_clips[name])


def attempt(path: Path, name: str) -> str:
    """Read and load a mutant, predict with it, and say what came of it."""
    for read in (read_model_info, load_model):
        try:
            model = read(path)
        except ValueError as error:
            if not str(error).startswith(f"{path}: "):
                return f"nameless: {error}"
            if read is load_model:
                return "refused"
    try:
        model.predict(_clips[name])
    except Exception:  # as of any model that does not fit the clips; what counts is that it ends
        return "does not predict"
    return "used"
