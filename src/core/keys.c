/* keys.c: every key and channel name of the contract (section 4). */
#include "core/keys.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/rnd.h"
#include "core/job.h"
#include "core/options.h"

#define DATE_LEN 10 /* "2026-01-02" */

bool keys_is_hash(struct span s)
{
    return s.len == HASH_LEN && memcmp(s.s, "req_", 4) == 0 && rnd_is_base32(s.s + 4, HASH_LEN - 4);
}

/* What does not fit is cut: only a name that no rule allows is that long, and a cut one exists nowhere. */
static void add(struct key *k, struct span part)
{
    size_t room = sizeof(k->s) - 1 - k->len;
    size_t len = part.len < room ? part.len : room;

    if (len > 0)
        memcpy(k->s + k->len, part.s, len);
    k->len += len;
    k->s[k->len] = '\0';
}

static struct key join(struct span a, struct span b, struct span c)
{
    struct key k;

    k.len = 0;
    add(&k, a);
    add(&k, b);
    add(&k, c);
    return k;
}

struct key key_document(struct span hash)
{
    return join(SPAN("local_request:"), hash, SPAN(""));
}

struct key key_guard(struct span hash)
{
    return join(SPAN("{local_request:"), hash, SPAN("}:guard"));
}

struct key key_events(struct span hash)
{
    return join(SPAN("{local_request:"), hash, SPAN("}:events"));
}

struct key key_mailbox(struct span hash)
{
    return join(SPAN("{local_request:"), hash, SPAN("}:otp"));
}

struct key key_updates(struct span hash)
{
    return join(SPAN("local_request_updates:"), hash, SPAN(""));
}

struct key key_owner(const struct house *h, struct span owner)
{
    return join(span_of(h->prefix), SPAN(":owner:"), owner);
}

struct key key_user_requests(const struct house *h, struct span user)
{
    return join(span_of(h->prefix), SPAN(":requests:user:"), user);
}

struct key key_watch(const struct house *h)
{
    return join(span_of(h->prefix), SPAN(":requests:watch"), SPAN(""));
}

struct key key_runs(const struct house *h, struct span slug)
{
    struct key k = join(span_of(h->prefix), SPAN(":stats:service:"), slug);

    add(&k, SPAN(":runs"));
    return k;
}

struct key key_queue(const struct house *h, struct span queue, const char *part)
{
    struct key k;

    if (span_is(queue, JOB_QUEUE_DEFAULT) && span_is(SPAN("queue"), part))
        return join(span_of(h->task_queue), SPAN(""), SPAN(""));
    k = join(span_of(h->prefix), SPAN(":"), queue);
    add(&k, SPAN(":"));
    add(&k, span_of(part));
    return k;
}

struct key key_job(const struct house *h, struct span queue, struct span id)
{
    struct key k;

    if (span_is(queue, JOB_QUEUE_DEFAULT))
        return join(span_of(h->task_data), SPAN(":"), id);
    k = join(span_of(h->prefix), SPAN(":"), queue);
    add(&k, SPAN(":data:"));
    add(&k, id);
    return k;
}

struct key key_stats(const struct house *h, const char *name)
{
    return join(span_of(h->prefix), SPAN(":stats:tasks:"), span_of(name));
}

struct key key_stats_daily(const struct house *h, int64_t ms)
{
    char now[CLOCK_RFC3339_SIZE];

    clock_rfc3339(ms, now);
    return join(span_of(h->prefix), SPAN(":stats:daily:"), (struct span){ now, DATE_LEN });
}

struct key key_worker(const struct house *h, struct span id)
{
    return join(span_of(h->prefix), SPAN(":worker:"), id);
}

struct key key_workers(const struct house *h)
{
    return join(span_of(h->prefix), SPAN(":workers"), SPAN(""));
}

struct key key_worker_orders(const struct house *h, struct span id)
{
    struct key k = key_worker(h, id);

    add(&k, SPAN(":orders"));
    return k;
}

