/* breaker.c: circuit breakers */
#include "worker/breaker.h"

#include "base/log.h"

enum { S = 1000, ASK_AGAIN_MS = 250 };

enum state { CLOSED, OPEN, PROBING };

struct breaker {
    struct breaker *next;
    enum state state;
    int64_t until_ms;   /* OPEN */
    int64_t rest_s;     /* how long it was OPEN last */
    int64_t second;     /* of the newest of the counts */
    int calls[BREAKER_WINDOW_S], bad[BREAKER_WINDOW_S]; /* by second */
    char address[];
};

struct breakers {
    struct breaker *first;
};

struct breakers *breakers_new(void)
{
    return xcalloc(1, sizeof(struct breakers));
}

void breakers_free(struct breakers *b)
{
    while (b && b->first) {
        struct breaker *one = b->first;
        b->first = one->next;
        free(one);
    }
    free(b);
}

/* --- counting --- */

/* Seconds that have passed without a call count nothing. */
static void turn(struct breaker *one, int64_t now_ms)
{
    int64_t second = now_ms / S, from = one->second + 1;
    if (second - from >= BREAKER_WINDOW_S)
        from = second - BREAKER_WINDOW_S + 1;
    for (int64_t at = from; at <= second; at++)
        one->calls[at % BREAKER_WINDOW_S] = one->bad[at % BREAKER_WINDOW_S] = 0;
    if (second > one->second)
        one->second = second;
}

static int sum(const int counts[BREAKER_WINDOW_S])
{
    int all = 0;
    for (int i = 0; i < BREAKER_WINDOW_S; i++)
        all += counts[i];
    return all;
}

static void forget_counts(struct breaker *one)
{
    memset(one->calls, 0, sizeof one->calls);
    memset(one->bad, 0, sizeof one->bad);
}

/* --- addresses --- */

static bool is_of_no_use(const struct breaker *one)
{
    return one->state == CLOSED && sum(one->calls) == 0;
}

/* The list is short: as many as there are services and job types. */
static struct breaker *find(struct breakers *b, const char *address, int64_t now_ms)
{
    struct breaker **at = &b->first;
    while (*at && strcmp((*at)->address, address) != 0) {
        struct breaker *one = *at;
        turn(one, now_ms);
        if (is_of_no_use(one)) {
            *at = one->next;
            free(one);
        } else {
            at = &one->next;
        }
    }
    if (*at)
        turn(*at, now_ms);
    return *at;
}

static struct breaker *find_or_add(struct breakers *b, const char *address, int64_t now_ms)
{
    struct breaker *one = find(b, address, now_ms);
    size_t size = strlen(address) + 1;
    if (one)
        return one;
    one = xcalloc(1, sizeof *one + size);
    memcpy(one->address, address, size);
    one->second = now_ms / S;
    one->next = b->first;
    b->first = one;
    return one;
}

/* --- asking and telling --- */

int64_t breakers_ask(struct breakers *b, const char *address, int64_t now_ms)
{
    struct breaker *one = find(b, address, now_ms);
    if (!one || one->state == CLOSED)
        return 0;
    if (one->state == PROBING)
        return ASK_AGAIN_MS;
    if (now_ms < one->until_ms)
        return one->until_ms - now_ms;
    one->state = PROBING;
    return 0;
}

static void open_for(struct breaker *one, int64_t rest_s, int64_t now_ms)
{
    one->rest_s = rest_s < BREAKER_LONGEST_S ? rest_s : BREAKER_LONGEST_S;
    one->until_ms = now_ms + one->rest_s * S;
    one->state = OPEN;
    log_event(LOG_WARN, LOG_FIELDS("called", one->address), "what is called fails again and again: it is left alone for %d s, and jobs wait", (int)one->rest_s);
}

static void count(struct breaker *one, bool bad, int64_t now_ms)
{
    int64_t at = now_ms / S % BREAKER_WINDOW_S;
    one->calls[at]++;
    one->bad[at] += bad;
    int calls = sum(one->calls);
    if (calls >= BREAKER_CALLS && 2 * sum(one->bad) >= calls)
        open_for(one, BREAKER_SHORTEST_S, now_ms);
}

static void judge_probe(struct breaker *one, enum breaker_word word, int64_t now_ms)
{
    if (word == BREAKER_OFF) {
        one->state = OPEN;
        one->until_ms = now_ms;
    } else if (word == BREAKER_BAD) {
        open_for(one, 2 * one->rest_s, now_ms);
    } else {
        one->state = CLOSED;
        forget_counts(one);
        log_event(LOG_INFO, LOG_FIELDS("called", one->address), "what is called answers again");
    }
}

/* What was called before it opened, and ends while it is, says nothing new. */
void breakers_tell(struct breakers *b, const char *address, enum breaker_word word, int64_t now_ms)
{
    struct breaker *one = word == BREAKER_OFF ? find(b, address, now_ms) : find_or_add(b, address, now_ms);
    if (!one)
        return;
    if (one->state == PROBING)
        judge_probe(one, word, now_ms);
    else if (one->state == CLOSED && word != BREAKER_OFF)
        count(one, word == BREAKER_BAD, now_ms);
}

void breakers_add_open(const struct breakers *b, struct str *out)
{
    str_reset(out);
    for (const struct breaker *one = b->first; one; one = one->next)
        if (one->state != CLOSED)
            str_addf(out, "%s%s", out->len ? " " : "", one->address);
}
