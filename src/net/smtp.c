/* smtp.c: e-mail handed to a mail server.
 *
 *     connecting ---> MAIL ---> RCPT ---> DATA ---> MAIL ITSELF ---> sent; QUIT is said, its answer not waited for
 *     (curl)            \         \         \            \
 *                        +---------+---------+------------+---> 4xx: put off; 5xx: rejected; lost: broken, behind the last: unsure */
#include "net/smtp.h"

#include "base/utf8.h"
#include "net/multi.h"
#include "net/smtp_reply.h"

#include <arpa/inet.h>
#include <netinet/in.h>

struct smtp {
    uv_loop_t *loop;
    const struct smtp_server *server;
    struct multi *multi;
};

enum step { STEP_FROM, STEP_TO, STEP_DATA, STEP_MAIL, STEPS };

/* What each is answered with, by the first digit. */
static const char wanted[STEPS] = { '2', '2', '3', '2' };

struct watch {
    uv_poll_t poll; /* first, so that a handle is its watch */
    struct smtp_call *call;
};

struct smtp_call {
    struct multi_call place; /* first, so that a place is its call */
    struct smtp *smtp;
    smtp_done done;
    void *ctx;
    CURL *easy;
    struct watch *watch;      /* NULL: curl still connects */
    enum step step;
    struct str says[STEPS];   /* what is sent at each */
    size_t sent;              /* of the present one */
    struct str heard;         /* while curl connects: the last line; then: what was not read as a reply yet */
    size_t heard_bytes;       /* while curl connects */
    char reason[CURL_ERROR_SIZE];
};

/* --- the server --- */

static char *part_of(CURLU *parts, CURLUPart part, unsigned flags)
{
    char *text = NULL, *copy;
    if (curl_url_get(parts, part, &text, flags) != CURLUE_OK)
        return NULL;
    copy = xstrdup(text);
    curl_free(text);
    return copy;
}

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0;
}

static int read_query(const char *query, const char *host, bool *starttls, struct err *err)
{
    if (query && strcmp(query, "starttls=yes") != 0 && strcmp(query, "starttls=no") != 0)
        return err_set(err, ERR_CONFIG, "has a query that is none of starttls=yes and starttls=no.");
    *starttls = query ? strcmp(query, "starttls=yes") == 0 : !is_loopback(host);
    return 0;
}

static int read_parts(CURLU *parts, struct smtp_server *out, struct err *err)
{
    char *scheme = part_of(parts, CURLUPART_SCHEME, 0), *host = part_of(parts, CURLUPART_HOST, 0);
    char *port = part_of(parts, CURLUPART_PORT, CURLU_DEFAULT_PORT), *path = part_of(parts, CURLUPART_PATH, 0);
    char *password = part_of(parts, CURLUPART_PASSWORD, 0), *query = part_of(parts, CURLUPART_QUERY, 0);
    bool implicit = strcmp(scheme, "smtps") == 0;
    int rc = 0;
    if (password)
        rc = err_set(err, ERR_CONFIG, "holds a password; write that into a file and name the file in MAIL_PASSWORD_FILE.");
    else if (strcmp(path, "/") != 0 || (implicit && query))
        rc = err_set(err, ERR_CONFIG, "has more than user, host and port.");
    else
        rc = read_query(query, host, &out->starttls, err);
    out->starttls = out->starttls && !implicit;
    out->user = part_of(parts, CURLUPART_USER, CURLU_URLDECODE);
    if (rc == 0 && out->user && !implicit && !out->starttls && !is_loopback(host))
        rc = err_set(err, ERR_CONFIG, "names a user and starttls=no: the password would go over the network for all to read.");
    out->host = xasprintf("%s:%s", host, port);
    out->url = xasprintf("%s://%s", scheme, out->host);
    char *const texts[] = { scheme, host, port, path, password, query };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    return rc;
}

int smtp_server_parse(const char *url, struct smtp_server *out, struct err *err)
{
    CURLU *parts = curl_url();
    int rc;
    *out = (struct smtp_server){ .url = NULL };
    if (!parts)
        abort();
    if (curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK)
        rc = err_set(err, ERR_CONFIG, "is no URL such as smtp://user@mail.example.org:587.");
    else
        rc = read_parts(parts, out, err);
    curl_url_cleanup(parts);
    if (rc < 0)
        smtp_server_free(out);
    return rc;
}

void smtp_server_free(struct smtp_server *server)
{
    free(server->url);
    free(server->user);
    free(server->host);
    *server = (struct smtp_server){ .url = NULL };
}

/* --- results --- */

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle);
}

