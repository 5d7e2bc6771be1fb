/* SPDX-License-Identifier: Apache-2.0 */
/* Bootstrap over images: the fast way against the literal one, and whether its intervals hold what they promise. */
#include <math.h>

#include "core/random.h"
#include "netzip/detection.h"
#include "netzip/metric.h"
#include "test.h"

enum { CLASSES = 3, MOST = 80 };

/* Images with up to 4 objects each, found more or less, and some false detections; no two scores are equal. */
typedef struct scene {
    nz_detections d;
    nz_truth_box truths[MOST * 4];
    nz_found_box found[MOST * 8];
} scene;

static double between(nz_random *r, double low, double high) { return low + (high - low) * nz_random_unit(r); }

static void add_image(scene *s, nz_random *r, int image, double skill) {
    size_t objects = nz_random_below(r, 5);
    for (size_t i = 0; i < objects; i++) {
        nz_truth_box t = {.image = image,
                          .class_index = (int32_t)nz_random_below(r, CLASSES),
                          .x = between(r, 0, 300),
                          .y = between(r, 0, 300),
                          .width = between(r, 20, 150),
                          .height = between(r, 20, 150),
                          .crowd = nz_random_below(r, 12) == 0};
        t.area = t.width * t.height;
        s->truths[s->d.truth_count++] = t;
        double off = between(r, 0, 0.3), score = between(r, 0.3, 1), seen = nz_random_unit(r);
        if (seen < skill)
            s->found[s->d.found_count++] = (nz_found_box){.image = image,
                                                          .class_index = t.class_index,
                                                          .x = t.x + off * t.width,
                                                          .y = t.y,
                                                          .width = t.width,
                                                          .height = t.height,
                                                          .score = score};
    }
    for (size_t i = nz_random_below(r, 3); i > 0; i--)
        s->found[s->d.found_count++] = (nz_found_box){.image = image,
                                                      .class_index = (int32_t)nz_random_below(r, CLASSES),
                                                      .x = between(r, 0, 300),
                                                      .y = between(r, 0, 300),
                                                      .width = 50,
                                                      .height = 50,
                                                      .score = between(r, 0, 0.9)};
}

static void make(scene *s, uint64_t seed, int images, double skill) {
    nz_random r;
    nz_random_init(&r, seed, 7);
    s->d =
        (nz_detections){.image_count = (size_t)images, .class_count = CLASSES, .truths = s->truths, .found = s->found};
    for (int i = 0; i < images; i++) add_image(s, &r, i, skill);
}

/* The set with its images as they were drawn, each under a number of its own; those of one image stand together, as equal
 * precisions at equal scores would have it. */
