/* SPDX-License-Identifier: Apache-2.0 */
#include "core/locale.h"

#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void make(void) { c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

/* The calling thread's locale becomes C; what it was is returned, for uselocale. */
static locale_t enter(void) {
    pthread_once(&once, make);
    return uselocale(c_locale); /* (locale_t)0, which changes nothing, where there was no memory for one */
}

int nz_vsnprintf(char *ret_text, size_t capacity, const char *format, va_list args) {
    locale_t before = enter();
    int length = vsnprintf(ret_text, capacity, format, args);
    uselocale(before);
    return length;
}

int nz_snprintf(char *ret_text, size_t capacity, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = nz_vsnprintf(ret_text, capacity, format, args);
    va_end(args);
    return length;
}

double nz_strtod(const char *text, char **ret_end) {
    locale_t before = enter();
    double value = strtod(text, ret_end);
    uselocale(before);
    return value;
}

void nz_real_digits(char ret_digits[NZ_REAL_DIGITS], double value, int least) {
    for (int precision = least; precision <= 17; precision++) {
        nz_snprintf(ret_digits, NZ_REAL_DIGITS, "%.*g", precision, value);
        if (nz_strtod(ret_digits, NULL) == value) break;
    }
}
