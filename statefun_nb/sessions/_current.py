"""The default session: one variable and its lock.

In a file of their own, which never changes: %autoreload empties a module that it reloads (IPython
8), and the session's thread and port would go on with nobody knowing.
"""

from __future__ import annotations

import threading
from typing import Any

lock = threading.RLock()
session: Any = None  # a Session, which this module must not import
