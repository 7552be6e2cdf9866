"""What a stage of one clip is, and the checks that all stages share."""

from ._checks import (
    FLOATS,
    check_cell,
    check_clips,
    check_input_names,
    missing_clips,
    remember_column,
)
from ._clip_function import ClipFunction
from ._clip_transformer import ClipTransformer
from ._columns import (
    clip_column,
    is_missing,
    is_sound,
    object_array,
    one_column,
)
from ._errors import UnsuitableModelError
from ._groups import group_params
from ._interrupts import ended_by_interrupts
from ._kinds import rows_from
from ._labels import check_labels
from ._output import TableOutputMixin
from ._parts import model_parts
from ._tables import as_table, as_table_for, column_names, speaker_codes, speaker_columns
from ._targets import check_target, check_writable
from ._versions import package_versions
from ._windows import ClipWindow, sliding_windows
from ._words import plural

__all__ = [
    "FLOATS",
    "ClipFunction",
    "ClipTransformer",
    "ClipWindow",
    "TableOutputMixin",
    "UnsuitableModelError",
    "as_table",
    "as_table_for",
    "check_cell",
    "check_clips",
    "check_input_names",
    "check_labels",
    "check_target",
    "check_writable",
    "clip_column",
    "column_names",
    "ended_by_interrupts",
    "group_params",
    "is_missing",
    "is_sound",
    "missing_clips",
    "model_parts",
    "object_array",
    "one_column",
    "package_versions",
    "plural",
    "remember_column",
    "rows_from",
    "sliding_windows",
    "speaker_codes",
    "speaker_columns",
]
