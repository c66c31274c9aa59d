/* fuzz_redis.c: replies of Redis, or of something else that listens there. In pieces they are the same as at once. */
#include "tests/fuzz/fuzz.h"

#include "redis/parse.h"

#define REPLIES_MAX 64

/* Take replies until more bytes are needed or they are none. What they are, as a number. */
static uint64_t take_all(struct parse *p, struct reply *into, int *state)
{
    struct err err = ERR_INIT;
    uint64_t sum = 0;

    for (int i = 0; i < REPLIES_MAX; i++) {
        *state = parse_next(p, into, &err);
        if (*state != 1)
            break;
        sum = sum * 31 + (uint64_t)into->type + into->text.len + into->count + (uint64_t)into->integer;
        PROMISE(into->type != REPLY_STRING || into->text.s[into->text.len] == '\0');
    }
    PROMISE(*state >= 0 || err.text[0]);
    return sum;
}

FUZZ(input)
{
    struct parse *whole = parse_new(), *pieces = parse_new(), *dropped = parse_new();
    int one, other = 0;
    uint64_t sum, parts = 0;
    struct reply *into = parse_room(whole, 1);

    parse_feed(whole, input.s, input.len);
    sum = take_all(whole, into, &one);
    into = parse_room(pieces, 1);
    if (one == 0 && input.len < 512) {
        struct err err = ERR_INIT;
        int taken = 0;

        for (size_t i = 0; i < input.len && other == 0; i++) {
            parse_feed(pieces, input.s + i, 1);
            while (taken < REPLIES_MAX && (other = parse_next(pieces, into, &err)) == 1) {
                parts = parts * 31 + (uint64_t)into->type + into->text.len + into->count + (uint64_t)into->integer;
                taken++;
            }
        }
        PROMISE(taken == REPLIES_MAX || (other == 0 && parts == sum));
    }
    parse_feed(dropped, input.s, input.len);
    for (int i = 0; i < REPLIES_MAX && parse_next(dropped, NULL, NULL) == 1; i++)
        PROMISE(parse_dropped(dropped)->type <= REPLY_ARRAY);
    parse_restart(whole);
    parse_free(whole);
    parse_free(pieces);
    parse_free(dropped);
}
