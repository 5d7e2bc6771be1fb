/* SPDX-License-Identifier: Apache-2.0 */
/* netzip compare: models side by side on the same data and machine. */
#include <string.h>

#include "cli.h"
#include "compare/pace.h"
#include "compare_text.h"
#include "core/error.h"
#include "core/json.h"
#include "core/text.h"
#include "metric/combine_table.h"
#include "netzip/compare.h"
#include "netzip/report.h"

static const nz_cli_option options[] = {
    {"data", "DATA",
     "labelled samples, kind:path[,key=value...] (netzip data info DATA); without it accuracy is unavailable and "
     "timing uses random input"},
    {"metrics", "LIST",
     "metrics by id, categories (accuracy, speed, size, energy) or all, by commas; default: the usual ones"},
    {"out", "DIR", "write results.json, manifest.json, tables, plots and report.html there"},
    {"resume", NULL, "take over the finished parts of an interrupted run in --out"},
    {"baseline", "NAME", "the model that the others are compared with; default the first"},
    {"runtime", "LIST", "runtimes by commas; default native (netzip doctor lists them)"},
    {"threads", "LIST", "thread counts by commas, each a variant; default 1"},
    {"batch", "LIST", "batch sizes of throughput by commas, each a variant; default 1"},
    {"detect", "LIST",
     "how detectors' outputs become boxes, for all of them: key=value by commas (netzip detect --list); default what "
     "the models say"},
    {"preprocess", "[NAME=]KEYS",
     "preprocessing in place of what DATA states, for all models or for NAME alone (Y=preset=yolox); may be repeated"},
    {"pictures", "N", "images that the report shows with detectors' boxes; default 6"},
    {"performance", "ID", "metric of the performance ratio; default top1, of detectors map50_95"},
    {"speedup", "ID", "metric of the speedup ratio; default chats"},
    {"compression", "ID", "metric of the compression ratio; default disk_bytes"},
    {"efficiency", "ID", "metric of the efficiency ratio; default energy_j"},
    {"zeta", "X", "factor of the speedup ratio where its metric is counted, not timed; default 1"},
    {"lambda", "A,B,C,D",
     "weights of performance, speedup, compression, efficiency in OCS; 0 removes a term; default 1,1,1,1"},
    {"fail-if", "EXPR",
     "exit status 1 where a model is too bad: ID[.value|.drop|.ratio|.delta|.against][.low|.high] OP NUMBER, joined by "
     "&& and ||; drop is baseline minus model; ratio (to the baseline) and against (to --against) are above 1 where it "
     "is "
     "better; low and high: the ends of the 95% interval; unavailable counts as too bad"},
    {"against", "RESULTS.json",
     "tell what got better or worse, beyond noise, than in an earlier run (or its folder); --fail-if may ask about it: "
     "latency_ms.against.high < 1"},
    {"budget", "SECONDS",
     "time for the latency of each variant, unless intervals are as narrow as --width before; default 3"},
    {"width", "PCT", "wanted width of the 95% intervals of latency and its ratios, in % of the value; default 1"},
    {"pin", "LIST", "CPUs that the models run on, such as 0,2-3; default any"},
    {"priority", "N", "nice value of the models' processes, -20 (first; needs the privilege) to 19 (last)"},
    {"cooldown", "SECONDS|DEGREESC",
     "rest before each block of inferences: so many seconds, or until the machine is no hotter (55C)"},
    {"target", "LIST",
     "machines that measure, by commas: local or ssh://[USER@]HOST[:PORT], which needs a login without password; a "
     "worker "
     "and the models are copied there; default local"},
    {"target-data", "DIR|here",
     "where another machine finds the data: a folder there, or here: accuracy is computed on this machine; default: at "
     "most "
     "1 GiB is copied there"},
    {"timeout", "SECONDS", "how long a model's process may say nothing before it counts as hung; default 600"},
    {"power", "NAME",
     "power source (netzip doctor lists them), or meter:LOG, the log of an external meter that is written meanwhile; "
     "default the first usable one"},
    {"meter-columns", "ROLE=COLUMN,...", "columns of that log, as netzip energy --columns takes them"},
    {"meter-shift", "SECONDS",
     "how far the meter's clock is ahead of this machine's; auto: found from the steps of the power; default 0"},
    {"block", "SECONDS",
     "length of the blocks in which models take turns; default 0.25, 1.05 with a power source, 10 intervals of a "
     "meter"},
    {"seed", "N", "seed of random input and of the resampling behind the intervals of mAP; default 0"},
    {"json", NULL, "print results.json on standard output, and nothing else"},
};

