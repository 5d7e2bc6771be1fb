/* SPDX-License-Identifier: Apache-2.0 */
#include "data/voc_xml.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include <expat.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/objects.h"

enum { DEPTH_MOST = 64, TEXT_MOST = 4096, OBJECTS_MOST = 1000000 };

/* Elements that matter, by where they stand. */
static const char *const paths[] = {
    "/annotation/object",
    "/annotation/object/name",
    "/annotation/object/difficult",
    "/annotation/object/bndbox/xmin",
    "/annotation/object/bndbox/ymin",
    "/annotation/object/bndbox/xmax",
    "/annotation/object/bndbox/ymax",
    "/annotation/size/width",
    "/annotation/size/height",
};
enum { OBJECT, NAME, DIFFICULT, XMIN, YMIN, XMAX, YMAX, WIDTH, HEIGHT, PATHS, ELSEWHERE = PATHS };

typedef struct reader {
    XML_Parser parser;
    const char *name;
    nz_voc_label label;
    nz_status status; /* the first failure; parsing is stopped then */
    char path[256];   /* of the element that is open, "/annotation/object"; "" where it is too long to matter */
    size_t lengths[DEPTH_MOST]; /* of the path, at each depth */
    size_t depth, length;
    char text[TEXT_MOST]; /* of the innermost element */
    size_t used;
    bool has[PATHS];
    double edges[4]; /* xmin, ymin, xmax, ymax */
} reader;

static void stop(reader *r, nz_status status) {
    if (r->status == NZ_OK) r->status = status;
    XML_StopParser(r->parser, XML_FALSE);
}

static size_t line_of(const reader *r) { return (size_t)XML_GetCurrentLineNumber(r->parser); }

static int element_of(const reader *r) {
    for (int e = 0; e < PATHS; e++)
        if (strcmp(r->path, paths[e]) == 0) return e;
    return ELSEWHERE;
}

static void begin_object(reader *r) {
    memset(r->has, 0, sizeof r->has);
    if (r->label.count >= OBJECTS_MOST) {
        stop(r, nz_fail(NZ_E_FORMAT, "%s:%zu: more than %d objects", r->name, line_of(r), OBJECTS_MOST));
        return;
    }
    nz_status status = nz_grow(&r->label.objects, &r->label.capacity, r->label.count + 1, sizeof *r->label.objects);
    if (status != NZ_OK) {
        stop(r, status);
        return;
    }
    r->label.objects[r->label.count++] = (nz_voc_object){.line = line_of(r)};
}

static void XMLCALL on_start(void *user, const XML_Char *element, const XML_Char **attributes) {
    reader *r = user;
    (void)attributes;
    if (r->status != NZ_OK) return;
    if (r->depth == DEPTH_MOST) {
        stop(r,
             nz_fail(NZ_E_FORMAT, "%s:%zu: more than %d elements within each other", r->name, line_of(r), DEPTH_MOST));
        return;
    }
    if (!r->depth && strcmp(element, "annotation") != 0) {
        stop(r, nz_fail(NZ_E_FORMAT, "%s:%zu: the outermost element should be 'annotation'", r->name, line_of(r)));
        return;
    }
    r->lengths[r->depth++] = r->length;
    size_t added = strlen(element);
    if (r->length + added + 2 > sizeof r->path) { /* longer than any that matters */
        r->length = sizeof r->path;
        r->path[0] = '\0';
    } else {
        r->path[r->length] = '/';
        memcpy(r->path + r->length + 1, element, added + 1);
        r->length += added + 1;
    }
    r->used = 0;
    if (element_of(r) == OBJECT) begin_object(r);
}

static void XMLCALL on_text(void *user, const XML_Char *text, int length) {
    reader *r = user;
    size_t room = sizeof r->text - 1 - r->used, count = (size_t)length < room ? (size_t)length : room;
    memcpy(r->text + r->used, text, count);
    r->used += count;
}

/* The text of the element that ends, without blanks around it. */
static char *trimmed(reader *r) {
    static const char blanks[] = " \t\r\n";
    r->text[r->used] = '\0';
    size_t length = strlen(r->text);
    while (length && strchr(blanks, r->text[length - 1])) r->text[--length] = '\0';
    return r->text + strspn(r->text, blanks);
}

