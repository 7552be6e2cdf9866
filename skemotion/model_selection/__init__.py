"""Model selection: splits by speaker, evaluation, comparison and leakage."""

from ._audit import audit_split
from ._calibration import calibration_bins, expected_calibration_error
from ._compare import Comparison, compare, paired_difference
from ._evaluate import evaluate
from ._evaluation import Evaluation
from ._leaks import Leak, LeakageWarning, SplitAudit
from ._protocols import PROTOCOLS
from ._published_folds import PublishedFolds
from ._split import WithinGroupShuffleSplit
from ._timeline import predict_timeline

__all__ = [
    "PROTOCOLS",
    "Comparison",
    "Evaluation",
    "Leak",
    "LeakageWarning",
    "PublishedFolds",
    "SplitAudit",
    "WithinGroupShuffleSplit",
    "audit_split",
    "calibration_bins",
    "compare",
    "evaluate",
    "expected_calibration_error",
    "paired_difference",
    "predict_timeline",
]