struct key key_restart(const struct house *h)
{
    return join(span_of(h->prefix), SPAN(":workers:restart"), SPAN(""));
}

struct key key_schedule(const struct house *h)
{
    return join(span_of(h->prefix), SPAN(":schedule"), SPAN(""));
}

struct key key_closed(const struct house *h)
{
    return join(span_of(h->prefix), SPAN(":services:closed"), SPAN(""));
}

struct key key_token(const struct house *h, struct span digest)
{
    return join(span_of(h->prefix), SPAN(":token:"), digest);
}

struct key key_tokens(const struct house *h)
{
    return join(span_of(h->prefix), SPAN(":tokens"), SPAN(""));
}

struct key key_users(const struct house *h)
{
    return join(span_of(h->prefix), SPAN(":users"), SPAN(""));
}

struct key key_admin_session(const struct house *h, struct span token)
{
    char hex[DIGEST_HEX_SIZE];

    digest_sha256_hex(token.s, token.len, hex);
    return join(span_of(h->prefix), SPAN(":admin_session:"), span_of(hex));
}

struct key key_notifications(const struct house *h)
{
    return join(span_of(h->notifications), SPAN(""), SPAN(""));
}

struct key key_notifications_user(const struct house *h, struct span user)
{
    return join(span_of(h->notifications), SPAN(":user:"), user);
}

struct key key_notifications_task(const struct house *h, struct span id)
{
    return join(span_of(h->notifications), SPAN(":task:"), id);
}

struct key key_limit(const struct house *h, struct span name, struct span who)
{
    struct key k = join(span_of(h->prefix), SPAN(":limit:"), name);

    add(&k, SPAN(":"));
    add(&k, who);
    return k;
}

struct key key_session_name(const struct house *h, struct span name)
{
    return join(span_of(h->session_prefix), SPAN(":"), name);
}

struct key key_session(const struct house *h, struct span token)
{
    char hex[DIGEST_HEX_SIZE];

    if (h->plain_session_keys)
        return key_session_name(h, token);
    digest_sha256_hex(token.s, token.len, hex);
    return key_session_name(h, span_of(hex));
}

struct key key_user_sessions(const struct house *h, struct span user)
{
    return join(span_of(h->prefix), SPAN(":user_sessions:"), user);
}

struct key key_session_users(const struct house *h)
{
    return join(span_of(h->prefix), SPAN(":user_sessions"), SPAN(""));
}

struct key key_ticket(const struct house *h, struct span digest)
{
    return join(span_of(h->prefix), SPAN(":ticket:"), digest);
}

struct key key_session_stats(const struct house *h)
{
    return join(span_of(h->prefix), SPAN(":stats:sessions"), SPAN(""));
}

struct key key_inbox(const struct house *h, const char *part, struct span user)
{
    struct key k = join(span_of(h->prefix), SPAN(":notifications:"), span_of(part));

    add(&k, SPAN(":"));
    add(&k, user);
    return k;
}

struct key key_reminder(const struct house *h, struct span message)
{
    return key_inbox(h, "reminder", message);
}

struct key key_presence(const struct house *h, struct span user)
{
    return join(span_of(h->prefix), SPAN(":presence:"), user);
}

struct key key_presence_seen(const struct house *h)
{
    return join(span_of(h->prefix), SPAN(":presence"), SPAN(""));
}

struct key key_cache(const struct house *h, const char *part, struct span name)
{
    struct key k = join(span_of(h->prefix), SPAN(":cache:"), span_of(part));

    add(&k, name);
    return k;
}

struct key key_cache_stats(const struct house *h)
{
    return join(span_of(h->prefix), SPAN(":stats:cache"), SPAN(""));
}

struct key key_source(const struct house *h, struct span name, const char *part)
{
    struct key k = join(span_of(h->prefix), SPAN(":source:"), name);

    add(&k, SPAN(":"));
    add(&k, span_of(part));
    return k;
}
