"""No process of a run asks for another host, unless the configuration names it."""

import subprocess
import sys

import pytest

ASKING = {
    "connect": "import socket; socket.socket().connect(('192.0.2.1', 80))",
    "a name": "import socket; socket.getaddrinfo('hub.example', 443)",
    "a datagram": "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 53))",
    "a hub": "from huggingface_hub import hf_hub_download; hf_hub_download('a/b', 'c')",
}


def ask(project, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=project.environment,
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_whole_run_asks_for_no_other_host(finished):
    assert not finished.connections.exists(), finished.connections.read_text()


@pytest.mark.parametrize("what", ASKING)
def test_the_guard_notes_and_refuses_other_hosts(finished, what):
    assert ask(finished, ASKING[what]).returncode != 0
    assert finished.connections.read_text().count("\n") >= 1
    finished.connections.unlink()


def test_the_guard_lets_loopback_be(finished):
    code = "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())"
    done = ask(finished, code)
    assert (done.returncode, done.stderr) == (0, "")
    assert not finished.connections.exists()
