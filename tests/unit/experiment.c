/* SPDX-License-Identifier: Apache-2.0 */
/* What experiment files mean, and what is said where they mean nothing. */
#include <fcntl.h>
#include <sys/stat.h>

#include "compare/run.h"
#include "data_files.h"
#include "experiment/plan.h"
#include "test.h"

#define DATA "data: synthetic:shapes\n"
#define MODEL "model: resnet8\n"
#define TRAIN "train: {epochs: 1}\n"
#define HEAD DATA MODEL TRAIN

static nz_status read_text(nz_description *ret, const char *text) {
    NZ_AUTO(nz_yaml_done) nz_yaml yaml = {0};
    nz_assert_ok(nz_yaml_parse(&yaml, text, strlen(text), "a.yaml"));
    if (nz_first_is(&yaml)) {
        nz_status status = nz_first_convert(&yaml, NULL);
        if (status != NZ_OK) return status;
    }
    return nz_description_read(ret, &yaml);
}

/* The runs, one a line: name, METHOD, seed, network. */
static void assert_runs(const char *text, const char *expected) {
    NZ_AUTO(nz_description_done) nz_description d = {0};
    NZ_AUTO(nz_text_done) nz_text got = {0};
    nz_assert_ok(read_text(&d, text));
    for (size_t i = 0; i < d.run_count; i++)
        nz_text_appendf(&got, "%s|%s|%lld|%zu\n", d.runs[i].name, d.runs[i].text, d.runs[i].seed, d.runs[i].network);
    assert_string_equal(got.data ? got.data : "", expected);
}

static void assert_refused(const char *text, const char *message) {
    NZ_AUTO(nz_description_done) nz_description d = {0};
    assert_int_equal(read_text(&d, text), NZ_E_ARG);
    assert_string_equal(nz_last_error(), message);
    assert_null(d.name);
}

static void sections_become_one_description(void **state) {
    (void)state;
    NZ_AUTO(nz_description_done) nz_description d = {0};
    nz_assert_ok(read_text(&d,
                           "name: trial\n"
                           "data:\n"
                           "  train: cifar10:a\\,b,split=train\n"
                           "  test: cifar10:c\n"
                           "  calibration: cifar10:d\n"
                           "  preprocess: {mean: [0.5, 0.25, 0.75], crop: 32}\n"
                           "model: {arch: resnet20-cifar, checkpoint: x.th, classes: 12, input: 3x40x48}\n"
                           "train: {epochs: 15, milestones: [8, 12], schedule: step, augment: {crop: 4, flip: true}}\n"
                           "compare: {metrics: [top1, size], threads: [1, 2], lambda: [1, 2, 3, 4], budget: 0.5}\n"));
    assert_string_equal(d.name, "trial");
    assert_string_equal(d.train_data, "cifar10:a\\,b,split=train,mean=0.5:0.25:0.75,crop=32");
    assert_string_equal(d.test_data, "cifar10:c,mean=0.5:0.25:0.75,crop=32");
    assert_string_equal(d.calibration_data, "cifar10:d,mean=0.5:0.25:0.75,crop=32");
    assert_string_equal(d.source.arch, "resnet20-cifar");
    assert_string_equal(d.source.checkpoint, "x.th");
    assert_int_equal(d.source.classes, 12);
    assert_int_equal(d.source.height, 40);
    assert_int_equal(d.source.width, 48);
    assert_string_equal(d.training, "epochs=15,milestones=8+12,schedule=step,augment=crop=4+flip=1");
    assert_string_equal(d.comparison.metrics, "top1,size");
    assert_string_equal(d.comparison.threads, "1,2");
    assert_string_equal(d.comparison.lambda, "1,2,3,4");
    nz_assert_near(d.comparison.budget_s, 0.5, 0, 0);
    nz_assert_near(d.comparison.timeout_s, 600, 0, 0);
    assert_int_equal(d.run_count, 0);
    assert_false(d.is_seeded);
}

#define DETECTOR "data: synthetic:shapes-det\ntrain: {epochs: 1}\n"

