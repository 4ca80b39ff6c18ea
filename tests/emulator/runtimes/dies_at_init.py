"""Ends before it polls."""

import sys

from client import say

say("about to die")
sys.exit(5)
