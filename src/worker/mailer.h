/* mailer.h: what the mail handler works with: the mail server of MAIL_URL, the address of MAIL_FROM, templates and words. */
#ifndef PEYGIR_MAILER_H
#define PEYGIR_MAILER_H

#include "core/app.h"
#include "net/smtp.h"
#include "worker/letter.h"

struct mailer {
    const struct house *house;
    struct smtp_server server;
    char *password;     /* NULL: none */
    const char *from;   /* NULL: MAIL_FROM is not set */
    struct letters *letters;
    struct smtp *smtp;  /* from mailer_start to mailer_stop */
};

/* Read what is needed, if a job type has the handler mail; else *out is NULL. 0, or -1 (ERR_CONFIG). The house is borrowed. */
int mailer_open(const struct house *house, struct mailer **out, struct err *err);
/* Both are harmless with NULL. */
void mailer_start(struct mailer *m, uv_loop_t *loop);
void mailer_stop(struct mailer *m);
void mailer_free(struct mailer *m);

#endif
