/* skip.h - skipping a test, with the reason, so that readers of TAP see neither a pass nor a
 * failure. */
#pragma once

/* Ends the running test as skipped. Does not return. */
void skip_because(const char *why);
