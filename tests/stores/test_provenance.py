"""A digest changes with meaning, not with looks."""

import json

import pytest

from pipeline.stores import provenance
from pipeline.stores.provenance import Provenance, code_digest, file_digest, function_digest, function_imports, versions

MESSAGES = """
def g(x):
    from pipeline.folder.low import x
    import pipeline.runtime.low
    if not x:
        raise ValueError({error!r}, where=f"{{x}} of {error}")
    log.warning({log!r}, x)
    return x
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    (tmp_path / "top.py").write_text("import pipeline.middle\n\ndef f():\n    return 1\n")
    (tmp_path / "middle.py").write_text("def g():\n    from pipeline.folder.low import x\n    return x\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__init__.py").write_text("")
    (tmp_path / "folder" / "low.py").write_text("x = 1\n")
    (tmp_path / "other.py").write_text("y = 1\n")
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime" / "low.py").write_text("x = 1\n")

    def digest():
        provenance._meaning.cache_clear()
        code_digest.cache_clear()
        return code_digest("pipeline.top")

    return tmp_path, digest


@pytest.mark.parametrize(
    ("file", "text", "changes"),
    [
        ("folder/low.py", "x = 2\n", True),
        ("folder/low.py", "# why\nx  =  1\n", False),
        ("folder/low.py", '"""A docstring."""\nx = 1\n', False),
        ("middle.py", "def g():\n    from pipeline.folder.low import x\n    return -x\n", True),
        ("folder/low.py", 'x = 1\n"""What it is."""\n', False),
        ("folder/low.py", 'x = "What it is."\n', True),
        ("top.py", 'import pipeline.middle\ndef f():\n    """Say."""\n    return 1\n', False),
        ("top.py", "import pipeline.middle\n__all__ = ['f']\ndef f() -> int:\n    return 1\n", False),
        ("middle.py", "def g(*, x=1):\n    from pipeline.folder.low import x\n    return x\n", True),
        ("middle.py", "class G:\n    x: int\ndef g():\n    from pipeline.folder.low import x\n    return x\n", True),
        ("other.py", "y = 2\n", False),
        ("runtime/low.py", "x = 2\n", False),
        ("middle.py", MESSAGES.format(error="ten are needed", log="eleven"), True),
    ],
)
def test_the_digest_changes_with_what_is_imported_and_only_with_its_meaning(package, file, text, changes):
    folder, digest = package
    before = digest()
    (folder / file).write_text(text)
    assert (digest() != before) == changes


def test_texts_of_errors_and_logs_change_no_digest_and_what_surrounds_a_computation_is_in_none(package):
    folder, digest = package
    (folder / "middle.py").write_text(MESSAGES.format(error="ten are needed", log="ten"))
    before = digest()
    (folder / "middle.py").write_text(MESSAGES.format(error="ten pixels are needed", log="eleven"))
    (folder / "runtime" / "low.py").write_text("x = 2\n")
    assert digest() == before
    text = MESSAGES.format(error="ten are needed", log="ten")
    (folder / "middle.py").write_text(text.replace("if not x", "if x"))
    assert digest() != before


SCRIPT = """
from pipeline.runtime.job import job_context
def a():
    '''Docstring.'''
    from pipeline.stores import x
    return b()
def b():
    import pipeline.seeds
    return 1
def c():
    return 2
"""


def test_a_script_tells_the_modules_of_each_function_and_of_those_that_it_names(tmp_path):
    script = tmp_path / "s.py"
    script.write_text(SCRIPT)
    assert function_imports(script, "a") == ("pipeline.runtime.job", "pipeline.seeds", "pipeline.stores")
    assert function_imports(script, "b") == ("pipeline.runtime.job", "pipeline.seeds")
    assert function_imports(script, "c") == ("pipeline.runtime.job",)


@pytest.mark.parametrize(
    ("before", "now", "differ"),
    [
        ("return 1", "return 3", {"a", "b"}),
        ("return 2", "return 3", {"c"}),
        ("return b()", "return 1 + b()", {"a"}),
        ("Docstring", "Other words", set()),
        ("return 1", "return 1  # one", set()),
    ],
)
def test_a_changed_function_of_a_script_changes_the_digests_of_what_names_it(tmp_path, before, now, differ):
    scripts = [tmp_path / "before.py", tmp_path / "now.py"]
    for script, text in zip(scripts, (SCRIPT, SCRIPT.replace(before, now)), strict=True):
        script.write_text(text)
    found = [{name: function_digest(script, name) for name in "abc"} for script in scripts]
    assert {name for name in "abc" if found[0][name] != found[1][name]} == differ


def test_a_record_is_plain_and_its_digest_follows_its_content():
    record = Provenance("raw", {"b": (1, 2)}, "code", {"z": "1", "a": "2"}, seed=3)
    attributes = record.as_attributes()
    assert json.loads(json.dumps(attributes)) == attributes
    assert list(attributes["inputs"]) == ["a", "z"]
    assert record.digest != Provenance("raw", {"b": (1, 3)}, "code", {"z": "1", "a": "2"}, seed=3).digest
    assert record.digest == Provenance("raw", {"b": [1, 2]}, "code", {"a": "2", "z": "1"}, seed=3).digest


def test_a_file_digest_is_that_of_its_bytes(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert file_digest(tmp_path / "f").startswith("ba7816bf")


def test_versions_name_what_is_absent():
    assert versions(("numpy", "no-such-thing"))["no-such-thing"] == "absent"
