"""An ordered map keeps the order, and OpenMP is asked to let waiting threads sleep, early enough, and not against the user's will."""

import os
import subprocess
import sys

import pytest

from pipeline.runtime.threads import SPINS, each

ASK = """
import os, sys, types
{before}
from pipeline.runtime.threads import let_waiting_threads_sleep
let_waiting_threads_sleep()
print(os.environ.get("OMP_WAIT_POLICY"), os.environ.get("GOMP_SPINCOUNT"), "torch" in sys.modules)
"""


def policy(*, before: str = "", **environment: str) -> str:
    clean = {key: value for key, value in os.environ.items() if key not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}  # noqa: TID251
    command = [sys.executable, "-c", ASK.format(before=before)]
    return subprocess.check_output(command, text=True, env={**clean, **environment}).strip()


def test_the_policy_is_set_before_torch_is_there() -> None:
    assert policy() == f"PASSIVE {SPINS} False"


def test_the_choice_of_the_user_is_kept() -> None:
    assert policy(OMP_WAIT_POLICY="ACTIVE") == "ACTIVE None False"
    assert policy(GOMP_SPINCOUNT="7") == "PASSIVE 7 False"


def test_once_torch_is_there_nothing_is_pretended() -> None:
    assert policy(before="sys.modules['torch'] = types.ModuleType('torch')") == "None None True"


def test_torch_is_not_imported_before_it_is_asked() -> None:
    modules = "pipeline.runtime.job, pipeline.cli, pipeline.probability.cluster"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


@pytest.mark.parametrize("workers", [1, 3])
def test_answers_come_in_the_order_of_the_items(workers: int) -> None:
    assert each(lambda item: item * item, range(50), workers=workers) == [item * item for item in range(50)]
