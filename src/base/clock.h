/* clock.h: time. The one seam for it: tests set the offset, nothing else reads a clock. */
#ifndef PEYGIR_CLOCK_H
#define PEYGIR_CLOCK_H

#include "base/str.h"

#include <stdint.h>

int64_t clock_ms(void);      /* milliseconds since 1970, UTC, as this host believes: it may be wrong and may jump */
int64_t clock_mono_ms(void); /* milliseconds of a clock that never goes back and also counts while the host sleeps */
/* Another host's clock said `their_ms` at some moment of the last `took_ms`: so much it is ahead of clock_mono_ms(), whatever becomes of
 * clock_ms(). Where this host's own clock may be as right, it is taken for the same, so that all programs of a host agree; else the
 * moment is taken for the middle (RFC 5905, section 8). */
int64_t clock_ahead_ms(int64_t their_ms, int64_t took_ms);
void clock_test_offset(int64_t ms); /* tests only: added to both, and time has passed elsewhere as well */
void clock_test_wrong(int64_t ms);  /* tests only: added to clock_ms() alone, as on a host whose clock is wrong */

#define CLOCK_RFC3339_SIZE sizeof("2026-01-02T03:04:05.678Z")
/* "2026-01-02T03:04:05.678Z" (RFC 3339, UTC, milliseconds) */
void clock_rfc3339(int64_t ms, char out[CLOCK_RFC3339_SIZE]);
/* Milliseconds since 1970 of an RFC 3339 time (any offset, fraction optional); -1 when it is none. */
int64_t clock_parse_rfc3339(struct span text);

#endif