static void a_detector_has_keys_of_its_own(void **state) {
    (void)state;
    NZ_AUTO(nz_description_done) nz_description d = {0}, text = {0}, plain = {0};
    nz_assert_ok(read_text(&d, DETECTOR "model: {arch: yolov5-tiny, anchors: fit}\n"
                                        "compare: {detect: {conf: 0.01, iou: 0.5}, pictures: 3, metrics: [map50]}\n"));
    assert_string_equal(d.source.anchors, "fit");
    assert_string_equal(d.comparison.detect, "conf=0.01,iou=0.5");
    assert_int_equal(d.comparison.pictures, 3);
    nz_assert_ok(read_text(&text, DETECTOR "model: yolov5n\ncompare: {detect: 'conf=0.01,iou=0.5'}\n"));
    assert_string_equal(text.comparison.detect, "conf=0.01,iou=0.5");
    nz_assert_ok(read_text(&plain, DETECTOR "model: yolov5n\n"));
    assert_null(plain.comparison.detect);
    assert_null(plain.source.anchors);
    assert_int_equal(plain.comparison.pictures, 6);
    assert_refused(
        DETECTOR "model: {arch: yolov5n, anchors: 10x13}\n",
        "a.yaml:3:33: anchors '10x13': 3 levels of 3 are wanted, as in 10x13+16x30+33x23/30x61+62x45+59x119/...");
    assert_refused(DETECTOR "model: {arch: resnet8, anchors: fit}\n",
                   "a.yaml:3:33: model: anchors go with an arch that is a detector");
    assert_refused(DETECTOR "model: {arch: yolov5n, checkpoint: x.pt, anchors: fit}\n",
                   "a.yaml:3:51: model: a checkpoint has anchors of its own");
    assert_refused(DETECTOR "model: yolov5n\ncompare: {detect: {iuo: 0.5}}\n",
                   "a.yaml:4:25: detect: unknown key 'iuo'; did you mean 'iou'?");
}

static void lists_are_swept_and_named(void **state) {
    (void)state;
    assert_runs(HEAD "methods:\n"
                     "  - ptq\n"
                     "  - ptq,wbits=4,name=PTQ4\n"
                     "  - gup-r: {sparsity: [0.5, 0.75], linear: [0, 1], name: R}\n"
                     "  - {method: GUP_L1, sparsity: [0.9]}\n",
                "PTQ|ptq|0|0\n"
                "PTQ4|ptq,wbits=4|0|0\n"
                "R sparsity=0.5 linear=0|gup-r,sparsity=0.5,linear=0,seed=0|0|0\n"
                "R sparsity=0.5 linear=1|gup-r,sparsity=0.5,linear=1,seed=0|0|0\n"
                "R sparsity=0.75 linear=0|gup-r,sparsity=0.75,linear=0,seed=0|0|0\n"
                "R sparsity=0.75 linear=1|gup-r,sparsity=0.75,linear=1,seed=0|0|0\n"
                "GUP_L1|gup-l1,sparsity=0.9|0|0\n");
}

static void seeds_multiply_what_takes_one(void **state) {
    (void)state;
    assert_runs("seeds: [3, 5]\n" HEAD
                "methods:\n  - ptq\n  - gup-r\n  - gup-l1: {finetune: 2}\n  - gup-r: {seed: 9, name: fixed}\n",
                "PTQ|ptq|3|0\n"
                "GUP_R|gup-r,seed=3|3|0\n"
                "GUP_R|gup-r,seed=5|5|0\n"
                "GUP_L1|gup-l1,finetune=2,seed=3|3|0\n"
                "GUP_L1|gup-l1,finetune=2,seed=5|5|0\n"
                "fixed|gup-r,seed=9|9|0\n");
    /* A network for each seed: every method runs on each, with its seed. */
    assert_runs("seeds: [3, 5]\n" DATA MODEL "train: {epochs: 1, seed: each}\nmethods:\n  - ptq\n  - gup-r\n",
                "PTQ|ptq|3|0\n"
                "PTQ|ptq|5|1\n"
                "GUP_R|gup-r,seed=3|3|0\n"
                "GUP_R|gup-r,seed=5|5|1\n");
}

