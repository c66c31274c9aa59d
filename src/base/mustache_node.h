/* mustache_node.h: what parsing hands to rendering. Only for mustache.c and mustache_render.c. */
#ifndef PEYGIR_MUSTACHE_NODE_H
#define PEYGIR_MUSTACHE_NODE_H

#include <stdbool.h>
#include <stdint.h>

enum node_type { NODE_TEXT, NODE_VALUE, NODE_RAW_VALUE, NODE_SECTION, NODE_INVERTED, NODE_PARTIAL };

/* Offsets are into mustache.text. */
struct node {
    uint32_t at;      /* TEXT: the bytes; else the name, its parts NUL-terminated one after the other */
    uint32_t len;     /* TEXT: bytes; PARTIAL: bytes of indentation; sections: index of the first node behind it */
    uint32_t indent;  /* PARTIAL: the indentation of a tag alone on its line */
    uint8_t type;
    uint8_t parts;    /* of a name; 0: the name is "." */
    bool line_start;  /* TEXT: its first byte (or, with none, the tag behind it) begins a line; PARTIAL: alone on it */
};

struct mustache {
    char *name;
    char *text; /* the template; names in tags are cut into parts in place */
    struct node *node;
    uint32_t count, cap;
};

#endif