static nz_coco_result of_resample(const scene *s, const int *drawn) {
    static scene again; /* a resample may hold the fullest image over and over */
    static nz_truth_box truths[MOST * MOST];
    static nz_found_box found[MOST * MOST];
    int image = 0;
    nz_coco_result result;
    again.d =
        (nz_detections){.image_count = s->d.image_count, .class_count = CLASSES, .truths = truths, .found = found};
    for (int i = 0; i < (int)s->d.image_count; i++)
        for (int k = 0; k < drawn[i]; k++, image++) {
            for (size_t b = 0; b < s->d.truth_count; b++)
                if (s->truths[b].image == i) {
                    truths[again.d.truth_count] = s->truths[b];
                    truths[again.d.truth_count++].image = image;
                }
            for (size_t b = 0; b < s->d.found_count; b++)
                if (s->found[b].image == i) {
                    found[again.d.found_count] = s->found[b];
                    found[again.d.found_count++].image = image;
                }
        }
    nz_assert_ok(nz_coco_evaluate(&result, &again.d));
    return result;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void weights_give_what_copies_of_images_give(void **state) {
    (void)state;
    enum { REPLICATES = 101 };
    for (uint64_t seed = 0; seed < 8; seed++) {
        static scene s;
        nz_map_interval interval;
        nz_random r;
        double values[NZ_MAP_STATS][REPLICATES];
        make(&s, seed, 12, 0.7);
        nz_assert_ok(nz_map_interval_get(&interval, &s.d, NULL, REPLICATES, seed));
        nz_random_init(&r, seed, 0);
        for (int i = 0; i < REPLICATES; i++) {
            int drawn[MOST] = {0};
            for (size_t k = 0; k < s.d.image_count; k++) drawn[nz_random_below(&r, s.d.image_count)]++;
            nz_coco_result result = of_resample(&s, drawn);
            values[NZ_MAP50][i] = result.stats[NZ_COCO_AP50];
            values[NZ_MAP50_95][i] = result.stats[NZ_COCO_AP];
            nz_coco_result_done(&result);
        }
        for (int k = 0; k < NZ_MAP_STATS; k++) {
            double mean = 0;
            for (int i = 0; i < REPLICATES; i++) mean += values[k][i] / REPLICATES;
            qsort(values[k], REPLICATES, sizeof *values[k], ascending);
            for (int end = 0; end < 2; end++) {
                double expected = nz_quantile(values[k], REPLICATES, end ? 0.975 : 0.025) - mean + interval.value[k];
                nz_assert_near(interval.ci95[k][end], fmin(fmax(expected, 0), 1), 0, 1e-5);
            }
        }
    }
}

static void the_same_seed_gives_the_same_interval_and_a_model_does_not_differ_from_itself(void **state) {
    (void)state;
    static scene s;
    nz_map_interval first, second;
    make(&s, 3, 40, 0.6);
    nz_assert_ok(nz_map_interval_get(&first, &s.d, &s.d, 200, 5));
    nz_assert_ok(nz_map_interval_get(&second, &s.d, &s.d, 200, 5));
    assert_memory_equal(&first, &second, sizeof first);
    assert_true(first.has_difference);
    for (int k = 0; k < NZ_MAP_STATS; k++) {
        nz_assert_near(first.difference[k], 0, 0, 0);
        nz_assert_near(first.difference_ci95[k][0], 0, 0, 0);
        nz_assert_near(first.difference_ci95[k][1], 0, 0, 0);
        assert_true(first.ci95[k][0] < first.value[k] && first.value[k] < first.ci95[k][1]);
    }
}

/* What sets of as many images give on average should lie in 95% of the intervals: in 190 of 200, and of such counts hardly one in
 * a thousand lies outside 180 to 198. (Where two models differ in a handful of detections it is nearer to 90%, as for any
 * resampling of so few.) */
static void intervals_hold_the_mean_of_other_sets(void **state) {
    (void)state;
    enum { SETS = 200, IMAGES = 80 };
    double mean[NZ_MAP_STATS] = {0}, difference[NZ_MAP_STATS] = {0};
    static nz_map_interval intervals[SETS];
    int held[NZ_MAP_STATS] = {0}, held_difference[NZ_MAP_STATS] = {0};
    for (int i = 0; i < SETS; i++) {
        static scene better, worse;
        make(&better, 1000 + (uint64_t)i, IMAGES, 0.8);
        make(&worse, 1000 + (uint64_t)i, IMAGES, 0.5); /* the same images and draws; finds less */
        nz_assert_ok(nz_map_interval_get(&intervals[i], &better.d, &worse.d, 192, (uint64_t)i));
        for (int k = 0; k < NZ_MAP_STATS; k++) {
            mean[k] += intervals[i].value[k] / SETS;
            difference[k] += intervals[i].difference[k] / SETS;
        }
    }
    for (int i = 0; i < SETS; i++)
        for (int k = 0; k < NZ_MAP_STATS; k++) {
            held[k] += intervals[i].ci95[k][0] <= mean[k] && mean[k] <= intervals[i].ci95[k][1];
            held_difference[k] += intervals[i].difference_ci95[k][0] <= difference[k] &&
                                  difference[k] <= intervals[i].difference_ci95[k][1];
        }
    for (int k = 0; k < NZ_MAP_STATS; k++) {
        print_message("# of %d intervals %d hold the mean, %d that of the difference\n", SETS, held[k],
                      held_difference[k]);
        assert_in_range(held[k], 180, 198);
        assert_in_range(held_difference[k], 180, 198);
        assert_true(difference[k] > 0.02);
    }
}

static void what_cannot_be_resampled_is_refused(void **state) {
    (void)state;
    static scene s, other;
    nz_map_interval interval;
    make(&s, 1, 5, 0.5);
    make(&other, 1, 6, 0.5);
    nz_assert_fails(nz_map_interval_get(&interval, &s.d, NULL, 0, 0), NZ_E_ARG, "no resamples");
    nz_assert_fails(nz_map_interval_get(&interval, &s.d, &other.d, 10, 0), NZ_E_ARG, "5");
    s.d.truth_count = 0;
    nz_assert_fails(nz_map_interval_get(&interval, &s.d, NULL, 10, 0), NZ_E_ARG, "no resample has an object");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_give_what_copies_of_images_give),
        cmocka_unit_test(the_same_seed_gives_the_same_interval_and_a_model_does_not_differ_from_itself),
        cmocka_unit_test(intervals_hold_the_mean_of_other_sets),
        cmocka_unit_test(what_cannot_be_resampled_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
