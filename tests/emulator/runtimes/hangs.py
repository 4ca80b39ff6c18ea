"""Takes an event and never answers; ignores SIGTERM."""

import os
import signal
import time

from client import Client, say

signal.signal(signal.SIGTERM, signal.SIG_IGN)
Client().next()
say("pid", os.getpid())
time.sleep(600)