static void stop_watching(struct smtp_call *call)
{
    if (!call->watch)
        return;
    uv_poll_stop(&call->watch->poll);
    uv_close((uv_handle_t *)&call->watch->poll, on_watch_closed);
    call->watch = NULL;
}

/* The one place where done is called: curl has let go of it. */
static void report(struct smtp_call *call, const struct smtp_result *result)
{
    call->done(call->ctx, result);
    curl_easy_cleanup(call->easy);
    for (size_t i = 0; i < STEPS; i++)
        str_free(&call->says[i]);
    str_free(&call->heard);
    free(call);
}

static void set_error(const struct smtp_call *call, struct smtp_result *result, const char *reason, struct span said)
{
    struct str text = STR_INIT;
    str_addf(&text, "%s: %s", call->smtp->server->host, reason);
    if (said.len > 0) {
        str_adds(&text, ": ");
        smtp_add_words(&text, said);
    }
    size_t len = utf8_clip(text.s, text.len, sizeof result->error - 1);
    memcpy(result->error, text.s, len);
    result->error[len] = '\0';
    str_free(&text);
}

/* Its end while it is connected. */
static void finish(struct smtp_call *call, enum smtp_outcome outcome, const char *reason, struct span said)
{
    struct smtp_result result = { .outcome = outcome };
    if (outcome != SMTP_SENT)
        set_error(call, &result, reason, said);
    stop_watching(call);
    multi_close(&call->place);
    report(call, &result);
}

static void lost(struct smtp_call *call, const char *reason)
{
    bool unsure = call->step == STEP_MAIL && call->sent == call->says[STEP_MAIL].len;
    if (unsure)
        finish(call, SMTP_UNSURE, "the connection was lost after the whole mail was sent; the server may have taken it", (struct span){ NULL, 0 });
    else
        finish(call, SMTP_BROKEN, reason, (struct span){ NULL, 0 });
}

/* --- the conversation --- */

static void forget_heard(struct str *heard, size_t len)
{
    memmove(heard->s, heard->s + len, heard->len - len + 1);
    heard->len -= len;
}

/* A reply to the present step. False: the call has ended. */
static bool judge(struct smtp_call *call, size_t len)
{
    struct span said = { call->heard.s, len };
    char digit = said.s[0];
    bool whole = call->sent == call->says[call->step].len;
    if (digit == '4' || digit == '5') {
        finish(call, digit == '4' ? SMTP_PUT_OFF : SMTP_REJECTED, "the server said", said);
        return false;
    }
    if (digit != wanted[call->step] || !whole) {
        finish(call, SMTP_BROKEN, "the server gave an answer out of turn", said);
        return false;
    }
    forget_heard(&call->heard, len);
    call->sent = 0;
    if (++call->step < STEPS)
        return true;
    size_t n;
    curl_easy_send(call->easy, "QUIT\r\n", strlen("QUIT\r\n"), &n);
    finish(call, SMTP_SENT, "", (struct span){ NULL, 0 });
    return false;
}

/* What is to be sent goes out as far as the socket takes it. False: the call has ended. */
static bool say(struct smtp_call *call)
{
    const struct str *text = &call->says[call->step];
    CURLcode code = CURLE_OK;
    size_t n;
    while (call->sent < text->len && code == CURLE_OK) {
        n = 0;
        code = curl_easy_send(call->easy, text->s + call->sent, text->len - call->sent, &n);
        call->sent += n;
    }
    if (code == CURLE_OK || code == CURLE_AGAIN)
        return true;
    lost(call, "the connection was lost");
    return false;
}

/* All that has come is taken; what it says about the present step is judged. False: the call has ended. */
static bool listen_to(struct smtp_call *call)
{
    char data[4096];
    size_t n;
    CURLcode code;
    ssize_t len;
    while ((code = curl_easy_recv(call->easy, data, sizeof data, &n)) == CURLE_OK && n > 0) {
        str_add(&call->heard, data, n);
        while ((len = smtp_reply_length((struct span){ call->heard.s, call->heard.len })) > 0)
            if (!judge(call, (size_t)len) || !say(call))
                return false;
        if (len < 0) {
            finish(call, SMTP_BROKEN, "the server gave an answer that is none of SMTP, or has no end", (struct span){ NULL, 0 });
            return false;
        }
    }
    if (code == CURLE_AGAIN)
        return true;
    lost(call, "the connection was lost");
    return false;
}

static void on_socket(uv_poll_t *poll, int status, int events);

static void go_on(struct smtp_call *call)
{
    if (!say(call) || !listen_to(call))
        return;
    bool all_said = call->sent == call->says[call->step].len;
    if (uv_poll_start(&call->watch->poll, UV_READABLE | (all_said ? 0 : UV_WRITABLE), on_socket) < 0)
        lost(call, "its socket cannot be watched");
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    (void)status; /* an error of the socket shows when it is used */
    (void)events;
    go_on(((struct watch *)poll)->call);
}

