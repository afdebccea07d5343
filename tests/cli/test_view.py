"""The command `view`: what hinders it is one message; originals are those that the table of images names."""

import socket
from types import SimpleNamespace

import pytest

from pipeline.cli import main, view
from pipeline.config import StageConfig
from pipeline.view.catalogue import open_datasets
from tests.view.scene import IMAGE, RECORD, make_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return make_scene(tmp_path_factory.mktemp("view"))


def test_a_folder_without_results_and_a_taken_port_are_explained(scene, tmp_path, capsys):
    assert main(["view", str(tmp_path)]) == 1
    assert "There are no results to view." in capsys.readouterr().err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["view", str(scene.results), "--port", str(taken.getsockname()[1])]) == 1
    said = capsys.readouterr()
    assert main(["view", str(scene.results), "--port", "80000"]) == 1
    assert "0 to 65535" in capsys.readouterr().err
    assert "eyes: without originals. Unknown data set. Give --configfile." in said.err
    assert "Leave --port out" in said.err
    assert not said.out, "no address of a server that is not there"


def test_a_configuration_that_is_given_must_fit(scene, capsys):
    assert main(["view", str(scene.results), "--config", "seed=x"]) == 1
    assert "seed" in capsys.readouterr().err


def test_originals_are_found_through_the_configuration(scene, monkeypatch):
    (dataset,) = open_datasets(scene.results)
    run = SimpleNamespace(record=RECORD, config=StageConfig())
    monkeypatch.setattr(view, "images_of_run", lambda _: (scene.entry,))
    found = view.with_originals(dataset, run)
    assert set(found.originals.entries) == {IMAGE}
    assert found.known == RECORD
    assert view.with_originals(dataset, None) is dataset