static void assert_seeded(const char *text, bool expected) {
    NZ_AUTO(nz_description_done) nz_description d = {0};
    nz_assert_ok(read_text(&d, text));
    assert_int_equal(d.is_seeded, expected);
}

static void seeds_of_one_method_tell_its_rows_apart(void **state) {
    (void)state;
    assert_seeded(HEAD "methods:\n  - gup-r: {seed: [0, 1]}\n", true);
    assert_seeded(HEAD "methods:\n  - gup-r: {seed: 9}\n  - ptq\n", false);
    assert_seeded("seeds: [3, 5]\n" HEAD "methods: [ptq]\n", true);
}

/* The key of step `i`, of an experiment whose training data are the ones told. */
static void make_key(char ret_key[65], const nz_description *d, size_t i, const char *train, const char *calibration) {
    NZ_AUTO(nz_plan_done) nz_experiment x = {.description = d, .options = &(nz_experiment_options){0}};
    nz_assert_ok(nz_strdup(&x.out, "out"));
    nz_assert_ok(nz_plan_steps(&x));
    snprintf(x.train.fingerprint, sizeof x.train.fingerprint, "%s", train);
    snprintf(x.calibration.fingerprint, sizeof x.calibration.fingerprint, "%s", calibration);
    nz_assert_ok(nz_plan_key(&x, &x.steps[i]));
    memcpy(ret_key, x.steps[i].key, 65);
}

static void a_method_hangs_on_training_and_calibration_data(void **state) {
    (void)state;
    NZ_AUTO(nz_description_done) nz_description d = {0};
    char key[65], other[65];
    nz_assert_ok(read_text(&d,
                           "data: {train: 'synthetic:shapes', calibration: 'synthetic:shapes,count=9'}\n" MODEL TRAIN
                           "methods:\n  - qat: {epochs: 1}\n"));
    make_key(key, &d, 1, "a", "c");
    make_key(other, &d, 1, "a", "c");
    assert_string_equal(key, other);
    make_key(other, &d, 1, "b", "c");
    assert_string_not_equal(key, other);
    make_key(other, &d, 1, "a", "d");
    assert_string_not_equal(key, other);
}

/* The key of the first network, with what its data say now. */
static void read_key(char ret_key[65], char ret_fingerprint[65], const nz_description *d) {
    NZ_AUTO(nz_plan_done)
    nz_experiment x = {.description = d, .options = &(nz_experiment_options){0}, .file = "a.yaml"};
    nz_assert_ok(nz_strdup(&x.out, "out"));
    nz_assert_ok(nz_plan_steps(&x));
    nz_assert_ok(nz_experiment_check(&x));
    nz_assert_ok(nz_plan_key(&x, &x.steps[0]));
    memcpy(ret_key, x.steps[0].key, 65);
    memcpy(ret_fingerprint, x.train.fingerprint, 65);
}

static void assert_touched_data_are_other_data(const char *data, const char *file) {
    NZ_AUTO(nz_description_done) nz_description d = {0};
    NZ_AUTO_FREE char *text = NULL;
    char key[65], other[65], fingerprint[65], same[65];
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000000000, .tv_nsec = 1}};
    nz_assert_ok(nz_format(&text, "data: '%s'\n" MODEL TRAIN, data));
    nz_assert_ok(read_text(&d, text));
    read_key(key, fingerprint, &d);
    read_key(other, same, &d);
    assert_string_equal(key, other);
    assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
    read_key(other, same, &d);
    assert_string_equal(fingerprint, same);
    assert_string_not_equal(key, other);
}

