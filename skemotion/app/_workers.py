"""Processes that answer: what one recording does to its process hurts no other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import TimeoutError as LateError
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from joblib.externals.loky.process_executor import ProcessPoolExecutor

from ..io import MediaError, without_workers

_model: Any = None  # of a worker


class Workers:
    """Processes with a copy of a model each, which do one task at a time.

    A process that crashes, or takes too long, is replaced; the tasks of the others go on.

    Parameters
    ----------
    model : estimator
        Fitted.
    n_workers : int
        How many.
    prepare : callable
        Called with the model in each process, before the first task. What it raises is raised
        here.
    """

    def __init__(self, model: Any, n_workers: int, prepare: Callable[[Any], None]) -> None:
        self._model, self._prepare = model, prepare
        self._all = {self._start() for _ in range(n_workers)}
        self._free: SimpleQueue[ProcessPoolExecutor] = SimpleQueue()
        try:
            ready = [(one, one.submit(_run, prepare, (), {})) for one in self._all]
            for executor, future in ready:
                future.result()
                self._free.put(executor)
        except BaseException:
            self.close()
            raise

    def run(self, task: Callable[..., Any], *args: Any, timeout: float, **settings: Any) -> Any:
        """Call a function with the model and further arguments, in the next free process.

        Parameters
        ----------
        task : callable
            At the top level of a module.
        *args : Any
            After the model.
        timeout : float
            Seconds, after which the process is ended.
        **settings : Any
            By name.

        Returns
        -------
        result : Any

        Raises
        ------
        MediaError
            If the process crashes or takes too long; and whatever the function raises.
        """
        executor = self._free.get()
        try:
            return executor.submit(_run, task, args, settings).result(timeout)
        except (BrokenProcessPool, LateError) as error:
            executor = self._replaced(executor)
            what = "takes too long" if isinstance(error, LateError) else "crashes the decoder"
            raise MediaError(f"This recording {what}. Make or download it again.") from error
        finally:
            self._free.put(executor)

    def close(self) -> None:
        """End all processes, in the middle of their tasks too."""
        idle = set()
        with suppress(Empty):
            while True:
                idle.add(self._free.get_nowait())
        for executor in idle:
            self._free.put(executor)  # who still waits for one is refused by it
        # Those with nothing to do clear up what they have of the system's.
        for executor in self._all:
            executor.shutdown(wait=True, kill_workers=executor not in idle)

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(max_workers=1, initializer=_take, initargs=(self._model,))

    def _replaced(self, executor: ProcessPoolExecutor) -> ProcessPoolExecutor:
        executor.shutdown(wait=True, kill_workers=True)
        another = self._start()
        self._all ^= {executor, another}
        another.submit(_run, self._prepare, (), {})
        return another


def _take(model: Any) -> None:
    global _model
    _model = model


def _run(task: Callable[..., Any], args: tuple[Any, ...], settings: dict[str, Any]) -> Any:
    with without_workers():  # this is one
        return task(_model, *args, **settings)
