/* SPDX-License-Identifier: Apache-2.0 */
#include "report/escape.h"
#include "core/locale.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* The code point at *p, which moves behind it; 0xfffd for a byte that begins no valid sequence. */
static uint32_t next_point(const char **p) {
    const unsigned char *s = (const unsigned char *)*p;
    size_t length = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    uint32_t point = length == 1 ? s[0] : s[0] & (0xffu >> (length + 1));
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    bool valid = s[0] < 0x80 || (s[0] >= 0xc2 && s[0] <= 0xf4);
    for (size_t i = 1; valid && i < length; i++) {
        valid = (s[i] & 0xc0) == 0x80;
        point = point << 6 | (s[i] & 0x3fu);
    }
    valid = valid && point >= least[length] && point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff);
    *p += valid ? length : 1;
    return valid ? point : 0xfffd;
}

static bool is_space(uint32_t point) {
    return point == '\t' || point == '\n' || point == '\r' || point == 0x2028 || point == 0x2029 || point == 0x85;
}

static bool is_hostile(uint32_t point) {
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0xfffe || point == 0xffff ||
           (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) || point == 0x200e ||
           point == 0x200f || point == 0x061c || point == 0xfeff;
}

void nz_put_clean(nz_text *out, const char *text) {
    bool after_space = false;
    for (const char *p = text; *p;) {
        const char *begin = p;
        uint32_t point = next_point(&p);
        bool space = is_space(point);
        if (space && !after_space)
            nz_text_append(out, " ");
        else if (!space && (point == 0xfffd || is_hostile(point)))
            nz_text_append(out, REPLACEMENT);
        else if (!space)
            nz_text_append_bytes(out, begin, (size_t)(p - begin));
        after_space = space;
    }
}

/* Appends the text with the characters of `from` replaced; bytes of longer UTF-8 sequences pass. */
static void put_replaced(nz_text *out, const char *text, const char *from, const char *const *to) {
    while (*text) {
        size_t run = strcspn(text, from);
        nz_text_append_bytes(out, text, run);
        text += run;
        if (*text) nz_text_append(out, to[strchr(from, *text++) - from]);
    }
}

void nz_put_html(nz_text *out, const char *text) {
    static const char *const to[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    put_replaced(out, text, "&<>\"'", to);
}

/* Characters beyond ASCII that netzip itself writes and that pdfTeX's default encoding lacks or spells otherwise. */
static const char *tex_point(uint32_t point) {
    static const struct {
        uint32_t point;
        const char *tex;
    } map[] = {{0xa0, "~"},           {0xb2, "$^{2}$"},
               {0xb3, "$^{3}$"},      {0xb5, "\\textmu{}"},
               {0xb9, "$^{1}$"},      {0xd7, "$\\times$"},
               {0x2013, "--"},        {0x2014, "---"},
               {0x2026, "\\ldots{}"}, {0x2070, "$^{0}$"},
               {0x207b, "$^{-}$"},    {0x2212, "$-$"},
               {0xfffd, "?"},         {0xb7, "\\textperiodcentered{}"},
               {0xb1, "$\\pm$"}};
    static const char *const raised[] = {"$^{4}$", "$^{5}$", "$^{6}$", "$^{7}$", "$^{8}$", "$^{9}$"};
    if (point >= 0x2074 && point <= 0x2079) return raised[point - 0x2074];
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        if (map[i].point == point) return map[i].tex;
    return NULL;
}

void nz_put_tex(nz_text *out, const char *text) {
    static const char special[] = "\\{}$&#_%~^<>|\"-'`";
    static const char *const to[] = {"\\textbackslash{}",
                                     "\\{",
                                     "\\}",
                                     "\\$",
                                     "\\&",
                                     "\\#",
                                     "\\_",
                                     "\\%",
                                     "\\textasciitilde{}",
                                     "\\textasciicircum{}",
                                     "\\textless{}",
                                     "\\textgreater{}",
                                     "\\textbar{}",
                                     "\\textquotedbl{}",
                                     "{-}",
                                     "{'}",
                                     "{`}"};
    for (const char *p = text; *p;) {
        const char *begin = p, *found = strchr(special, *p);
        const char *tex = found ? to[found - special] : NULL;
        uint32_t point = next_point(&p);
        if (!tex && point >= 0x80) tex = tex_point(point);
        if (tex)
            nz_text_append(out, tex);
        else
            nz_text_append_bytes(out, begin, (size_t)(p - begin));
    }
}

void nz_put_markdown(nz_text *out, const char *text) {
    static const char *const to[] = {"\\\\", "\\|",  "\\*",   "\\_", "\\`", "\\[", "\\]",
                                     "&lt;", "&gt;", "&amp;", "\\~", "\\#", "\\$"};
    put_replaced(out, text, "\\|*_`[]<>&~#$", to);
}

void nz_put_csv(nz_text *out, const char *text) {
    bool formula = *text && strchr("=+-@\t\r", *text);
    if (!formula && !strpbrk(text, "\",\r\n") && *text != ' ') {
        nz_text_append(out, text);
        return;
    }
    static const char *const to[] = {"\"\""};
    nz_text_append(out, formula ? "\"'" : "\"");
    put_replaced(out, text, "\"", to);
    nz_text_append(out, "\"");
}

static bool begins_character(char byte) { return ((unsigned char)byte & 0xc0) != 0x80; }

size_t nz_utf8_count(const char *text) {
    size_t count = 0;
    for (; *text; text++) count += begins_character(*text);
    return count;
}

void nz_put_short(nz_text *out, const char *text, size_t most) {
    size_t count = nz_utf8_count(text), index = 0;
    if (count <= most) {
        nz_text_append(out, text);
        return;
    }
    size_t tail = (most - 1) / 3, head = most - 1 - tail;
    for (const char *p = text; *p; p++) {
        if (begins_character(*p) && index++ == head) nz_text_append(out, "\xe2\x80\xa6");
        if (index <= head || index > count - tail) nz_text_append_bytes(out, p, 1);
    }
}

void nz_put_number(nz_text *out, double value) {
    char digits[NZ_REAL_DIGITS];
    if (!isfinite(value)) return;
    nz_real_digits(digits, value, 15);
    nz_text_append(out, digits);
}

void nz_put_fixed(nz_text *out, double value, int decimals) {
    char digits[360];
    nz_snprintf(digits, sizeof digits, "%.*f", decimals, value);
    bool zero = strspn(digits, "-0.") == strlen(digits);
    nz_text_append(out, zero && *digits == '-' ? digits + 1 : digits);
}

void nz_put_base64(nz_text *out, const uint8_t *bytes, size_t count) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < count; i += 3) {
        size_t left = count - i;
        unsigned group = (unsigned)bytes[i] << 16;
        if (left > 1) group |= (unsigned)bytes[i + 1] << 8;
        if (left > 2) group |= bytes[i + 2];
        char four[4] = {digits[group >> 18], digits[group >> 12 & 63], left > 1 ? digits[group >> 6 & 63] : '=',
                        left > 2 ? digits[group & 63] : '='};
        nz_text_append_bytes(out, four, sizeof four);
    }
}