static void data_that_were_touched_are_other_data(void **state) {
    (void)state;
    const unsigned images[] = {4, 8, 8}, labels[] = {4};
    NZ_AUTO_FREE char *data = NULL, *idx = NULL, *file = NULL;
    put_png("pictures/a/1.png", 8, 8, 9, 9, 9);
    nz_assert_ok(nz_strdup(&file, put_png("pictures/b/1.png", 8, 8, 1, 2, 3)));
    nz_assert_ok(nz_format(&data, "imagefolder:%s", nz_test_file("pictures")));
    assert_touched_data_are_other_data(data, file);
    const char *const stems[] = {"train", "t10k"};
    for (size_t i = 0; i < NZ_COUNT(stems); i++) {
        char name[64];
        snprintf(name, sizeof name, "digits/%s-labels-idx1-ubyte", stems[i]);
        put_idx(name, 1, labels, 1, 0);
        snprintf(name, sizeof name, "digits/%s-images-idx3-ubyte", stems[i]);
        put_idx(name, 3, images, 1, 0);
    }
    nz_assert_ok(nz_format(&idx, "idx:%s", nz_test_file("digits")));
    assert_touched_data_are_other_data(idx, nz_test_file("digits/train-images-idx3-ubyte"));
}

static void the_network_can_be_trained_further(void **state) {
    (void)state;
    assert_runs(HEAD "methods:\n  - continue: {epochs: 3, lr: 0.05}\n",
                "CONTINUED|gup-l1,sparsity=0,finetune=3,lr=0.05,seed=0|0|0\n");
    assert_refused(HEAD "methods:\n  - continue\n",
                   "a.yaml:5:5: methods: continue needs epochs: as many as the others are fine-tuned for");
}

static void mistakes_are_told_with_their_place(void **state) {
    (void)state;
    assert_refused("[1]", "a.yaml: not an experiment: keys such as data, model, train and methods are expected");
    assert_refused(HEAD "method: ptq\n", "a.yaml:4:9: experiment: unknown key 'method'; did you mean 'methods'?");
    assert_refused(MODEL TRAIN, "a.yaml: data is needed (kind:path[,key=value...], or train and test)");
    assert_refused("data: cifar10:x,split=test\n" MODEL TRAIN,
                   "a.yaml:1:7: data states one split for all: give data: train: and data: test:");
    assert_refused("data: {train: 'cifar10:x,split=train'}\n" MODEL TRAIN,
                   "a.yaml:1:15: data: train states its split, so test is needed too");
    assert_refused("data: {trian: x}\n" MODEL TRAIN, "a.yaml:1:15: data: unknown key 'trian'; did you mean 'train'?");
    assert_refused(DATA "model: resnet81\n" TRAIN,
                   "a.yaml:2:8: no architecture is called 'resnet81'; did you mean 'resnet8'?");
    assert_refused(DATA "model: {arch: resnet8, file: x.onnx}\n" TRAIN, "a.yaml:2:8: model: give either arch or file");
    assert_refused(DATA "model: {arch: resnet8, input: 32x32}\n" TRAIN,
                   "a.yaml:2:31: input should be CHANNELSxHEIGHTxWIDTH, such as 3x32x32");
    assert_refused(DATA MODEL, "a.yaml: train is needed: nothing else gives the network its weights");
    assert_refused(DATA MODEL "train: {epocs: 1}\n",
                   "a.yaml:3:16: training: unknown key 'epocs'; did you mean 'epochs'?");
    assert_refused(DATA MODEL "train:\n  epochs: 1\n  batch: -1\n",
                   "a.yaml:5:10: training: batch=-1 is outside 0 to 1.04858e+06");
    assert_refused("seeds: [1, 1]\n" HEAD, "a.yaml:1:8: seeds should be different whole numbers from 0 up");
    assert_refused(HEAD "compare: {metrics: [top1, latncy_ms]}\n",
                   "a.yaml:4:20: compare: no metric is called 'latncy_ms'; did you mean 'latency_ms'?");
    assert_refused(HEAD "compare: {budgt: 1}\n", "a.yaml:4:18: compare: unknown key 'budgt'; did you mean 'budget'?");
}

