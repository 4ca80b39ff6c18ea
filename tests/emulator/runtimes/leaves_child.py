"""Forks a child that keeps stdout open, and ends. The event says whether the child flees into its own session."""

import os
import time

from client import Client, say

event = Client().next()
child = os.fork()
if child == 0:
    if event.body == b'"flee"':
        os.setsid()
    time.sleep(600)
say("child", child)
time.sleep(0.1)
os._exit(0)
