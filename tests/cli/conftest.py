"""Shipped configuration read once for all tests of the commands, which read it hundreds of times."""

import copy
import functools

import pytest

from pipeline.cli import check
from pipeline.config.yaml_file import load_yaml

SHIPPED = check.PROJECT / "stages" / "config.yaml"


@functools.cache
def _shipped():
    return load_yaml(SHIPPED)


@pytest.fixture(autouse=True)
def shipped_configuration_read_once(monkeypatch):
    monkeypatch.setattr(
        check, "load_yaml", lambda path: copy.deepcopy(_shipped()) if path == SHIPPED else load_yaml(path)
    )
