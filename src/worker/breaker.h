/* breaker.h: circuit breakers (Nygard, Release It!): a bot that fails again and again is left alone for a while, and jobs that want it wait
 * instead of being tried in vain. One for each address that is called, and for each source of external data, client and mail server; knows no loop and no Redis.
 *
 *   CLOSED --- half of at least BREAKER_CALLS within BREAKER_WINDOW_S failed ---> OPEN
 *   OPEN ----- its time is over: the next call is a probe ----------------------> PROBING
 *   PROBING -- it was answered ------------------------------------------------> CLOSED
 *   PROBING -- it failed: twice as long as before, at most BREAKER_LONGEST_S ---> OPEN
 *   PROBING -- it was called off: the next one is the probe ---------------------> OPEN */
#ifndef PEYGIR_BREAKER_H
#define PEYGIR_BREAKER_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { BREAKER_CALLS = 20, BREAKER_WINDOW_S = 30, BREAKER_SHORTEST_S = 5, BREAKER_LONGEST_S = 60 };

struct breakers;
struct breakers *breakers_new(void);
void breakers_free(struct breakers *b); /* NULL is harmless */

/* May it be called now (monotonic time)? 0: yes, and breakers_tell must follow; else ms after which to ask again. `address` is a path
 * that is called, "source:NAME", "webhook:https://HOST" or "mail"; those that nobody has called for a window are forgotten. */
int64_t breakers_ask(struct breakers *b, const char *address, int64_t now_ms);
enum breaker_word { BREAKER_GOOD, BREAKER_BAD, BREAKER_OFF /* it says nothing about the bot */ };
void breakers_tell(struct breakers *b, const char *address, enum breaker_word word, int64_t now_ms);
/* Append the addresses that are not CLOSED, with blanks between them. */
void breakers_add_open(const struct breakers *b, struct str *out);

#endif
