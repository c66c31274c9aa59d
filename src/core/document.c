/* document.c: the text of a request's document */
#include "core/document.h"

#include "base/digest.h"

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

struct span document_sound(const struct document *doc, enum document_field field)
{
    struct span value = document_value(doc, field);
    return json_check(value.s, value.len, NULL) == 0 ? value : SPAN("null");
}

static void add_values(struct str *out, const struct span values[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        str_addc(out, i == 0 ? '[' : ',');
        str_add_span(out, values[i].s ? values[i] : SPAN("null"));
    }
    str_addc(out, ']');
}

/* What the view shows of the code, while it shows it. */
static void add_otp(struct str *out, const struct document *doc)
{
    static const char *const names[] = { "expires_at", "length", "attempts", "resends" };
    struct span values[ARRAY_LEN(names)], status = doc->field[DOC_STATUS];
    bool shown = status.len > 5 && memcmp(status.s, "\"otp_", 5) == 0;
    if (shown && raw_get_many(doc->field[DOC_OTP], names, values, ARRAY_LEN(names)) >= 0)
        add_values(out, values, ARRAY_LEN(names));
    else
        str_adds(out, "null");
}

void document_add_entry(struct str *out, const struct document *doc)
{
    enum { USUAL_BYTES = 400 };
    static const enum document_field before_otp[] = { DOC_REVISION, DOC_UPDATED, DOC_STATUS, DOC_STEP, DOC_PROGRESS, DOC_MESSAGE };
    str_grow(out, USUAL_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(before_otp); i++) {
        str_addc(out, i == 0 ? '[' : ',');
        str_add_span(out, document_value(doc, before_otp[i]));
    }
    str_addc(out, ',');
    add_otp(out, doc);
    str_addc(out, ',');
    str_add_span(out, document_value(doc, DOC_ERROR));
    str_addc(out, ']');
}

int64_t document_check(const struct document *doc)
{
    struct str entry = STR_INIT;
    document_add_entry(&entry, doc);
    uint64_t check = digest_short(entry.s, entry.len) >> 11; /* Lua and JSON keep whole numbers up to 2^53 */
    str_free(&entry);
    return check > 0 ? (int64_t)check : 1;
}

struct span document_otp(const struct document *doc, const char *name)
{
    return raw_get(doc->field[DOC_OTP], name);
}
