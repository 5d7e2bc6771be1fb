/* SPDX-License-Identifier: Apache-2.0 */
/** Text from outside on its way into a format: names, reasons and paths may hold anything. */
#ifndef NZ_REPORT_ESCAPE_H
#define NZ_REPORT_ESCAPE_H

#include <stdint.h>

#include "core/text.h"

/**
 * Appends UTF-8 text for showing: line breaks and tabs become one space, other control characters, characters that XML
 * forbids and those that change the direction of the text around them become U+FFFD. Invalid bytes too.
 */
void nz_put_clean(nz_text *out, const char *text);

void nz_put_html(nz_text *out, const char *text);     /**< element content and quoted attributes of HTML and XML */
void nz_put_tex(nz_text *out, const char *text);      /**< LaTeX text mode */
void nz_put_markdown(nz_text *out, const char *text); /**< a cell of a table: markup and pipes are taken literally */
/** A field of CSV: quoted where it must be. Text that a spreadsheet would run as a formula gets an apostrophe in front. */
void nz_put_csv(nz_text *out, const char *text);

/** Bytes in base64, padded. */
void nz_put_base64(nz_text *out, const uint8_t *bytes, size_t count);

/** Appends at most `most` characters; of a longer text the beginning and the end with an ellipsis between. most >= 3. */
void nz_put_short(nz_text *out, const char *text, size_t most);
size_t nz_utf8_count(const char *text); /**< characters */

/** The shortest decimal text that reads back as the same double; "" for what is not finite. Locale-independent. */
void nz_put_number(nz_text *out, double value);
/** `value` with a fixed number of decimals, 0..9; never "-0". Locale-independent. */
void nz_put_fixed(nz_text *out, double value, int decimals);

#endif
