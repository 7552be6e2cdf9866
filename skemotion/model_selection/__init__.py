"""Model selection: splits and figures that say which people a model was tested on."""

from ._audit import audit_split
from ._evaluate import evaluate
from ._evaluation import Evaluation
from ._leaks import Leak, LeakageWarning, SplitAudit
from ._protocols import PROTOCOLS
from ._split import WithinGroupShuffleSplit

__all__ = [
    "PROTOCOLS",
    "Evaluation",
    "Leak",
    "LeakageWarning",
    "SplitAudit",
    "WithinGroupShuffleSplit",
    "audit_split",
    "evaluate",
]
