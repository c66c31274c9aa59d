/* mkman.c: prints the manual page of a program, from the option table, the table of verbs and the texts below; and the completion
 * of bash for the verbs.
 * mkman peygir-worker > peygir-worker.8; mkman completion > peygir.bash */
#include "core/options.h"
#include "tools/mkman.h"

/* A term and what it means; texts are roff. A list ends with an entry without term. */
struct entry {
    const char *term, *text;
};

struct page {
    const char *name, *section, *summary;
    unsigned programs;
    bool starts_as_all;         /* takes --config, --set, --help, --version */
    bool verbs;
    const char *synopsis;       /* behind the name; NULL: no SYNOPSIS */
    const char *description;
    const struct entry *flags;  /* switches that are no options; may be NULL */
    const struct entry *files;
    const struct entry *exits;  /* may be NULL */
    const char *see_also;
};

static const struct entry common_flags[] = {
    { "\\fB\\-\\-config\\fR=\\fIFILE\\fR",
      "Read options from \\fIFILE\\fR, which must exist, instead of \\fI/etc/peygir/peygir.env\\fR." },
    { "\\fB\\-\\-set\\fR=\\fINAME\\fR=\\fIVALUE\\fR",
      "Set one of the options of this page. May be given more than once; wins over environment and file." },
    { "\\fB\\-\\-help\\fR", "Print a summary and exit." },
    { "\\fB\\-\\-version\\fR", "Print name and version and exit." },
    { NULL, NULL },
};

static const struct entry worker_flags[] = {
    { "\\fB\\-\\-once\\fR", "Carry out one job, or none when none is ready, and exit." },
    { "\\fB\\-\\-stop\\-when\\-empty\\fR", "Exit when no job is left." },
    { NULL, NULL },
};

static const struct entry cli_flags[] = {
    { "\\fB\\-\\-json\\fR", "Print JSON for scripts instead of tables." },
    { NULL, NULL },
};

#define CONFIGURATION_FILE \
    { "\\fI/etc/peygir/peygir.env\\fR", "Options, if the file exists; see \\fBpeygir.env\\fR(5)." }
#define DEFINITION_FILES \
    { "\\fI" PKGSYSCONFDIR "/services\\fR", "One JSON file for each service." }, \
    { "\\fI" PKGSYSCONFDIR "/jobs\\fR", "One JSON file for each job type." }

static const struct entry web_files[] = {
    CONFIGURATION_FILE,
    DEFINITION_FILES,
    { "\\fI" PKGDATADIR "/templates\\fR", "The pages, as Mustache templates." },
    { "\\fI" PKGDATADIR "/locales\\fR", "Texts by language." },
    { NULL, NULL },
};

static const struct entry program_files[] = { CONFIGURATION_FILE, DEFINITION_FILES, { NULL, NULL } };

static const struct entry bot_files[] = {
    { "\\fIbots/demo/README.md\\fR", "In the source tree: the inputs that make the bot misbehave." },
    { NULL, NULL },
};

static const struct entry daemon_exits[] = {
    { "0", "Stopped as asked: what had been begun was finished or given back." },
    { "1", "Stopped by a failure, which was logged." },
    { "2", "A flag or operand is wrong." },
    { "71", "The system refused memory or another resource." },
    { "78", "The configuration is wrong: one sentence on standard error names option, value and what is accepted." },
    { NULL, NULL },
};

static const struct entry cli_exits[] = {
    { "0", "Done." },
    { "1", "Failed." },
    { "2", "A verb, flag or operand is wrong." },
    { "69", "Redis cannot be reached." },
    { "78", "The configuration is wrong." },
    { NULL, NULL },
};