static const nz_cli_usage usage = {
    .verb = "compare",
    .arguments = "[NAME=]BASELINE [NAME=]MODEL... --data DATA [options]",
    .summary = "Measures models on the same data and machine: accuracy, speed, size, energy, and the ratios and "
               "overall compression\n"
               "score against the baseline. Each model runs in a process of its own; they are timed in turns.",
    .examples =
        "netzip compare net.onnx net-int8.onnx --data imagefolder:images --out comparison\n"
        "netzip compare FP32=net.onnx INT8=net-int8.onnx --data cifar10:cifar --fail-if 'top1.drop > 1 || "
        "latency_ms.ratio < 1'\n"
        "netzip compare net.onnx net-int8.onnx --data cifar10:cifar --against main/results.json --fail-if "
        "'latency_ms.against.high < 1 || top1.against.high < 1'\n"
        "netzip compare net.onnx net-int8.onnx --power meter:/mnt/meter/log.csv --meter-shift auto --out comparison\n"
        "netzip compare net.onnx pruned.onnx --data npz:test.npz --threads 1,4 --metrics accuracy,latency_ms --json\n"
        "netzip compare net.onnx net-int8.onnx --metrics speed --threads 1,2 --batch 1,8 --pin 0-1 --cooldown 55C "
        "--width 0.5 --budget 30\n"
        "netzip compare V5=yolov5n.onnx X=yolox.onnx --data coco:instances.json,images=val2017 "
        "--preprocess V5=preset=yolov5 --preprocess X=preset=yolox",
    .least = 1,
    .most = 200,
    .options = options,
    .option_count = NZ_COUNT(options),
};

/* A comma list, split in place. */
typedef struct word_list {
    char *text;
    size_t count, capacity;
    const char **words;
} word_list;

static void words_done(word_list *list) {
    free(list->text);
    free(list->words);
}

static nz_status split(word_list *list, const nz_cli_args *args, const char *name) {
    const char *given = nz_cli_get(args, name, NULL);
    if (!given) return NZ_OK;
    NZ_TRY(nz_strdup(&list->text, given));
    for (char *rest = list->text, *word; (word = strsep(&rest, ","));) {
        if (!*word) return nz_fail(NZ_E_ARG, "compare: --%s '%s' has an empty item", name, given);
        NZ_TRY(nz_grow(&list->words, &list->capacity, list->count + 1, sizeof *list->words));
        list->words[list->count++] = word;
    }
    return NZ_OK;
}

enum { MOST_NUMBERS = 64 };

static nz_status read_numbers(int numbers[MOST_NUMBERS], size_t *ret_count, const nz_cli_args *args, const char *name) {
    NZ_AUTO(words_done) word_list list = {0};
    NZ_AUTO_FREE char *what = NULL;
    NZ_TRY(split(&list, args, name));
    NZ_TRY(nz_format(&what, "compare: --%s", name));
    if (list.count > MOST_NUMBERS) return nz_fail(NZ_E_ARG, "%s: more than %d numbers", what, MOST_NUMBERS);
    for (size_t i = 0; i < list.count; i++) {
        long long value;
        NZ_TRY(nz_parse_int(&value, list.words[i], what));
        if (value < 1 || value > 65536) return nz_fail(NZ_E_ARG, "%s %lld is outside 1 to 65536", what, value);
        numbers[i] = (int)value;
    }
    *ret_count = list.count;
    return NZ_OK;
}

