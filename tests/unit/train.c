/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the training loop that need no network: options, losses, schedules. */
#include "core/memory.h"
#include "netzip/arch.h"
#include "test.h"
#include "train/loop.h"
#include "train/schedule.h"

/* ---- options ---- */

static void test_defaults_are_settled(void **unused) {
    (void)unused;
    nz_train_options o;
    nz_assert_ok(nz_train_options_read(&o, NULL));
    assert_int_equal(o.schedule, NZ_SCHEDULE_ONECYCLE);
    nz_assert_near(o.epochs, 15, 0, 0);
    nz_assert_near(o.warmup, 4.5, 1e-12, 0);
    assert_true(o.nesterov);
    nz_train_options_done(&o);
    nz_assert_ok(nz_train_options_read(&o, "schedule=cosine"));
    nz_assert_near(o.warmup, 0, 0, 0);
    nz_train_options_done(&o);
}

static void test_the_rate_follows_batch_optimiser_and_network(void **unused) {
    (void)unused;
    static const struct {
        const char *arch, *options;
        double rate, clip;
    } cases[] = {{"resnet8", "", 0.4, 0},
                 {"resnet8", "batch=32", 0.1, 0},
                 {"resnet8", "batch=1024", 0.8, 0},
                 {"resnet8", "lr=0.3,clip_norm=2", 0.3, 2},
                 {"resnet8", "optimizer=adamw", 0.002, 0},
                 {"squeezenet1.1", "", 0.05, 1},
                 {"vgg11", "lr=0.3,clip_norm=5", 0.3, 5},
                 {"vgg11", "clip_norm=0", 0.05, 0},
                 {"vgg11", "clip_norm=-1", 0.05, 1},
                 {"vgg11-bn", "", 0.4, 0}};
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        nz_train_options o;
        nz_graph *graph = NULL;
        nz_assert_ok(nz_train_options_read(&o, cases[i].options));
        nz_assert_ok(nz_arch_build(&graph, cases[i].arch, &(nz_arch_options){.blank = true}));
        nz_assert_near(nz_train_rate(&o, graph), cases[i].rate, 1e-12, 0);
        nz_assert_near(nz_train_clip(&o, graph), cases[i].clip, 0, 0);
        nz_graph_free(graph);
        nz_train_options_done(&o);
    }
}

static void test_text_reads_back(void **unused) {
    (void)unused;
    nz_train_options o, again;
    char *text = NULL, *second = NULL;
    nz_assert_ok(nz_train_options_read(
        &o, "epochs=2.5,lr=0.1,schedule=step,milestones=1+2,nesterov=0,augment=crop=2+flip=1,loss=mse,precision=bf16"));
    nz_assert_ok(nz_train_options_text(&text, &o));
    nz_assert_ok(nz_train_options_read(&again, text));
    nz_assert_ok(nz_train_options_text(&second, &again));
    assert_string_equal(text, second);
    assert_non_null(strstr(text, "lr=0.1,schedule=step,"));
    assert_non_null(strstr(text, "augment=crop=2+flip=1"));
    assert_non_null(strstr(text, ",clip_norm=-1,")); /* left to the network, as it was given */
    free(text);
    free(second);
    nz_train_options_done(&o);
    nz_train_options_done(&again);
}

static void test_wrong_options_are_named(void **unused) {
    (void)unused;
    nz_train_options o;
    nz_assert_fails(nz_train_options_read(&o, "epochz=3"), NZ_E_ARG, "did you mean 'epochs'");
    nz_assert_fails(nz_train_options_read(&o, "epochs=0"), NZ_E_ARG, "epochs=0 is outside");
    nz_assert_fails(nz_train_options_read(&o, "batch=-1"), NZ_E_ARG, "batch=-1");
    nz_assert_fails(nz_train_options_read(&o, "optimizer=adam"), NZ_E_ARG, "sgd|adamw");
    nz_assert_fails(nz_train_options_read(&o, "schedule=step"), NZ_E_ARG, "milestones");
    nz_assert_fails(nz_train_options_read(&o, "milestones=8+4"), NZ_E_ARG, "ascending");
    nz_assert_fails(nz_train_options_read(&o, "milestones=8+x"), NZ_E_ARG, "milestones");
    nz_assert_fails(nz_train_options_read(&o, "augment=crap=4"), NZ_E_ARG, "crap");
}

static void test_table_has_help(void **unused) {
    (void)unused;
    const char *initial = NULL, *help = NULL;
    size_t count = 0;
    for (; nz_train_option(count, &initial, &help); count++) assert_true(initial && help && *help);
    size_t rows = 0;
    assert_non_null(nz_train_option_table(&rows));
    assert_int_equal(rows, count);
}

/* ---- losses ---- */

