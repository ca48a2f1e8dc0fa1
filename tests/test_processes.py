"""Work in other processes, as scripts ask for it."""

import subprocess
import sys
from pathlib import Path


def test_a_script_without_a_guard_is_not_run_again_by_its_processes(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from landslide_cli.processes import in_processes\n"
        "from landslide_cli.reporting import SilentReporter\n"
        "print('begun')\n"
        "print(in_processes(abs, [-1, -2], 2, 'counting', SilentReporter()))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("begun\n[1, 2]\n", "")