static nz_status read_plain(nz_compare_options *o, const nz_cli_args *args) {
    long long seed, pictures;
    o->models = args->operands;
    o->model_count = args->operand_count;
    o->data = nz_cli_get(args, "data", NULL);
    o->metrics = nz_cli_get(args, "metrics", NULL);
    o->baseline = nz_cli_get(args, "baseline", NULL);
    o->performance = nz_cli_get(args, "performance", NULL);
    o->speedup = nz_cli_get(args, "speedup", NULL);
    o->compression = nz_cli_get(args, "compression", NULL);
    o->efficiency = nz_cli_get(args, "efficiency", NULL);
    o->out = nz_cli_get(args, "out", NULL);
    o->resume = nz_cli_has(args, "resume");
    o->fail_if = nz_cli_get(args, "fail-if", NULL);
    o->target_data = nz_cli_get(args, "target-data", NULL);
    o->detect = nz_cli_get(args, "detect", NULL);
    o->against = nz_cli_get(args, "against", NULL);
    o->power = nz_cli_get(args, "power", NULL);
    o->meter_columns = nz_cli_get(args, "meter-columns", NULL);
    o->meter_shift = nz_cli_get(args, "meter-shift", NULL);
    NZ_TRY(nz_cli_get_real(&o->block_s, args, "block", o->block_s));
    NZ_TRY(nz_cli_get_real(&o->zeta, args, "zeta", o->zeta));
    NZ_TRY(nz_cli_get_real(&o->budget_s, args, "budget", o->budget_s));
    NZ_TRY(nz_cli_get_real(&o->width_pct, args, "width", o->width_pct));
    NZ_TRY(nz_cli_get_real(&o->timeout_s, args, "timeout", o->timeout_s));
    o->pin = nz_cli_get(args, "pin", NULL);
    const char *priority = nz_cli_get(args, "priority", NULL), *cooldown = nz_cli_get(args, "cooldown", NULL);
    if (priority) NZ_TRY(nz_priority_parse(o, priority, "compare: --priority"));
    if (cooldown) NZ_TRY(nz_cooldown_parse(o, cooldown, "compare: --cooldown"));
    NZ_TRY(nz_cli_get_int(&seed, args, "seed", 0, 0, 1LL << 53));
    o->seed = (uint64_t)seed;
    NZ_TRY(nz_cli_get_int(&pictures, args, "pictures", (long long)o->pictures, 0, 64));
    o->pictures = (size_t)pictures;
    const char *lambda = nz_cli_get(args, "lambda", NULL);
    return lambda ? nz_lambda_parse(o->lambda, lambda, "compare: --lambda") : NZ_OK;
}

static nz_status print(const nz_compare_result *result, const nz_cli_args *args) {
    if (nz_cli_has(args, "json")) {
        fputs(result->json, stdout);
        return NZ_OK;
    }
    json_error_t error;
    NZ_AUTO_JSON json_t *document = json_loads(result->json, 0, &error);
    if (!document) return nz_fail(NZ_E_MEMORY, "out of memory: the results");
    return nz_compare_text_print(document, nz_cli_has(args, "metrics"), stdout);
}

static nz_status compare(const nz_cli_args *args, int argc, char **argv, int *ret_exit) {
    NZ_AUTO(words_done) word_list runtimes = {0}, targets = {0};
    NZ_AUTO(nz_compare_result_done) nz_compare_result result = {0};
    int threads[MOST_NUMBERS], batches[MOST_NUMBERS];
    nz_compare_options o;
    nz_compare_options_init(&o);
    NZ_TRY(read_plain(&o, args));
    NZ_TRY(split(&runtimes, args, "runtime"));
    NZ_TRY(split(&targets, args, "target"));
    o.targets = targets.words;
    o.target_count = targets.count;
    NZ_TRY(read_numbers(threads, &o.thread_count, args, "threads"));
    NZ_TRY(read_numbers(batches, &o.batch_count, args, "batch"));
    NZ_AUTO_FREE const char **preprocess = NULL;
    o.preprocess_count = nz_cli_count(args, "preprocess");
    NZ_TRY(nz_alloc(&preprocess, o.preprocess_count, sizeof *preprocess));
    for (size_t i = 0; i < o.preprocess_count; i++) preprocess[i] = nz_cli_get_at(args, "preprocess", i);
    o.preprocess = preprocess;
    o.runtimes = runtimes.words;
    o.runtime_count = runtimes.count;
    o.threads = threads;
    o.batches = batches;
    NZ_AUTO_FREE const char **command = NULL;
    NZ_TRY(nz_alloc(&command, (size_t)argc + 1, sizeof *command));
    command[0] = "netzip";
    for (int i = 0; i < argc; i++) command[i + 1] = argv[i];
    o.command = command;
    o.command_count = (size_t)argc + 1;
    NZ_TRY(nz_compare(&result, &o, nz_cli_progress()));
    if (o.out) NZ_TRY(nz_report_write(o.out, nz_cli_progress()));
    nz_cli_progress_end();
    NZ_TRY(print(&result, args));
    if (result.condition_held) nz_cli_error("--fail-if: %s", result.condition);
    if (result.failed || result.condition_held) *ret_exit = NZ_EXIT_FAILED;
    return NZ_OK;
}

int nz_cmd_compare(int argc, char **argv) {
    nz_cli_args args;
    int exit_status;
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    exit_status = NZ_EXIT_OK;
    nz_status status = compare(&args, argc, argv, &exit_status);
    nz_cli_args_done(&args);
    return status == NZ_OK ? exit_status : nz_cli_finish(status);
}
