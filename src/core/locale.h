/* SPDX-License-Identifier: Apache-2.0 */
/** Numbers in text that look the same whatever locale the program around the library has chosen: the sign is a point. */
#ifndef NZ_CORE_LOCALE_H
#define NZ_CORE_LOCALE_H

#include <stdarg.h>
#include <stddef.h>

#include "netzip/status.h"

/** snprintf, vsnprintf and strtod in the C locale. */
int nz_snprintf(char *ret_text, size_t capacity, const char *format, ...) NZ_PRINTF(3, 4);
int nz_vsnprintf(char *ret_text, size_t capacity, const char *format, va_list args) NZ_PRINTF(3, 0);
double nz_strtod(const char *text, char **ret_end);

enum { NZ_REAL_DIGITS = 32 };
/** The fewest digits, at least `least` of them (1 to 17), that read back as the same number; ends with a 0. */
void nz_real_digits(char ret_digits[NZ_REAL_DIGITS], double value, int least);

#endif
