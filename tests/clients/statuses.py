"""The exit statuses of `hangup prove`."""
PROVED, NOT_PROVED, USAGE, INCONCLUSIVE, FAILED, TIMED_OUT = 0, 1, 2, 3, 4, 124
