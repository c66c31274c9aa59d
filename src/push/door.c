/* door.c: what comes in, led to whoever serves it */
#include "push/door.h"

#include "push/mail.h"
#include "push/socket.h"
#include "push/stream.h"

#define PATH_SOCKET "/ws"
#define WS_VERSION "13" /* RFC 6455 4.1; libwebsockets takes drafts before it as well */

/* --- HTTP --- */

static const struct {
    const char *before, *after; /* of the hash */
    void (*begin)(const struct arrival *a);
} routes[] = {
    { "/api/local-requests/", "/events", stream_begin },
    { "/api/internal/local-requests/", "/otp", mail_begin },
};

/* False: the path is not of this form. */
static bool read_path(struct span path, const char *before, const char *after, char hash[HASH_SIZE])
{
    const size_t start = strlen(before), rest = strlen(after);
    if (path.len != start + HASH_LEN + rest || memcmp(path.s, before, start) != 0 || memcmp(path.s + start + HASH_LEN, after, rest) != 0 ||
        !keys_is_hash((struct span){ path.s + start, HASH_LEN }))
        return false;
    memcpy(hash, path.s + start, HASH_LEN);
    hash[HASH_LEN] = '\0';
    return true;
}

static const struct peer_kind refused = { .silent = true };

void door_refuse(const struct arrival *a, enum refusal why)
{
    struct peer *c = peer_new(a->push, a->wsi, &refused, sizeof *c);
    struct head head;
    head_read(a->wsi, a->push->house, a->path, &head);
    refusal_add(&c->answer, why, head.locale, span_of(head.path), NULL);
    head_clear(&head);
    peer_answer(c);
}

static void lead(struct arrival *a)
{
    size_t i = 0;
    while (i < ARRAY_LEN(routes) && !read_path(a->path, routes[i].before, routes[i].after, a->hash))
        i++;
    if (i == ARRAY_LEN(routes))
        door_refuse(a, span_is(a->path, PATH_SOCKET) ? REFUSE_UPGRADE : REFUSE_NOT_FOUND);
    else if (a->push->stopping)
        door_refuse(a, REFUSE_AWAY);
    else if (!head_is_get(a->wsi))
        door_refuse(a, REFUSE_METHOD);
    else
        routes[i].begin(a);
}

static int come(struct lws *wsi, struct span path)
{
    struct arrival a = { .push = lws_context_user(lws_get_context(wsi)), .wsi = wsi, .path = path };
    lead(&a);
    lws_http_mark_sse(wsi); /* its headers are not needed any more, and it may last */
    lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
    return 0;
}

/* --- WebSocket --- */

/* Refusing the upgrade is an answer of HTTP, written at once: the connection is closed by what this returns. */
static int turn_away(struct push *p, struct lws *wsi, enum refusal why)
{
    struct head head;
    struct str answer = STR_INIT;
    char room[LWS_PRE] = "";
    str_add(&answer, room, sizeof room);
    head_read(wsi, p->house, SPAN(PATH_SOCKET), &head);
    refusal_add(&answer, why, head.locale, SPAN(PATH_SOCKET), NULL);
    lws_write(wsi, (unsigned char *)answer.s + LWS_PRE, answer.len - LWS_PRE, LWS_WRITE_HTTP);
    head_clear(&head);
    str_free(&answer);
    return -1;
}

static int upgrade(struct lws *wsi)
{
    struct push *p = lws_context_user(lws_get_context(wsi));
    char path[HEAD_PATH_MAX];
    if (!span_is(head_known(wsi, WSI_TOKEN_GET_URI, path, sizeof path), PATH_SOCKET))
        return turn_away(p, wsi, REFUSE_NOT_FOUND);
    if (p->stopping)
        return turn_away(p, wsi, REFUSE_AWAY);
    if (!span_is(head_known(wsi, WSI_TOKEN_VERSION, path, sizeof path), WS_VERSION))
        return turn_away(p, wsi, REFUSE_UPGRADE);
    if (!head_same_origin(wsi))
        return turn_away(p, wsi, REFUSE_ORIGIN);
    socket_begin(&(struct arrival){ .push = p, .wsi = wsi, .path = SPAN(PATH_SOCKET) });
    return 0;
}

int door_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    (void)user;
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return come(wsi, (struct span){ in, len });
    case LWS_CALLBACK_HTTP_WRITEABLE:
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return peer_room(peer_of(wsi));
    case LWS_CALLBACK_TIMER:
        return peer_time(peer_of(wsi));
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return upgrade(wsi);
    case LWS_CALLBACK_ESTABLISHED:
        return socket_open(peer_of(wsi));
    case LWS_CALLBACK_RECEIVE:
        return socket_receive(peer_of(wsi), (struct span){ in, len });
    case LWS_CALLBACK_RECEIVE_PONG:
        return socket_pong(peer_of(wsi));
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_WSI_DESTROY:
        peer_gone(wsi);
        return 0;
    default:
        return 0;
    }
}