enum { ROWS = 3, CLASSES = 5 };
static const float some_logits[ROWS * CLASSES] = {0.3F, -1.2F, 2.0F, 0.0F, 0.7F,  5.0F, 4.0F, -3.0F,
                                                  1.0F, 0.5F,  0.1F, 0.2F, -0.3F, 0.4F, -2.0F};
static const float other_logits[ROWS * CLASSES] = {1.3F, -0.2F, 1.0F, 0.5F, -0.7F, 2.0F, 4.5F, -1.0F,
                                                   0.0F, 0.2F,  0.9F, 1.2F, -1.3F, 0.4F, -1.0F};
static const int32_t some_labels[ROWS] = {2, 1, 4};

typedef double (*loss_of)(const float *x, float *dx);
static double smooth(const float *x, float *dx) {
    return nz_loss_cross_entropy(x, some_labels, ROWS, CLASSES, 0.1, dx);
}
static double sharp(const float *x, float *dx) { return nz_loss_cross_entropy(x, some_labels, ROWS, CLASSES, 0, dx); }
static double square(const float *x, float *dx) { return nz_loss_mse(x, other_logits, ROWS * CLASSES, 0.7, dx); }
static double distil(const float *x, float *dx) { return nz_loss_kl(x, other_logits, ROWS, CLASSES, 3, 0.6, dx); }

/* Against central differences, and that the gradient of those that add is added. */
static void check_gradient(loss_of loss, bool adds) {
    float x[ROWS * CLASSES], dx[ROWS * CLASSES];
    memcpy(x, some_logits, sizeof x);
    for (size_t i = 0; i < ROWS * CLASSES; i++) dx[i] = adds ? 1 : NAN;
    double value = loss(x, dx);
    nz_assert_near(loss(x, NULL), value, 0, 0);
    for (size_t i = 0; i < ROWS * CLASSES; i++) {
        const float before = x[i], step = 1.0F / 128;
        x[i] = before + step;
        double above = loss(x, NULL);
        x[i] = before - step;
        double below = loss(x, NULL);
        x[i] = before;
        nz_assert_near(dx[i] - (adds ? 1.0 : 0.0), (above - below) * 64, 2e-4, 2e-6);
    }
}

static void test_gradients_match_differences(void **unused) {
    (void)unused;
    check_gradient(sharp, false);
    check_gradient(smooth, false);
    check_gradient(square, true);
    check_gradient(distil, true);
}

static void test_losses_have_known_values(void **unused) {
    (void)unused;
    const float even[4] = {1, 1, 1, 1}, steep[2] = {1000, 0};
    const int32_t zero = 0, one = 1;
    nz_assert_near(nz_loss_cross_entropy(even, &zero, 1, 4, 0, NULL), log(4), 1e-12, 0);
    nz_assert_near(nz_loss_cross_entropy(even, &zero, 1, 4, 0.3, NULL), log(4), 1e-12, 0);
    nz_assert_near(nz_loss_cross_entropy(steep, &one, 1, 2, 0, NULL), 1000, 1e-12, 0);
    nz_assert_near(nz_loss_cross_entropy(steep, &zero, 1, 2, 0, NULL), 0, 0, 1e-12);
    nz_assert_near(nz_loss_kl(even, even, 1, 4, 2, 1, NULL), 0, 0, 1e-15);
    /* p = (3/4, 1/4) against (1/2, 1/2) at temperature 1 */
    const float teacher[2] = {1.0986123F, 0}, student[2] = {0, 0};
    nz_assert_near(nz_loss_kl(student, teacher, 1, 2, 1, 1, NULL), 0.75 * log(1.5) + 0.25 * log(0.5), 1e-6, 0);
    nz_assert_near(nz_loss_mse(steep, even, 2, 0.5, NULL), 0.5 * (999.0 * 999.0 + 1) / 2, 1e-12, 0);
}

static void test_a_loss_that_is_no_number_stays_one(void **unused) {
    (void)unused;
    const float broken[3] = {1, NAN, 0}, infinite[2] = {INFINITY, 0};
    const int32_t zero = 0;
    nz_assert_nan(nz_loss_cross_entropy(broken, &zero, 1, 3, 0, NULL));
    nz_assert_nan(nz_loss_cross_entropy(infinite, &zero, 1, 2, 0, NULL));
}

/* ---- schedules ---- */

static nz_pace pace_of(const nz_train_options *options, uint64_t steps, double steps_per_epoch) {
    return (nz_pace){.options = options, .steps = steps, .steps_per_epoch = steps_per_epoch};
}

