/* document.h: the text of a request's document (contract 4.1). It is edited as text: what a writer does not set stays byte for
 * byte. No Redis here. */
#ifndef PEYGIR_DOCUMENT_H
#define PEYGIR_DOCUMENT_H

#include "base/err.h"
#include "base/json.h"

enum document_field {
    DOC_HASH, DOC_SERVICE, DOC_STATUS, DOC_STEP, DOC_PROGRESS, DOC_MESSAGE, DOC_DURATION, DOC_DATA, DOC_OTP, DOC_RESULT, DOC_ERROR,
    DOC_USER, DOC_OWNER, DOC_LOCALE, DOC_REVISION, DOC_STARTED, DOC_UPDATED, DOC_EXPIRES, DOC_COMPLETED, DOC_FIELDS
};
extern const char *const document_names[DOC_FIELDS];

/* The raw values of a document, borrowed from its text; absent ones have .s == NULL. */
struct document {
    struct span text;
    struct span field[DOC_FIELDS];
};
/* 0; -1 (ERR_INVALID) when text is not a JSON object. */
int document_read(struct span text, struct document *doc, struct err *err);

/* The compact history entry: [revision,updated_at,status,step,progress,message,otp,error], made of the document's raw values
 * (absent ones are null). otp is [expires_at,length,attempts,resends] while the status is otp_required or otp_verifying, else null. */
void document_add_entry(struct str *out, const struct document *doc);
/* A number from 1 to 2^53 - 1 that the entry's bytes decide. Kept beside the document, one that differs shows that somebody else
 * wrote it. */
int64_t document_check(const struct document *doc);

/* A raw value; `null` when it is absent. */
struct span document_value(const struct document *doc, enum document_field field);
/* The same, and `null` for what is no JSON. */
struct span document_sound(const struct document *doc, enum document_field field);

/* One member of otp_data as raw JSON ("expires_at", "length" ...); absent when there is none. */
struct span document_otp(const struct document *doc, const char *name);

#endif
