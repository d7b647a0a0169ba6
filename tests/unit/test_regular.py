"""Open files that are files, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shipfiles.regular import open_regular


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="descriptors are counted in /proc")
def test_a_folder_is_refused_by_its_name_and_stays_closed(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(IsADirectoryError) as caught:
            open_regular(str(tmp_path))
        assert caught.value.filename == str(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before
