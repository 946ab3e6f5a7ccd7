/* spelling.h - one request target in all its spellings (RFC 3986 6.2.2, RFC 9112 3.2), and one
 * media type: a retry that is spelled in another way is one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Where the path of a target begins, behind a scheme and an authority if it has them; *len: of what
 * is there, the query, too, on entry of the target. */
const char *spelling_origin(const char *target, size_t *len);

/* A hash of a target, the same for all that are equivalent: with scheme and authority or without,
 * octets that need no percent-encoding encoded or not. Never 0. */
uint64_t spelling_target(const char *target, size_t len);

/* The same of its path alone, in which empty segments, also a last one, and "." count for nothing:
 * many servers take these for the same. */
uint64_t spelling_path(const char *target, size_t len);

/* A path that begins with "/" as text, as spelling_path() takes it, but with a last "/". out: room
 * for len + 3 octets. */
void spelling_plain(const char *path, size_t len, char *out);

/* A hash of the media type of a Content-Type field, without its parameters (RFC 9110 8.3.1): each
 * attempt of one multipart/form-data may have a boundary of its own. Never 0. */
uint64_t spelling_media_type(const char *value, size_t len);