static const struct page pages[] = {
    { .name = "peygir", .section = "1", .summary = "administer Peygir", .programs = PROGRAM_CLI, .starts_as_all = true,
      .verbs = true, .synopsis = "[\\fIFLAG\\fR]... \\fIVERB\\fR [\\fIARGUMENT\\fR]...",
      .description = "Shows and changes what Peygir keeps in Redis: requests, jobs, services, settings. It works on "
                     "the Redis server that its configuration names and needs no other program of Peygir to run. "
                     "Tables are for people; scripts use \\fB\\-\\-json\\fR.",
      .flags = cli_flags, .files = program_files, .exits = cli_exits,
      .see_also = "\\fBpeygir\\-web\\fR(8), \\fBpeygir\\-worker\\fR(8), \\fBpeygir.env\\fR(5)" },
    { .name = "peygir-web", .section = "8", .summary = "FastCGI responder of Peygir", .programs = PROGRAM_WEB,
      .starts_as_all = true, .synopsis = "[\\fIFLAG\\fR]...",
      .description =
          "Answers the forms, pages and JSON endpoints of Peygir. It is a FastCGI responder: it expects a listening "
          "Unix socket as file descriptor 0, as \\fBspawn\\-fcgi\\fR(1) or a systemd socket hands it over, and serves "
          "it with several threads behind nginx. The socket must be reachable by nginx only.\n.PP\n"
          "Requests are stored in Redis and carried out by \\fBpeygir\\-worker\\fR(8). While Redis is away every page "
          "answers 503 at once; the program goes on by itself when Redis returns. On SIGTERM it takes no new "
          "connection, finishes what it has and exits.",
      .files = web_files, .exits = daemon_exits,
      .see_also = "\\fBpeygir\\fR(1), \\fBspawn\\-fcgi\\fR(1), \\fBpeygir.env\\fR(5), \\fBpeygir\\-worker\\fR(8)" },
    { .name = "peygir-worker", .section = "8", .summary = "carries out the jobs of Peygir", .programs = PROGRAM_WORKER,
      .starts_as_all = true, .synopsis = "[\\fIFLAG\\fR]... [\\fIQUEUE\\fR]...",
      .description =
          "Takes jobs from Redis and carries them out, many at once in one process. Any number of processes may run "
          "on any number of hosts. The operands name the queues, the most urgent first; without any, WORKER_QUEUES "
          "tells.\n.PP\n"
          "A job is leased for 15 seconds and the lease renewed while it runs, so the jobs of a worker that dies run "
          "elsewhere within 20 seconds. On SIGTERM the worker takes no more, lets running jobs finish until "
          "\\fB\\-\\-drain\\fR is over, gives the rest back and exits with status 0.",
      .flags = worker_flags, .files = program_files, .exits = daemon_exits,
      .see_also = "\\fBpeygir\\fR(1), \\fBpeygir.env\\fR(5), \\fBpeygir\\-web\\fR(8)" },
    { .name = "peygir-push", .section = "8", .summary = "serves everything that waits at Peygir", .programs = PROGRAM_PUSH,
      .starts_as_all = true, .synopsis = "[\\fIFLAG\\fR]...",
      .description =
          "Serves everything that waits. It tells pages and programs what happens to requests and jobs as it happens, by "
          "Server\\-Sent Events and WebSockets, and gives bots the code that they wait for. It expects a listening Unix socket as file "
          "descriptor 0, as \\fBspawn\\-fcgi\\fR(1) or a systemd socket hands it over, and speaks HTTP/1.1 on it to nginx, which passes it "
          "what is for it. The socket must be reachable by nginx only. More than one process may serve the same socket, or others on "
          "other hosts.\n.PP\n"
          "Nothing is kept here: what is said of a request is read from Redis, and a code stays there until it is handed over. Whoever is "
          "cut off, because the program was stopped or killed, comes back and is told how requests stand; notifications of that time "
          "are lost. While Redis is away streams and WebSockets stay open, and a bot is told to ask again.\n.PP\n"
          "It needs libwebsockets with its libuv loop (in Debian the package libwebsockets\\-evlib\\-uv), the secret file of "
          "\\fBpeygir\\-web\\fR(8), and the services and job types that the other programs have.",
      .files = program_files, .exits = daemon_exits,
      .see_also = "\\fBpeygir\\fR(1), \\fBspawn\\-fcgi\\fR(1), \\fBpeygir.env\\fR(5), \\fBpeygir\\-web\\fR(8)" },
    { .name = "peygir-demo-bot", .section = "1", .summary = "demonstration bot of Peygir", .programs = PROGRAM_BOT,
      .synopsis = "",
      .description =
          "Answers the calls of \\fBpeygir\\-worker\\fR(8) for the demonstration services credit\\-score\\-rating and "
          "document\\-ocr. It is the example of a bot written in C: it uses only what Peygir promises to bots in any "
          "language. The one\\-time code of the demonstration is always 12345. Some inputs make it misbehave on "
          "purpose. It is started by \\fB./run\\fR of the source tree, is not installed, and not meant for production.",
      .files = bot_files, .see_also = "\\fBpeygir.env\\fR(5), \\fBpeygir\\-worker\\fR(8)" },
    { .name = "peygir.env", .section = "5", .summary = "options of Peygir", .programs = PROGRAM_ALL,
      .description =
          "The file holds lines of the form \\fINAME\\fR=\\fIvalue\\fR. Blank lines and lines that begin with # are "
          "ignored, as are names of others; a word \\fBexport\\fR before the name is allowed. Blanks around the value "
          "go, and quotes around the whole value are removed; nothing else is special in it. "
          "An empty value means not set.\n.PP\n"
          "Every option has a built\\-in default. The file wins over it, the environment over the file, the command "
          "line over all. An unknown name that begins with PEYGIR_ and a value that is not accepted stop the "
          "program with status 78 and a sentence that says why.\n.PP\n"
          "Flags named here are those of \\fBpeygir\\-worker\\fR(8).",
      .files = program_files,
      .see_also = "\\fBpeygir\\fR(1), \\fBpeygir\\-web\\fR(8), \\fBpeygir\\-worker\\fR(8)" },
};