static void mistakes_in_methods_are_told_with_their_place(void **state) {
    (void)state;
    assert_refused(HEAD "methods: ptq\n", "a.yaml:4:10: methods should be a list, each behind a dash");
    assert_refused(HEAD "methods:\n  - gup-l2\n", "a.yaml:5:5: methods: 'gup-l2' is not known; did you mean 'gup-l1'?");
    assert_refused(HEAD "methods:\n  - gup-l1:\n      sparsity: [0.5, 2]\n",
                   "a.yaml:6:17: method gup-l1: sparsity=2 is outside 0 to 1");
    assert_refused(HEAD "methods:\n  - ptq\n  - gup-l1: {sparsty: 0.5}\n",
                   "a.yaml:6:23: method gup-l1: unknown key 'sparsty'; did you mean 'sparsity'?");
    assert_refused(HEAD "methods:\n  - ptq\n  - ptq\n",
                   "a.yaml:6:5: methods: 'PTQ' is there already: give this one a name");
    assert_refused(HEAD "methods:\n  - ptq: {seed: 3}\n", "a.yaml:5:17: methods: nothing in ptq hangs on a seed");
    assert_refused(HEAD "methods:\n  - ptq: {name: a/b}\n",
                   "a.yaml:5:17: methods: a name has 1 to 63 characters, no '/' and no dot first");
    assert_refused(HEAD "methods:\n  - ptq: {name: ..}\n",
                   "a.yaml:5:17: methods: a name has 1 to 63 characters, no '/' and no dot first");
    assert_refused(HEAD "methods:\n  - {ptq: {}, qat: {}}\n",
                   "a.yaml:5:5: methods: one method each: 'NAME: {key: value}', or a mapping with 'method: NAME'");
    assert_refused(HEAD "methods:\n  - ptq: {wbits: []}\n", "a.yaml:5:18: methods: the list of wbits is empty");
}

static void values_are_set_by_path(void **state) {
    (void)state;
    NZ_AUTO(nz_yaml_done) nz_yaml yaml = {0};
    NZ_AUTO_FREE char *json = NULL;
    static const char text[] = "a: {b: 1}\nc: [x, y]\n";
    static const char *const changes[] = {"a.b=2", "a.d=[1, {e: f}]", "c.1=z", "g.h.i=true", "j="};
    nz_assert_ok(nz_yaml_parse(&yaml, text, sizeof text - 1, "a.yaml"));
    for (size_t i = 0; i < NZ_COUNT(changes); i++) nz_assert_ok(nz_description_set(&yaml, changes[i]));
    nz_assert_ok(nz_json_text(&json, yaml.root, 1));
    assert_string_equal(
        json, "{\"a\":{\"b\":2,\"d\":[1,{\"e\":\"f\"}]},\"c\":[\"x\",\"z\"],\"g\":{\"h\":{\"i\":true}},\"j\":null}\n");
    nz_assert_fails(nz_description_set(&yaml, "a"), NZ_E_ARG, "it should be KEY=VALUE");
    nz_assert_fails(nz_description_set(&yaml, "c.2=z"), NZ_E_ARG, "there is no '2' to set");
    nz_assert_fails(nz_description_set(&yaml, "a.b.c=z"), NZ_E_ARG, "there is no 'c' to set");
}

/* ---- files of the first NetZIP ---- */

static void a_comparison_of_the_first_netzip_is_taken(void **state) {
    (void)state;
    NZ_AUTO(nz_description_done) nz_description d = {0};
    nz_assert_ok(read_text(&d, "SEED_NUMBER : 7\nUSE_CUDA : False\nDATASET_NAME : \"CIFAR10\"\nNUM_CLASSES : 10\n"
                               "MODEL_CHOICE : resnet\nMODEL_VARIANT : ResNet18\n"
                               "COMPRESSION_TECHNIQUES_LIST : [\"PTQ\", GUP_R]\n"
                               "EVALUATION_METRICS_LIST : [\"TOP1accuracy\", \"Size\", CHATS, MemorySize, latency_ms]\n"
                               "OUTPUT_PLOTS : True\n"));
    assert_string_equal(d.train_data, "cifar10:data/cifar10,preset=cifar10");
    assert_string_equal(d.test_data, "cifar10:data/cifar10,preset=cifar10");
    assert_string_equal(d.source.arch, "resnet18");
    assert_int_equal(d.source.classes, 10);
    assert_string_equal(d.comparison.metrics, "top1,disk_bytes,chats,disk_bytes,latency_ms");
    assert_string_equal(d.training, "");
    assert_int_equal(d.network_seeds[0], 7);
    assert_int_equal(d.run_count, 2);
    assert_string_equal(d.runs[1].text, "gup-r,seed=7");
}

