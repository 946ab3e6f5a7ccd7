/* capture.h - what is really on the wire: the TCP segments in a network namespace of the test's
 * own, where nothing runs but the test.
 *
 * Segments are read as words: "syn", "ack", "data", "fin", "data-fin", "rst", "rst-ack", of the
 * client in small letters, of the server in capitals ("SYN" is its SYN with ACK, "ACK" one without
 * data). What repeats octets sent before has "-again" behind it ("data-again", "SYN-AGAIN"). A test
 * says what must have gone over the wire with a regular expression over these words.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct segment {
    int64_t at; /* nanoseconds, for differences */
    bool from_server;
    bool again;    /* all its octets (and SYN, FIN) were sent before */
    uint8_t flags; /* TH_SYN ... */
    uint16_t client, window;
    uint32_t seq, ack; /* as sent */
    uint32_t len;
    uint8_t record;      /* the TLS content type that the data begins with ... */
    uint16_t record_len; /* ... and that record's length, its head of 5 octets included */
};

/* Moves this process, and those it starts, into a network namespace with nothing but a loopback
 * interface. Before the first thread and socket. NULL, or why it cannot be done here. */
const char *capture_enter(void);

/* Forgets what was captured, and captures what goes to and from this port from here on: the port of
 * the server. Of connections that begin from here on; older ones are left out. */
void capture_start(uint16_t server);

/* How many segments there have been so far. Segments have numbers from 0. */
size_t capture_count(void);
/* Fails the test if there is none of this number. Good until the next call. */
const struct segment *capture_segment(size_t number);
/* The number of the segment behind the one with which the server had sent so many octets of data.
 */
size_t capture_behind(uint64_t octets);

/* The segments from this number on, each as a word with a space behind it, match this extended
 * regular expression as a whole; otherwise the test fails and shows them. */
void check_segments(size_t from, const char *pattern);
