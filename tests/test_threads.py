import threading

import numpy as np
import pytest
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import threadpool_info, threadpool_limits

from skemotion._threads import one_blas_thread
from skemotion.decomposition import PartialTucker
from skemotion.pipeline import ClipPipeline


def threads(X=None):
    found = {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}
    assert len(found) == 1
    return np.array([[float(found.pop())]])


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_one_inside_and_as_before_outside(n_jobs):
    with threadpool_limits(3, user_api="blas"):
        with one_blas_thread(), one_blas_thread():
            assert threads() == 1
        with pytest.raises(RuntimeError), one_blas_thread():
            raise RuntimeError
        assert threads() == 3
        count = ClipPipeline([("count", FunctionTransformer(threads))], n_jobs=n_jobs)
        assert (count.transform(np.ones((4, 1))) == 1).all()
        PartialTucker(1).fit_transform(np.ones((3, 4, 5)))
        assert threads() == 3


def test_overlapping_users_do_not_lift_each_other_s_limit():
    """The first to come is the first to leave; then the other is still inside."""
    entered, left, seen = threading.Event(), threading.Event(), []

    def first():
        with one_blas_thread():
            entered.set()
            assert second_is_in.wait(20)
        left.set()

    second_is_in = threading.Event()
    with threadpool_limits(3, user_api="blas"):
        other = threading.Thread(target=first)
        other.start()
        assert entered.wait(20)
        with one_blas_thread():
            second_is_in.set()
            assert left.wait(20)
            seen.append(threads().item())
        other.join()
        seen.append(threads().item())
    assert seen == [1, 3]
