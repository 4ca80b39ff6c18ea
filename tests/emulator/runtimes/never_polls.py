"""Starts and does nothing more."""

import time

from client import say

say("started")
time.sleep(600)
