import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.filterwarnings("ignore:The number of classes in training:UserWarning")
def test_grid_search_over_cell_sizes_and_ranks(shared_data, tmp_path, capsys):
    main = runpy.run_path(str(EXAMPLES / "grid_search.py"))["main"]
    words = [str(shared_data / "java-sed"), "--naming", "java-sed", "--clips", "16", "--folds", "2"]
    search = main([*words, "--cache", str(tmp_path)])
    assert len(search.cv_results_["params"]) == 4
    assert not any(map(str.isalpha, str(search.cv_results_["mean_test_score"].tolist())))  # no nan
    printed = capsys.readouterr().out
    # 16 clips: frames, two descriptors, and four stages of sound.
    assert "ClipCache: 112 entries" in printed