static nz_status take_value(reader *r, int element) {
    nz_voc_object *o = &r->label.objects[r->label.count - 1];
    const char *text = trimmed(r);
    double value = 0;
    if (r->has[element])
        return nz_fail(NZ_E_FORMAT, "%s:%zu: '%s' a second time", r->name, line_of(r),
                       strrchr(paths[element], '/') + 1);
    r->has[element] = true;
    if (element == NAME) {
        if (!*text) return nz_fail(NZ_E_FORMAT, "%s:%zu: the object's name is empty", r->name, line_of(r));
        return nz_strdup(&o->name, text);
    }
    if (nz_parse_double(&value, text, "") != NZ_OK || !(fabs(value) <= nz_object_place_most))
        return nz_fail(NZ_E_FORMAT, "%s:%zu: '%s' is no number", r->name, line_of(r), strrchr(paths[element], '/') + 1);
    if (element == DIFFICULT)
        o->object.crowd = value != 0;
    else
        r->edges[element - XMIN] = value;
    return NZ_OK;
}

/* Programs that do not know it write 0, or nothing. */
static void take_extent(reader *r, int element) {
    double value = 0;
    if (nz_parse_double(&value, trimmed(r), "") != NZ_OK || !(value >= 1 && value <= NZ_IMAGE_SIDE_MAX)) return;
    *(element == WIDTH ? &r->label.width : &r->label.height) = (int)value;
}

static nz_status end_object(reader *r) {
    nz_voc_object *o = &r->label.objects[r->label.count - 1];
    static const int needed[] = {NAME, XMIN, YMIN, XMAX, YMAX};
    for (size_t i = 0; i < NZ_COUNT(needed); i++)
        if (!r->has[needed[i]])
            return nz_fail(NZ_E_FORMAT, "%s:%zu: the object has no '%s'", r->name, o->line,
                           strrchr(paths[needed[i]], '/') + 1);
    const double *e = r->edges;
    if (e[2] < e[0] || e[3] < e[1])
        return nz_fail(NZ_E_FORMAT, "%s:%zu: the object's box ends before it begins", r->name, o->line);
    o->object.x = e[0] - 1;
    o->object.y = e[1] - 1;
    o->object.width = e[2] - e[0] + 1;
    o->object.height = e[3] - e[1] + 1;
    o->object.area = o->object.width * o->object.height;
    return NZ_OK;
}

static void XMLCALL on_end(void *user, const XML_Char *element) {
    reader *r = user;
    (void)element;
    if (r->status != NZ_OK || !r->depth) return;
    int at = element_of(r);
    nz_status status = NZ_OK;
    if (at == OBJECT)
        status = end_object(r);
    else if (at == WIDTH || at == HEIGHT)
        take_extent(r, at);
    else if (at != ELSEWHERE)
        status = take_value(r, at);
    if (status != NZ_OK) {
        stop(r, status);
        return;
    }
    r->length = r->lengths[--r->depth];
    if (r->length < sizeof r->path) {
        r->path[0] = '/'; /* where an element that is longer than any that matters has ended */
        r->path[r->length] = '\0';
    }
    r->used = 0;
}

static void XMLCALL on_doctype(void *user, const XML_Char *doctype, const XML_Char *system_id,
                               const XML_Char *public_id, int has_subset) {
    reader *r = user;
    (void)doctype, (void)system_id, (void)public_id, (void)has_subset;
    stop(r, nz_fail(NZ_E_FORMAT, "%s:%zu: a document type declaration; annotations need none, and it is not read",
                    r->name, line_of(r)));
}

void nz_voc_label_done(nz_voc_label *label) {
    for (size_t i = 0; i < label->count; i++) free(label->objects[i].name);
    free(label->objects);
    *label = (nz_voc_label){0};
}

static nz_status parse(reader *r, const char *bytes, size_t count) {
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    if (XML_Parse(r->parser, bytes, (int)count, XML_TRUE) == XML_STATUS_OK) return r->status;
    if (r->status != NZ_OK) return r->status;
    enum XML_Error error = XML_GetErrorCode(r->parser);
    if (error == XML_ERROR_NO_MEMORY) return nz_fail(NZ_E_MEMORY, "%s: out of memory", r->name);
    return nz_fail(NZ_E_FORMAT, "%s:%zu: not valid XML: %s", r->name, line_of(r), XML_ErrorString(error));
}

nz_status nz_voc_label_parse(nz_voc_label *ret_label, const char *bytes, size_t count, const char *name) {
    NZ_AUTO_FREE reader *r = NULL;
    if (count > INT_MAX) return nz_fail(NZ_E_FORMAT, "%s: more than %d bytes", name, INT_MAX);
    NZ_TRY(nz_alloc(&r, 1, sizeof *r));
    r->name = name;
    r->parser = XML_ParserCreate(NULL);
    if (!r->parser) return nz_fail(NZ_E_MEMORY, "%s: out of memory", name);
    nz_status status = parse(r, bytes, count);
    XML_ParserFree(r->parser);
    if (status != NZ_OK) {
        nz_voc_label_done(&r->label);
        return status;
    }
    *ret_label = r->label;
    return NZ_OK;
}
