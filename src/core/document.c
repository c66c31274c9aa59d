/* document.c: the text of a request's document */
#include "core/document.h"

const char *const document_names[DOC_FIELDS] = {
    [DOC_HASH] = "hash",
    [DOC_SERVICE] = "service_slug",
    [DOC_STATUS] = "status",
    [DOC_STEP] = "step",
    [DOC_PROGRESS] = "progress",
    [DOC_MESSAGE] = "current_message",
    [DOC_DURATION] = "estimated_duration",
    [DOC_DATA] = "request_data",
    [DOC_OTP] = "otp_data",
    [DOC_RESULT] = "result_data",
    [DOC_ERROR] = "error_data",
    [DOC_USER] = "user_id",
    [DOC_OWNER] = "owner",
    [DOC_LOCALE] = "locale",
    [DOC_REVISION] = "revision",
    [DOC_STARTED] = "started_at",
    [DOC_UPDATED] = "updated_at",
    [DOC_EXPIRES] = "expires_at",
    [DOC_COMPLETED] = "completed_at",
};

/* What a history entry tells, in its order. */
static const enum document_field entry_fields[] = { DOC_REVISION, DOC_UPDATED, DOC_STATUS, DOC_STEP,
                                                    DOC_PROGRESS, DOC_MESSAGE, DOC_OTP,    DOC_ERROR };

int document_read(struct span text, struct document *doc, struct err *err)
{
    doc->text = text;
    if (raw_get_many(text, document_names, doc->field, DOC_FIELDS) < 0)
        return err_set(err, ERR_INVALID, "the document is not a JSON object");
    return 0;
}

struct span document_value(const struct document *doc, enum document_field field)
{
    struct span value = doc->field[field];
    return value.s ? value : SPAN("null");
}

void document_add_entry(struct str *out, const struct document *doc)
{
    for (size_t i = 0; i < ARRAY_LEN(entry_fields); i++) {
        str_addc(out, i == 0 ? '[' : ',');
        str_add_span(out, document_value(doc, entry_fields[i]));
    }
    str_addc(out, ']');
}

bool document_entry_is(const struct document *doc, struct span entry)
{
    const char *p = entry.s, *end = entry.s + entry.len;
    for (size_t i = 0; i < ARRAY_LEN(entry_fields); i++) {
        struct span value = document_value(doc, entry_fields[i]);
        if ((size_t)(end - p) < value.len + 1 || *p != (i == 0 ? '[' : ',') || memcmp(p + 1, value.s, value.len) != 0)
            return false;
        p += value.len + 1;
    }
    return end - p == 1 && *p == ']';
}

struct span document_otp(const struct document *doc, const char *name)
{
    return raw_get(doc->field[DOC_OTP], name);
}
