/* files.c: a fresh directory with small files for one test. */
#include "tests/unit/files.h"

#include <dirent.h>
#include <unistd.h>

static char dir[4096], path[8192];

int files_setup(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(dir, sizeof(dir), "%s/peygir-files-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(dir) ? 0 : -1;
}

int files_teardown(void **state)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    (void)state;
    while (d && (e = readdir(d))) {
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (e->d_name[0] != '.' || (e->d_name[1] && e->d_name[1] != '.'))
            unlink(path);
    }
    if (d)
        closedir(d);
    return rmdir(dir);
}

const char *files_dir(void)
{
    return dir;
}

const char *files_put(const char *name, const char *text)
{
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        abort();
    return path;
}

const char *files_source(const char *name)
{
    const char *source = getenv("TOP_SOURCE");

    snprintf(path, sizeof(path), "%s/%s", source ? source : ".", name);
    return path;
}
