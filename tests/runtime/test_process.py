from __future__ import annotations

import subprocess
import sys
import textwrap

ASK = """
    import ctypes, resource
    from bybitd.runtime.process import keep_secrets

    keep_secrets()
    libc = ctypes.CDLL(None)
    PR_GET_DUMPABLE = 3
    print(libc.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))
"""


def test_a_process_that_keeps_secrets_is_dumped_by_nobody() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(ASK)], capture_output=True, text=True, timeout=30
    )
    assert done.stdout.split() == ["0", "0", "0"]