/* The values of torch.optim.lr_scheduler.OneCycleLR(max_lr=0.4, total_steps=20, pct_start=0.3), PyTorch 1.13. */
static void test_onecycle_is_pytorchs(void **unused) {
    (void)unused;
    static const double expected[20] = {
        0.016,          0.05266873708,   0.14866873708,   0.26733126292,   0.36333126292,    0.4,       0.394985602494,
        0.380193852805, 0.356366471028,  0.32469826158,   0.286777200717,  0.244504808775,   0.2000008, 0.155496791225,
        0.113224399283, 0.0753033384201, 0.0436351289716, 0.0198077471946, 0.00501599750597, 1.6e-06};
    static const double momenta[20] = {
        0.95,           0.940450849719, 0.915450849719, 0.884549150281, 0.859549150281, 0.85, 0.851253604391,
        0.854951556605, 0.860908425877, 0.868825509907, 0.878305813044, 0.888873953302, 0.9,  0.911126046698,
        0.921694186956, 0.931174490093, 0.939091574123, 0.945048443395, 0.948746395609, 0.95};
    nz_train_options o;
    nz_assert_ok(nz_train_options_read(&o, "epochs=2,lr=0.4,momentum=0.95,momentum_low=0.85"));
    nz_pace pace = pace_of(&o, 20, 10);
    for (uint64_t i = 0; i < 20; i++) {
        nz_assert_near(nz_schedule_rate(&pace, i), expected[i], 1e-9, 1e-12);
        nz_assert_near(nz_schedule_momentum(&pace, o.momentum, i), momenta[i], 1e-9, 0);
    }
    nz_train_options_done(&o);
}

static void test_other_schedules(void **unused) {
    (void)unused;
    nz_train_options o;
    const double milestones[] = {1, 1.5};
    nz_assert_ok(nz_train_options_read(&o, "schedule=step,milestones=1+1.5,gamma=0.1,lr=1,epochs=2"));
    nz_pace pace = pace_of(&o, 20, 10);
    pace.milestones = milestones;
    pace.milestone_count = 2;
    nz_assert_near(nz_schedule_rate(&pace, 9), 1, 0, 0);
    nz_assert_near(nz_schedule_rate(&pace, 10), 0.1, 1e-12, 0);
    nz_assert_near(nz_schedule_rate(&pace, 15), 0.01, 1e-12, 0);
    nz_train_options_done(&o);
    nz_assert_ok(nz_train_options_read(&o, "schedule=cosine,lr=1,lr_final=0.2,epochs=2,warmup=0.4"));
    pace = pace_of(&o, 20, 10);
    for (uint64_t i = 0; i < 4; i++) nz_assert_near(nz_schedule_rate(&pace, i), (double)(i + 1) / 5, 1e-12, 0);
    nz_assert_near(nz_schedule_rate(&pace, 4), 1, 1e-12, 0);
    nz_assert_near(nz_schedule_rate(&pace, 12), 0.6, 1e-12, 0);
    assert_true(nz_schedule_rate(&pace, 19) > 0.2 && nz_schedule_rate(&pace, 19) < 0.22);
    nz_assert_near(nz_schedule_momentum(&pace, 0.9, 12), 0.9, 0, 0);
    nz_train_options_done(&o);
    nz_assert_ok(nz_train_options_read(&o, "schedule=constant,lr=0.5"));
    pace = pace_of(&o, 1, 1);
    nz_assert_near(nz_schedule_rate(&pace, 0), 0.5, 0, 0);
    nz_train_options_done(&o);
}

/* However short a run is, the rate is a number above zero. */
static void test_short_runs_have_rates(void **unused) {
    (void)unused;
    static const char *const texts[] = {"schedule=onecycle", "schedule=cosine,warmup=1", "schedule=onecycle,warmup=0",
                                        "schedule=onecycle,warmup=100"};
    for (size_t k = 0; k < NZ_COUNT(texts); k++) {
        nz_train_options o;
        nz_assert_ok(nz_train_options_read(&o, texts[k]));
        o.lr = 0.4;
        for (uint64_t steps = 1; steps < 6; steps++)
            for (uint64_t i = 0; i < steps; i++) {
                nz_pace pace = pace_of(&o, steps, 3);
                double rate = nz_schedule_rate(&pace, i);
                assert_true(isfinite(rate) && rate > 0 && rate <= 0.4);
            }
        nz_train_options_done(&o);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_settled),
        cmocka_unit_test(test_the_rate_follows_batch_optimiser_and_network),
        cmocka_unit_test(test_text_reads_back),
        cmocka_unit_test(test_wrong_options_are_named),
        cmocka_unit_test(test_table_has_help),
        cmocka_unit_test(test_gradients_match_differences),
        cmocka_unit_test(test_losses_have_known_values),
        cmocka_unit_test(test_a_loss_that_is_no_number_stays_one),
        cmocka_unit_test(test_onecycle_is_pytorchs),
        cmocka_unit_test(test_other_schedules),
        cmocka_unit_test(test_short_runs_have_rates),
    };
    return cmocka_run_group_tests_name("train", tests, NULL, NULL);
}