/* --- connecting --- */

static void on_connected(struct multi_call *place)
{
    struct smtp_call *call = (struct smtp_call *)place;
    curl_socket_t fd = CURL_SOCKET_BAD;
    struct watch *watch = xcalloc(1, sizeof *watch);
    str_reset(&call->heard);
    curl_easy_getinfo(call->easy, CURLINFO_ACTIVESOCKET, &fd);
    if (uv_poll_init_socket(call->smtp->loop, &watch->poll, fd) < 0) {
        free(watch);
        lost(call, "its socket cannot be watched");
        return;
    }
    watch->call = call;
    call->watch = watch;
    go_on(call);
}

/* The server's words belong to an error when they were one. */
static struct span complaint(const struct smtp_call *call)
{
    bool one = call->heard.len > 0 && (call->heard.s[0] == '4' || call->heard.s[0] == '5');
    return one ? (struct span){ call->heard.s, call->heard.len } : (struct span){ NULL, 0 };
}

static void on_ended(struct multi_call *place, bool cancelled, CURLcode code)
{
    struct smtp_call *call = (struct smtp_call *)place;
    bool nobody = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
    struct smtp_result result = { .outcome = cancelled ? SMTP_CANCELLED : nobody ? SMTP_REFUSED : SMTP_BROKEN };
    const char *reason = cancelled ? "the call was cancelled" : *call->reason ? call->reason : curl_easy_strerror(code);
    if (call->heard_bytes > SMTP_REPLY_BYTES_MAX)
        reason = "the server's greeting has no end";
    stop_watching(call);
    set_error(call, &result, reason, cancelled ? (struct span){ NULL, 0 } : complaint(call));
    report(call, &result);
}

static size_t on_line(char *data, size_t size, size_t count, void *ctx)
{
    struct smtp_call *call = ctx;
    size_t len = size * count;
    call->heard_bytes += len;
    str_reset(&call->heard);
    str_add(&call->heard, data, len < SMTP_REPLY_BYTES_MAX ? len : SMTP_REPLY_BYTES_MAX);
    return call->heard_bytes > SMTP_REPLY_BYTES_MAX ? CURL_WRITEFUNC_ERROR : len;
}

static void set_manners(struct smtp_call *call)
{
    const struct smtp_server *server = call->smtp->server;
    CURL *easy = call->easy;
    curl_easy_setopt(easy, CURLOPT_URL, server->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)(server->starttls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
    if (server->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, server->ca_file);
    if (server->user) {
        curl_easy_setopt(easy, CURLOPT_USERNAME, server->user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, server->password);
    }
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->reason);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_line);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
}

/* A line that is a dot alone ends a mail: those of its own that begin with one get another (RFC 5321, section 4.5.2). */
static void add_mail(struct str *out, struct span mail)
{
    for (size_t at = 0; at < mail.len; at++) {
        if (mail.s[at] == '.' && (at == 0 || mail.s[at - 1] == '\n'))
            str_addc(out, '.');
        str_addc(out, mail.s[at]);
    }
    str_adds(out, ".\r\n");
}

struct smtp_call *smtp_send(struct smtp *s, const char *from, const char *to, struct span mail, smtp_done done, void *ctx)
{
    struct smtp_call *call = xcalloc(1, sizeof *call);
    *call = (struct smtp_call){ .smtp = s, .done = done, .ctx = ctx, .easy = curl_easy_init() };
    if (!call->easy)
        abort();
    str_addf(&call->says[STEP_FROM], "MAIL FROM:<%s>\r\n", from);
    str_addf(&call->says[STEP_TO], "RCPT TO:<%s>\r\n", to);
    str_adds(&call->says[STEP_DATA], "DATA\r\n");
    add_mail(&call->says[STEP_MAIL], mail);
    set_manners(call);
    call->place.ended = on_ended;
    call->place.connected = on_connected;
    multi_start(s->multi, &call->place, call->easy);
    return call;
}

void smtp_cancel(struct smtp_call *call)
{
    stop_watching(call);
    multi_cancel(&call->place);
}

/* --- the whole --- */

struct smtp *smtp_new(uv_loop_t *loop, const struct smtp_server *server)
{
    struct smtp *s = xcalloc(1, sizeof *s);
    *s = (struct smtp){ .loop = loop, .server = server, .multi = multi_new(loop, 0) };
    return s;
}

void smtp_free(struct smtp *s)
{
    if (!s)
        return;
    multi_free(s->multi);
    free(s);
}
