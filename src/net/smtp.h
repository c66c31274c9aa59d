/* smtp.h: e-mail handed to a mail server (RFC 5321), on the caller's libuv loop. libcurl connects, encrypts and signs in; the few
 * lines that follow are said here, so that it is known how far a mail came. Nothing blocks and nothing is thread-safe: one loop,
 * one thread, one struct smtp. There is no time-out: whoever calls keeps its own timer and uses smtp_cancel(). A connection for each
 * mail. */
#ifndef PEYGIR_SMTP_H
#define PEYGIR_SMTP_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <uv.h>

/* Where mail is handed to. */
struct smtp_server {
    char *url;           /* smtp:// or smtps://, host and port */
    char *user;          /* NULL: none */
    char *host;          /* with port, for people */
    bool starttls;       /* nothing is said before the connection is encrypted */
    const char *password; /* borrowed; set by the caller where there is a user */
    const char *ca_file;  /* borrowed; certificates that the server's is checked against; NULL: the system's */
};
/* smtp://[user@]host[:port][?starttls=yes|no], or smtps:// without a query. Without the query STARTTLS is needed, but not on this
 * machine's own addresses. 0 (smtp_server_free), or -1 (ERR_CONFIG) with what is wrong with it, to follow a name. */
int smtp_server_parse(const char *url, struct smtp_server *out, struct err *err);
void smtp_server_free(struct smtp_server *server);

struct smtp;
struct smtp_call;

enum smtp_outcome {
    SMTP_SENT,     /* the server has it */
    SMTP_REFUSED,  /* nobody listens there, or the name is unknown */
    SMTP_BROKEN,   /* no agreement on encryption or signing in, a lost connection, an answer that is none: it was not sent */
    SMTP_UNSURE,   /* the connection was lost after the whole mail was sent: the server may have it */
    SMTP_PUT_OFF,  /* 4xx: not now */
    SMTP_REJECTED, /* 5xx: never */
    SMTP_CANCELLED /* by smtp_cancel() or smtp_free() */
};

struct smtp_result {
    enum smtp_outcome outcome;
    char error[400]; /* one sentence without a final stop that names host and reason, with the server's words; addresses in them are
                        hidden; "" when SENT */
};
/* The result lives until done returns. done may start and cancel calls (not while smtp_free() runs), not call smtp_free(). */
typedef void (*smtp_done)(void *ctx, const struct smtp_result *result);

/* The loop and the server are borrowed. Never NULL. */
struct smtp *smtp_new(uv_loop_t *loop, const struct smtp_server *server);
/* As http_free(). */
void smtp_free(struct smtp *s);

/* Send `mail`, lines with CRLF, from one address to another; both have been checked to be addresses. All is copied. done is called
 * exactly once, from the loop, never from within this function. The call is valid until then. */
struct smtp_call *smtp_send(struct smtp *s, const char *from, const char *to, struct span mail, smtp_done done, void *ctx);
/* Close its connection at once; done is called with SMTP_CANCELLED from the loop soon. Cancelling twice is harmless. */
void smtp_cancel(struct smtp_call *call);

#endif
