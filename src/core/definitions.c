/* definitions.c: directories of definition files. */
#include "core/definitions.h"

#include <dirent.h>
#include <errno.h>

#define ENDING ".json"

static int is_definition(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > strlen(ENDING) && strcmp(entry->d_name + len - strlen(ENDING), ENDING) == 0;
}

/* By bytes, so that the order is the same on every machine, and without the ending: "a.json" comes before "a-b.json". */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    size_t left = strlen((*a)->d_name) - strlen(ENDING), right = strlen((*b)->d_name) - strlen(ENDING);
    int order = memcmp((*a)->d_name, (*b)->d_name, left < right ? left : right);

    return order ? order : (left > right) - (left < right);
}

static int call(const char *dir, const char *entry, definitions_fn fn, void *ctx, struct err *err)
{
    size_t len = strlen(dir);
    char *file = xasprintf("%s%s%s", dir, len && dir[len - 1] == '/' ? "" : "/", entry);
    char *name = xmemdupz(entry, strlen(entry) - strlen(ENDING));
    int rc = fn(ctx, file, name, err);

    free(name);
    free(file);
    return rc;
}

int definitions_each(const char *dir, definitions_fn fn, void *ctx, struct err *err)
{
    struct dirent **entries;
    int count = scandir(dir, &entries, is_definition, by_name), rc = 0;

    if (count < 0)
        return err_set(err, ERR_CONFIG, "The directory %s cannot be read: %s.", dir, strerror(errno));
    for (int i = 0; i < count; i++) {
        if (rc == 0)
            rc = call(dir, entries[i]->d_name, fn, ctx, err);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

char *definitions_name(const char *file)
{
    const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file, *ending = strstr(base, ENDING);

    return ending && !ending[strlen(ENDING)] ? xmemdupz(base, (size_t)(ending - base)) : xstrdup(base);
}
