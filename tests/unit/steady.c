/* SPDX-License-Identifier: Apache-2.0 */
/* The end of warming up, on transients whose end is known. */
#include "core/random.h"
#include "netzip/blocks.h"
#include "test.h"

enum { COUNT = 120, RUNS = 200 };

typedef struct transient {
    const char *name;
    double height, decay; /* an exponential: height over the steady level, values until it falls to 1/e */
    size_t until;         /* a step: so many values at `height` */
    double noise, trend, spikes;
    size_t least, most; /* where the steady part may be said to begin; both COUNT: never */
    double share;       /* of the runs, at the least, in which it is */
} transient;

static const transient transients[] = {
    {.name = "none", .noise = 0.02, .most = 20, .share = 0.9},
    {.name = "exponential", .height = 1, .decay = 6, .noise = 0.02, .least = 15, .most = 40, .share = 0.9},
    {.name = "step", .height = 0.3, .until = 25, .noise = 0.02, .least = 25, .most = 40, .share = 0.9},
    {.name = "step that is faster", .height = -0.2, .until = 25, .noise = 0.02, .least = 25, .most = 40, .share = 0.9},
    {.name = "step with outliers",
     .height = 0.3,
     .until = 25,
     .noise = 0.02,
     .spikes = 0.05,
     .least = 25,
     .most = 40,
     .share = 0.85},
    {.name = "step with a late outlier alone",
     .noise = 0.001,
     .height = 0.5,
     .until = 3,
     .spikes = 0.02,
     .least = 3,
     .most = 20,
     .share = 0.85},
    {.name = "a trend that does not end", .trend = 0.3, .noise = 0.01, .least = COUNT, .most = COUNT, .share = 0.98},
    {.name = "a step in the second half",
     .height = 0.3,
     .until = 80,
     .noise = 0.02,
     .least = COUNT,
     .most = COUNT,
     .share = 0.98},
};

static void known_transients_are_cut_off(void **state) {
    (void)state;
    for (size_t t = 0; t < sizeof transients / sizeof *transients; t++) {
        const transient *how = &transients[t];
        size_t right = 0;
        for (uint64_t run = 0; run < RUNS; run++) {
            double values[COUNT];
            size_t first = COUNT;
            bool steady;
            nz_random random;
            nz_random_init(&random, 9, run);
            for (size_t i = 0; i < COUNT; i++) {
                double level = 1 + how->trend * (double)i / COUNT;
                if (how->decay > 0) level += how->height * exp(-(double)i / how->decay);
                if (i < how->until) level += how->height;
                level *= 1 + how->noise * nz_random_normal(&random);
                values[i] = nz_random_unit(&random) < how->spikes ? 5 * level : level;
            }
            nz_assert_ok(nz_steady_from(&first, &steady, values, COUNT));
            assert_true(steady == (first != COUNT));
            right += first >= how->least && first <= how->most;
        }
        print_message("# %s: right in %zu of %d\n", how->name, right, RUNS);
        assert_true((double)right >= how->share * RUNS);
    }
}

static void the_ends_of_the_definition(void **state) {
    (void)state;
    double values[20] = {0};
    size_t first = 99;
    bool steady = true;
    nz_assert_ok(nz_steady_from(&first, &steady, values, 9));
    assert_true(!steady && first == 99);
    nz_assert_ok(nz_steady_from(&first, &steady, values, 20)); /* constant */
    assert_true(steady && first == 0);
    values[0] = values[1] = 4;
    nz_assert_ok(nz_steady_from(&first, &steady, values, 20));
    assert_true(steady && first <= 2);
    values[5] = NAN;
    nz_assert_fails(nz_steady_from(&first, &steady, values, 20), NZ_E_ARG, "value 5");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_transients_are_cut_off),
        cmocka_unit_test(the_ends_of_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
