/* main.c: a fuzz target without a fuzzer: the inputs of its corpus, or of the files and directories named, one after the other. One
 * test as TAP has it. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

static int inputs;

static int try_file(const char *path, const struct stat *st)
{
    size_t size = (size_t)st->st_size, got;
    uint8_t *data = xmalloc(size ? size : 1); /* exactly as large, so that a sanitizer sees what reads on */
    FILE *file = fopen(path, "rb");

    got = file ? fread(data, 1, size, file) : 0;
    if (file)
        fclose(file);
    if (file && got == size)
        LLVMFuzzerTestOneInput(data, size);
    free(data);
    inputs++;
    return file && got == size ? 0 : -1;
}

static int try_path(const char *path)
{
    struct stat st;
    DIR *dir;
    int result = 0;

    if (stat(path, &st) < 0)
        return -1;
    if (!S_ISDIR(st.st_mode))
        return try_file(path, &st);
    dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char *inside = xasprintf("%s/%s", path, entry->d_name);

        if (entry->d_name[0] != '.' && try_path(inside) < 0)
            result = -1;
        free(inside);
    }
    if (dir)
        closedir(dir);
    return dir ? result : -1;
}

int main(int argc, char **argv)
{
    const char *top = getenv("TOP_SOURCE"), *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];
    char *corpus = xasprintf("%s/tests/fuzz/corpus/%s", top ? top : ".", strncmp(name, "fuzz_", 5) == 0 ? name + 5 : name);
    int result = argc > 1 ? 0 : try_path(corpus);

    for (int i = 1; i < argc; i++)
        result |= try_path(argv[i]);
    printf("1..1\n%s 1 - %s does no harm with %d inputs\n", result == 0 && inputs > 0 ? "ok" : "not ok", name, inputs);
    free(corpus);
    return result == 0 && inputs > 0 ? 0 : 1;
}
