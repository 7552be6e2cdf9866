"""Model selection: splits and figures that say which people a model was tested on."""

from ._evaluate import PROTOCOLS, evaluate
from ._evaluation import Evaluation
from ._split import WithinGroupShuffleSplit

__all__ = ["PROTOCOLS", "Evaluation", "WithinGroupShuffleSplit", "evaluate"]
