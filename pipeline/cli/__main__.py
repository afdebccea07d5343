"""``python -m pipeline.cli`` is the command ``lesionmap``."""

import sys

from pipeline.cli import main

sys.exit(main())
