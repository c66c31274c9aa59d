/* mailer.c: what the mail handler works with. */
#include "worker/mailer.h"

#include "core/job_type.h"
#include "core/listener.h"
#include "core/news.h"
#include "core/notice.h"
#include "core/options.h"

#include <errno.h>
#include <sys/stat.h>

#define PASSWORD_BYTES_MAX 1024

static bool is_needed(const struct job_types *types)
{
    for (size_t i = 0; types && i < job_types_count(types); i++)
        if (strcmp(job_types_at(types, i)->handler, "mail") == 0)
            return true;
    return false;
}

/* The first line of the file, which nobody else may read. */
static int read_password(const char *file, char **out, struct err *err)
{
    char line[PASSWORD_BYTES_MAX + 2];
    struct stat about;
    FILE *f = fopen(file, "re");
    int rc = 0;
    if (!f)
        return err_set(err, ERR_CONFIG, "MAIL_PASSWORD_FILE, %s, cannot be read: %s.", file, strerror(errno));
    if (fstat(fileno(f), &about) == 0 && (about.st_mode & 077))
        rc = err_set(err, ERR_CONFIG, "MAIL_PASSWORD_FILE, %s, may be read by others; its mode must be 0600.", file);
    else if (!fgets(line, sizeof line, f) || line[strcspn(line, "\r\n")] == '\0' || line[0] == '\n')
        rc = err_set(err, ERR_CONFIG, "MAIL_PASSWORD_FILE, %s, does not begin with a line that is a password of at most %d bytes.", file,
                     PASSWORD_BYTES_MAX);
    fclose(f);
    if (rc == 0)
        *out = xmemdupz(line, strcspn(line, "\r\n"));
    return rc;
}

static int read_server(struct mailer *m, const struct settings *s, struct err *err)
{
    const char *file = settings_text(s, OPT_MAIL_PASSWORD_FILE);
    if (smtp_server_parse(settings_text(s, OPT_MAIL_URL), &m->server, err) < 0)
        return err_prefix(err, "MAIL_URL");
    m->server.ca_file = settings_text(s, OPT_MAIL_CA_FILE);
    if (m->server.user && !file)
        return err_set(err, ERR_CONFIG, "MAIL_URL names a user: MAIL_PASSWORD_FILE must name the file with its password.");
    if (!m->server.user)
        return 0;
    if (read_password(file, &m->password, err) < 0)
        return -1;
    m->server.password = m->password;
    return 0;
}

/* A service that asks its visitors for an address promises them mail. */
static int check_promise(const struct house *house, struct err *err)
{
    static const enum option_id needed[] = { OPT_MAIL_FROM, OPT_PEYGIR_SITE_URL };
    const struct service *service = news_service(house->services);
    const struct job_type *type = house->job_types ? job_types_find(house->job_types, span_of(listener_types[LISTENER_MAIL])) : NULL;
    if (!service)
        return 0;
    if (!type || strcmp(type->handler, "mail") != 0)
        return err_set(err, ERR_CONFIG, "The service %s has a field " FIELD_NEWS ", and there is no job type mail with the handler mail in %s.",
                       service->slug, options_dir(house->settings, OPT_PEYGIR_JOBS_DIR));
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (!settings_text(house->settings, needed[i]))
            return err_set(err, ERR_CONFIG, "The service %s has a field " FIELD_NEWS ": %s must be set, for mail to its visitors.", service->slug,
                           options_table[needed[i]].name);
    return 0;
}

/* Events name templates of mail, which only here are known. */
static int check_notices(const struct mailer *m, struct err *err)
{
    for (size_t i = 0; i < notices_count(m->house->notices); i++) {
        const struct notice *n = notices_at(m->house->notices, i);
        if (n->mail && !letters_have(m->letters, n->mail))
            return err_set(err, ERR_CONFIG, "%s/%s.json: mail: there is no template \"%s\" in the folder mail of PEYGIR_TEMPLATES_DIR.",
                           options_dir(m->house->settings, OPT_PEYGIR_NOTIFICATIONS_DIR), n->event, n->mail);
    }
    return 0;
}

int mailer_open(const struct house *house, struct mailer **out, struct err *err)
{
    struct mailer *m;
    char *dir;
    int rc;
    *out = NULL;
    if (check_promise(house, err) < 0)
        return -1;
    if (!is_needed(house->job_types))
        return 0;
    m = xcalloc(1, sizeof *m);
    m->house = house;
    m->from = settings_text(house->settings, OPT_MAIL_FROM);
    dir = xasprintf("%s/mail", options_dir(house->settings, OPT_PEYGIR_TEMPLATES_DIR));
    rc = letters_load(dir, house->locales, &m->letters, err);
    free(dir);
    if (rc == 0)
        rc = check_notices(m, err);
    if (rc == 0)
        rc = read_server(m, house->settings, err);
    if (rc == 0)
        *out = m;
    else
        mailer_free(m);
    return rc;
}

void mailer_start(struct mailer *m, uv_loop_t *loop)
{
    if (m)
        m->smtp = smtp_new(loop, &m->server);
}

void mailer_stop(struct mailer *m)
{
    if (m)
        smtp_free(m->smtp);
}

void mailer_free(struct mailer *m)
{
    if (!m)
        return;
    smtp_server_free(&m->server);
    free(m->password);
    letters_free(m->letters);
    free(m);
}