static void epochs_of_the_first_netzip_belong_to_the_technique_where_there_is_one(void **state) {
    (void)state;
    static const char common[] =
        "DATASET_NAME: CIFAR100\nMODEL_VARIANT: vgg11\nNUM_EPOCHS: 10\nLEARNING_RATE: 1.0e-2\n";
    NZ_AUTO_FREE char *compress = NULL;
    NZ_AUTO(nz_description_done) nz_description train = {0};
    nz_assert_ok(read_text(&train, common));
    assert_string_equal(train.training, "epochs=10,lr=0.01");
    assert_int_equal(train.run_count, 0);
    nz_assert_ok(
        nz_format(&compress, "%sCOMPRESSION_TECHNIQUE: GUP_L1\nMODEL_CHOICE: vgg\nMODEL_SELECTION_FLAG: 2\n", common));
    NZ_AUTO(nz_description_done) nz_description d = {0};
    nz_assert_ok(read_text(&d, compress));
    assert_null(d.training);
    assert_string_equal(d.source.file, "models/vgg/vgg11_CIFAR1000.onnx");
    assert_string_equal(d.runs[0].text, "gup-l1,finetune=10,lr=0.01,seed=0");
}

static void mistakes_in_files_of_the_first_netzip_are_told(void **state) {
    (void)state;
    assert_refused("MODEL_VARIANT: vgg11\nDATASET_NAME: CIFAR11\n",
                   "a.yaml:2:15: DATASET_NAME 'CIFAR11' is not known; did you mean 'CIFAR10'?");
    assert_refused("MODEL_VARIANT: vgg11\nDATASET_NAME: CIFAR10\nCOMPRESSION_TECHNIQUE: BNN\n",
                   "a.yaml:3:24: the compression technique 'BNN' is not known (there is PTQ, QAT, GUP_R, GUP_L1)");
    assert_refused(
        "MODEL_VARIANT: vgg11\nDATASET_NAME: CIFAR10\nEVALUATION_METRICS_LIST:\n  - TOP1accuracy\n  - Latncy\n",
        "a.yaml:5:5: no metric is called 'Latncy'; did you mean 'latency_ms'?");
    assert_refused(
        "MODEL_VARIANT: vgg11\nDATASET_NAM: CIFAR10\n",
        "a.yaml:2:14: configuration of the first NetZIP: unknown key 'DATASET_NAM'; did you mean 'DATASET_NAME'?");
    assert_refused("DATASET_NAME: CIFAR10\n", "a.yaml: MODEL_VARIANT is needed, such as resnet18");
}

/* ---- over seeds ---- */

static json_t *model(const char *name, int seed, const char *status, json_t *top1) {
    return json_pack("{s:s,s:s,s:s,s:{s:s,s:i,s:i},s:{s:{s:o,s:s}},s:{s:{s:o,s:s}},s:{s:n,s:{s:f}}}", "id", name,
                     "name", name, "status", status, "variant", "runtime", "native", "threads", 1, "seed", seed,
                     "metrics", "top1", "value", top1, "unit", "%", "ratios", "speedup", "value", json_real(4), "of",
                     "chats", "ocs", "value", "partial", "value", (double)seed);
}

static const json_t *moments_of(const json_t *groups, size_t i) {
    return json_object_get(json_object_get(json_array_get(groups, i), "metrics"), "top1");
}

