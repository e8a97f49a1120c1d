"""What every test has: a lock of its own on the cores; and the FAKE sweep."""

from support.fake_sweep import fake as fake
from support.own_lock import lock_folder as lock_folder
