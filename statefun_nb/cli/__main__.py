"""``python -m statefun_nb.cli``: the same as ``statefun-nb``."""

import sys

from .main import main

sys.exit(main())