static void print_name(const char *name, bool upper)
{
    for (const char *p = name; *p; p++) {
        if (*p == '-')
            fputs("\\-", stdout);
        else
            putchar(upper && *p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
    }
}

static void print_entries(const struct entry *entry)
{
    for (; entry && entry->term; entry++)
        printf(".TP\n%s\n%s\n", entry->term, entry->text);
}

static void print_section(const char *title, const struct entry *entries)
{
    if (entries)
        printf(".SH %s\n", title);
    print_entries(entries);
}

static void print_head(const struct page *page)
{
    fputs(".TH ", stdout);
    print_name(page->name, true);
    printf(" %s \"\" \"Peygir %s\" \"Peygir\"\n.SH NAME\n", page->section, PACKAGE_VERSION);
    print_name(page->name, false);
    printf(" \\- %s\n", page->summary);
    if (page->synopsis) {
        fputs(".SH SYNOPSIS\n\\fB", stdout);
        print_name(page->name, false);
        printf("\\fR%s%s\n", *page->synopsis ? " " : "", page->synopsis);
    }
    printf(".SH DESCRIPTION\n%s\n", page->description);
}

static void print_options(const struct page *page, const struct settings *s)
{
    if (page->starts_as_all) {
        print_section("OPTIONS", common_flags);
        print_entries(page->flags);
        settings_print_roff(s, page->programs, true, stdout);
        puts(".SH ENVIRONMENT\nThese may also stand in the file, or be given by \\fB\\-\\-set\\fR.");
    } else {
        puts(page->synopsis ? ".SH ENVIRONMENT" : ".SH OPTIONS");
    }
    settings_print_roff(s, page->programs, false, stdout);
    if (!page->starts_as_all)
        settings_print_roff(s, page->programs, true, stdout);
}

static void print_page(const struct page *page)
{
    struct settings s;
    settings_init(&s, options_table, OPT_COUNT);
    print_head(page);
    if (page->verbs) {
        puts(".SH VERBS");
        mkman_verbs(stdout);
    }
    print_options(page, &s);
    print_section("FILES", page->files);
    print_section("EXIT STATUS", page->exits);
    printf(".SH SEE ALSO\n%s\n", page->see_also);
    settings_free(&s);
}

static int end_of_output(void)
{
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "completion") == 0) {
        mkman_completion(stdout);
        return end_of_output();
    }
    for (size_t i = 0; argc == 2 && i < ARRAY_LEN(pages); i++) {
        if (strcmp(argv[1], pages[i].name) == 0) {
            print_page(&pages[i]);
            return end_of_output();
        }
    }
    fputs("Usage: mkman NAME, where NAME is one of completion", stderr);
    for (size_t i = 0; i < ARRAY_LEN(pages); i++)
        fprintf(stderr, " %s", pages[i].name);
    fputs(".\n", stderr);
    return 2;
}
