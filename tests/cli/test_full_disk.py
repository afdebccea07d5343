"""A full disk is said with the folder that a command writes to, not the one that it was called in."""

import argparse
import errno

import pytest

from pipeline import cli


@pytest.mark.parametrize("option", ["out", "to"])
def test_a_full_disk_is_said_with_the_folder_that_was_given(tmp_path, monkeypatch, capsys, option):
    folder = tmp_path / "disk" / "predictions"

    def run(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    parsed = argparse.Namespace(run=run, **{option: folder})
    monkeypatch.setattr(cli, "_parser", lambda: argparse.Namespace(parse_known_args=lambda _: (parsed, [])))
    assert cli.main([]) == 1
    assert f"where:    {folder}\n" in capsys.readouterr().err