static void seeds_are_taken_together(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *models = json_array();
    json_array_append_new(models, model("None", 0, "ok", json_real(90)));
    json_array_append_new(models, model("PTQ", 0, "ok", json_real(80)));
    json_array_append_new(models, model("QAT", 0, "ok", json_real(88)));
    NZ_AUTO_JSON json_t *single = nz_groups_json(models);
    assert_true(json_is_null(single));
    json_array_append_new(models, model("PTQ", 1, "ok", json_real(83)));
    json_array_append_new(models, model("PTQ", 2, "failed", json_null()));
    json_array_append_new(models, model("PTQ", 3, "ok", json_real(86)));
    NZ_AUTO_JSON json_t *groups = nz_groups_json(models);
    assert_int_equal(json_array_size(groups), 3);
    const json_t *ptq = json_array_get(groups, 1), *top1 = moments_of(groups, 1);
    assert_string_equal(json_string_value(json_object_get(ptq, "name")), "PTQ");
    assert_int_equal(json_integer_value(json_object_get(ptq, "n")), 4);
    assert_int_equal(json_integer_value(json_object_get(ptq, "failed")), 1);
    nz_assert_near(json_real_value(json_object_get(top1, "mean")), 83, 1e-12, 0);
    nz_assert_near(json_real_value(json_object_get(top1, "sd")), 3, 1e-12, 0);
    assert_int_equal(json_integer_value(json_object_get(top1, "n")), 3);
    nz_assert_near(json_real_value(json_object_get(json_object_get(ptq, "ocs_partial"), "mean")), 1.5, 1e-12, 0);
    assert_true(json_is_null(json_object_get(json_object_get(ptq, "ocs"), "mean")));
    assert_true(json_is_null(json_object_get(moments_of(groups, 0), "sd"))); /* of one there is none */
}

static void groups_tell_what_sound_members_share(void **state) {
    (void)state;
    static const char *const statuses[] = {"failed", "ok", "ok", "ok"};
    NZ_AUTO_JSON json_t *models = json_array();
    for (int seed = 0; seed < 4; seed++) {
        json_t *one = model("R", seed, statuses[seed], seed ? json_real(0.1) : json_null());
        if (!seed) json_object_clear(json_object_get(one, "metrics"));
        if (seed) json_object_set_new(one, "technique", json_string("GUP_R"));
        json_object_set_new(one, "method", json_string("gup-r,exclude=a\\,seed=b,seed=7,sparsity=0.5"));
        json_array_append_new(models, one);
    }
    NZ_AUTO_JSON json_t *groups = nz_groups_json(models);
    const json_t *group = json_array_get(groups, 0), *top1 = moments_of(groups, 0);
    assert_string_equal(json_string_value(json_object_get(group, "method")), "gup-r,exclude=a\\,seed=b,sparsity=0.5");
    assert_string_equal(json_string_value(json_object_get(group, "technique")), "GUP_R");
    assert_string_equal(json_string_value(json_object_get(top1, "unit")), "%");
    assert_true(json_real_value(json_object_get(top1, "mean")) == 0.1); /* a third of 0.1 three times is not */
    assert_true(json_real_value(json_object_get(top1, "sd")) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_become_one_description),
        cmocka_unit_test(a_detector_has_keys_of_its_own),
        cmocka_unit_test(lists_are_swept_and_named),
        cmocka_unit_test(seeds_multiply_what_takes_one),
        cmocka_unit_test(seeds_of_one_method_tell_its_rows_apart),
        cmocka_unit_test(a_method_hangs_on_training_and_calibration_data),
        cmocka_unit_test(data_that_were_touched_are_other_data),
        cmocka_unit_test(the_network_can_be_trained_further),
        cmocka_unit_test(mistakes_are_told_with_their_place),
        cmocka_unit_test(mistakes_in_methods_are_told_with_their_place),
        cmocka_unit_test(values_are_set_by_path),
        cmocka_unit_test(a_comparison_of_the_first_netzip_is_taken),
        cmocka_unit_test(epochs_of_the_first_netzip_belong_to_the_technique_where_there_is_one),
        cmocka_unit_test(mistakes_in_files_of_the_first_netzip_are_told),
        cmocka_unit_test(seeds_are_taken_together),
        cmocka_unit_test(groups_tell_what_sound_members_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
