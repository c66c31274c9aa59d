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

/* An entry in pieces that are borrowed from the document, so that it can be compared without being built. */
enum { PIECES_MAX = 32 };

struct pieces {
    struct span list[PIECES_MAX];
    size_t count;
};

static void add_piece(struct pieces *p, struct span text)
{
    p->list[p->count++] = text;
}

static void add_values(struct pieces *p, const struct span values[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add_piece(p, i == 0 ? SPAN("[") : SPAN(","));
        add_piece(p, values[i].s ? values[i] : SPAN("null"));
    }
    add_piece(p, SPAN("]"));
}

/* What the view shows of the code, while it shows it. */
static void add_otp(struct pieces *p, const struct document *doc)
{
    static const char *const names[] = { "expires_at", "length", "attempts", "resends" };
    struct span values[ARRAY_LEN(names)], status = doc->field[DOC_STATUS];
    bool shown = status.len > 5 && memcmp(status.s, "\"otp_", 5) == 0;
    if (shown && raw_get_many(doc->field[DOC_OTP], names, values, ARRAY_LEN(names)) >= 0)
        add_values(p, values, ARRAY_LEN(names));
    else
        add_piece(p, SPAN("null"));
}

static void take_pieces(const struct document *doc, struct pieces *p)
{
    static const enum document_field before_otp[] = { DOC_REVISION, DOC_UPDATED, DOC_STATUS, DOC_STEP, DOC_PROGRESS, DOC_MESSAGE };
    p->count = 0;
    for (size_t i = 0; i < ARRAY_LEN(before_otp); i++) {
        add_piece(p, i == 0 ? SPAN("[") : SPAN(","));
        add_piece(p, document_value(doc, before_otp[i]));
    }
    add_piece(p, SPAN(","));
    add_otp(p, doc);
    add_piece(p, SPAN(","));
    add_piece(p, document_value(doc, DOC_ERROR));
    add_piece(p, SPAN("]"));
}

void document_add_entry(struct str *out, const struct document *doc)
{
    struct pieces p;
    take_pieces(doc, &p);
    for (size_t i = 0; i < p.count; i++)
        str_add_span(out, p.list[i]);
}

bool document_entry_is(const struct document *doc, struct span entry)
{
    struct pieces p;
    size_t at = 0;
    take_pieces(doc, &p);
    for (size_t i = 0; i < p.count; i++) {
        if (entry.len - at < p.list[i].len || memcmp(entry.s + at, p.list[i].s, p.list[i].len) != 0)
            return false;
        at += p.list[i].len;
    }
    return at == entry.len;
}

struct span document_otp(const struct document *doc, const char *name)
{
    return raw_get(doc->field[DOC_OTP], name);
}
