"""`python -m landslide_cli` is the `landslide` command."""

import sys

from landslide_cli.app import main

if __name__ == "__main__":
    sys.exit(main())
