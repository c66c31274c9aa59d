/* fuzz_words.c: what local programs print; it comes to an answer as a bot's would be. A NUL byte parts stdout from stderr. */
#include "tests/fuzz/fuzz.h"

#include "base/json.h"
#include "base/log.h"
#include "worker/answer.h"
#include "worker/exec_part.h"

static void heard(void *ctx, int progress, const char *message)
{
    (void)ctx;
    PROMISE(progress >= -1 && progress <= 100 && (!message || strlen(message) <= ANSWER_MESSAGE_MAX));
}

FUZZ(input)
{
    char id[] = "job_x";
    struct exec_call *call = xcalloc(1, sizeof(*call));
    struct span log, out = fuzz_cut(input, &log);
    struct str text = STR_INIT;
    struct answer answer;
    size_t half = out.len / 2;

    log_setup("fuzz", LOG_ERROR, false);
    call->job_id = id;
    call->progress = heard;
    call->end = CALL_ANSWERED;
    exec_words_init(call);
    exec_words_take(&call->out, out.s, half);
    exec_words_take(&call->out, out.s + half, out.len - half);
    exec_words_end(&call->out);
    exec_words_take(&call->log, log.s, log.len);
    exec_words_end(&call->log);
    exec_words_answer(call, &text);
    PROMISE(json_check(text.s, text.len, NULL) == 0);
    answer_read((struct span){ text.s, text.len }, &answer, NULL);
    str_free(&text);
    str_free(&call->out.line);
    str_free(&call->log.line);
    str_free(&call->result);
    str_free(&call->error);
    free(call);
}
