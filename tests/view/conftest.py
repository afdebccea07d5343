"""Results to view, made once."""

import pytest

from tests.view.scene import Scene, make_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Results to look at only."""
    return make_scene(tmp_path_factory.mktemp("view"))
