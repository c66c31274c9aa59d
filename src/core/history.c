/* history.c: what a request was, revision by revision */
#include "core/history.h"

#include "base/clock.h"

/* As document_add_entry() writes them. */
enum { ENTRY_REVISION, ENTRY_UPDATED, ENTRY_STATUS, ENTRY_STEP, ENTRY_PROGRESS, ENTRY_MESSAGE, ENTRY_OTP, ENTRY_ERROR, ENTRY_ITEMS };
enum { OTP_EXPIRES, OTP_LENGTH, OTP_ATTEMPTS, OTP_RESENDS, OTP_ITEMS };

void history_queue(struct app *app, struct span hash, int newest)
{
    struct key events = key_events(hash);
    char first[NUMBER_SIZE];
    redis_use_db(app->redis, app->main_db);
    redis_queue(app->redis, 4, (const struct span[]){ SPAN("LRANGE"), key_span(&events), span_number(first, -newest), SPAN("-1") });
}

static int64_t revision_of(const struct reply *entry)
{
    struct span revision;
    return raw_items(reply_text(entry), &revision, 1) > 0 ? raw_int(revision, 0) : 0;
}

/* The code as it stood then. `length` backs the member of the document. */
static void set_otp(struct request *then, struct span otp, char length[64])
{
    struct span item[OTP_ITEMS];
    then->doc.field[DOC_OTP] = (struct span){ NULL, 0 };
    if (raw_items(otp, item, OTP_ITEMS) < OTP_ITEMS)
        return;
    struct span until = item[OTP_EXPIRES];
    if (until.len > 2)
        then->guard.code_until_ms = clock_parse_rfc3339((struct span){ until.s + 1, until.len - 2 });
    then->guard.code_tries = raw_int(item[OTP_ATTEMPTS], 0);
    then->guard.resends = raw_int(item[OTP_RESENDS], 0);
    if (raw_int(item[OTP_LENGTH], 0) > 0) {
        int len = snprintf(length, 64, "{\"length\":%lld}", (long long)raw_int(item[OTP_LENGTH], 0));
        then->doc.field[DOC_OTP] = (struct span){ length, (size_t)len };
    }
}

/* False: the entry is none. */
static bool go_back(const struct request *rq, struct span entry, struct request *then, char length[64])
{
    static const struct {
        enum document_field field;
        int item;
    } rows[] = { { DOC_REVISION, ENTRY_REVISION }, { DOC_UPDATED, ENTRY_UPDATED },   { DOC_STATUS, ENTRY_STATUS }, { DOC_STEP, ENTRY_STEP },
                 { DOC_PROGRESS, ENTRY_PROGRESS }, { DOC_MESSAGE, ENTRY_MESSAGE }, { DOC_ERROR, ENTRY_ERROR } };
    struct span item[ENTRY_ITEMS];
    if (raw_items(entry, item, ENTRY_ITEMS) < ENTRY_ITEMS || item[ENTRY_STATUS].len < 2)
        return false;
    int status = request_status_parse((struct span){ item[ENTRY_STATUS].s + 1, item[ENTRY_STATUS].len - 2 });
    if (status < 0)
        return false;
    *then = *rq;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        then->doc.field[rows[i].field] = item[rows[i].item];
    then->status = (enum request_status)status;
    then->guard.revision = raw_int(item[ENTRY_REVISION], 0);
    then->ahead = -1;
    then->beyond = false;
    then->paused = (struct span){ NULL, 0 };
    set_otp(then, item[ENTRY_OTP], length);
    return true;
}

int history_since(const struct reply entries[HISTORY_REPLIES], const struct request *rq, int64_t after,
                  void (*fn)(void *ctx, const struct request *then), void *ctx)
{
    int64_t last = rq->guard.revision, first = 0;
    size_t at = 0;
    if (after == last)
        return 0;
    if (after > last)
        return -1;
    while (at < entries->count && (first = revision_of(&entries->item[at])) <= after)
        at++;
    if (after + 1 < last && (at == entries->count || first != after + 1))
        return -1;
    for (int64_t revision = after + 1; revision < last; revision++, at++) {
        struct request then;
        char length[64];
        if (at < entries->count && go_back(rq, reply_text(&entries->item[at]), &then, length))
            fn(ctx, &then);
    }
    fn(ctx, rq);
    return (int)(last - after);
}
