/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX Runtime as a runtime: it reads the model's file itself; netzip's reader tells the shapes. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/options.h"
#include "core/text.h"
#include "graph/build.h"
#include "runtime/ort.h"
#include "runtime/ort_profile.h"
#include "runtime/runtime_internal.h"

/* ---- options: what stands behind the runtime's name ---- */

typedef struct ort_choices {
    int level;
    char *provider;
    bool spin;
} ort_choices;
static const nz_option choices[] = {
    {"level", NZ_OPTION_CHOICE, offsetof(ort_choices, level), "all", 0, 0, "none|basic|extended|all",
     "how far the graph is optimised"},
    {"provider", NZ_OPTION_TEXT, offsetof(ort_choices, provider), NULL, 0, 0, NULL,
     "execution provider before the CPU's: XNNPACK, OpenVINO, ...; default the CPU's alone"},
    {"spin", NZ_OPTION_BOOL, offsetof(ort_choices, spin), "1", 0, 0, NULL,
     "threads spin while they wait, as is its default"},
};
static const int levels[] = {0, 1, 2, 99};

static void choices_done(ort_choices *o) { nz_options_done(o, choices, NZ_COUNT(choices)); }

/* ---- a session ---- */

typedef struct ort_plan {
    const nz_ort *ort;
    ort_env *env;
    ort_options *options;
    ort_session *session;
    ort_memory *memory;
    const char **input_names, **output_names; /* of the session's ports */
    ort_value **inputs, **outputs;
    nz_graph *graph; /* as the ports have it; names of the profile are looked up here */
    char *path;      /* of the model */
    /* A session keeps times from its beginning to the end of its profile: layers are timed in a second one. */
    ort_options *profiled_options;
    ort_session *profiled;
    bool profiling;
    char folder[64]; /* where the profile is written; "": none */
    nz_ort_layers layers;
} ort_plan;

static const char *ort_version(void) {
    const nz_ort *ort;
    return nz_ort_get(&ort) == NZ_OK ? ort->version : NULL;
}

static nz_status make_options(ort_options **ret_options, const nz_ort *ort, const nz_session *session) {
    NZ_AUTO(choices_done) ort_choices chosen = {0};
    NZ_TRY(nz_options_read(&chosen, choices, NZ_COUNT(choices), &session->details, "runtime onnxruntime"));
    ort_options *options;
    NZ_TRY(nz_ort_check(ort, ort->create_session_options(&options), "options"));
    *ret_options = options; /* owned by the plan from here on, so that a failure below leaks nothing */
    NZ_TRY(nz_ort_check(ort, ort->set_optimization_level(options, levels[chosen.level]), "level"));
    NZ_TRY(nz_ort_check(ort, ort->set_intra_op_threads(options, session->threads), "threads"));
    NZ_TRY(nz_ort_check(ort, ort->set_inter_op_threads(options, 1), "threads"));
    if (!chosen.spin)
        NZ_TRY(nz_ort_check(ort, ort->add_config_entry(options, "session.intra_op.allow_spinning", "0"), "spinning"));
    if (!chosen.provider) return NZ_OK;
    NZ_AUTO_FREE char *what = NULL;
    NZ_TRY(nz_format(&what, "execution provider %.60s", chosen.provider));
    return nz_ort_check(ort, ort->append_provider(options, chosen.provider, NULL, NULL, 0), what);
}

static void set_names(const char **names, const nz_port *ports, size_t count) {
    for (size_t i = 0; i < count; i++) names[i] = ports[i].name;
}

static nz_status open_session(nz_session *session, ort_plan *plan) {
    const nz_ort *ort = plan->ort;
    enum { ARENA = 1, DEFAULT_MEMORY = 0 };
    NZ_TRY(nz_ort_check(ort, ort->create_session(plan->env, plan->path, plan->options, &plan->session), plan->path));
    NZ_TRY(nz_ort_check(ort, ort->create_cpu_memory_info(ARENA, DEFAULT_MEMORY, &plan->memory), "memory"));
    NZ_TRY(nz_alloc(&plan->input_names, session->input_count, sizeof *plan->input_names));
    NZ_TRY(nz_alloc(&plan->output_names, session->output_count, sizeof *plan->output_names));
    NZ_TRY(nz_alloc(&plan->inputs, session->input_count, sizeof *plan->inputs));
    NZ_TRY(nz_alloc(&plan->outputs, session->output_count, sizeof *plan->outputs));
    set_names(plan->input_names, session->inputs, session->input_count);
    set_names(plan->output_names, session->outputs, session->output_count);
    return NZ_OK;
}

static void drop_profiled(ort_plan *plan) {
    const nz_ort *ort = plan->ort;
    if (plan->profiled) ort->release_session(plan->profiled);
    if (plan->profiled_options) ort->release_session_options(plan->profiled_options);
    plan->profiled = NULL;
    plan->profiled_options = NULL;
    plan->profiling = false;
    if (*plan->folder) rmdir(plan->folder);
    *plan->folder = '\0';
}

/* The profile is written when profiling ends, so the first question for layers ends it. */
static nz_status read_profile(ort_plan *plan) {
    const nz_ort *ort = plan->ort;
    ort_allocator *allocator;
    char *path = NULL;
    nz_status status = nz_ort_check(ort, ort->get_default_allocator(&allocator), "allocator");
    if (status == NZ_OK) status = nz_ort_check(ort, ort->end_profiling(plan->profiled, allocator, &path), "profile");
    if (status == NZ_OK) {
        nz_ort_layers_done(&plan->layers);
        status = nz_ort_profile_read(&plan->layers, path, plan->graph);
        unlink(path);
        nz_status freed = nz_ort_check(ort, ort->allocator_free(allocator, path), "profile");
        if (status == NZ_OK) status = freed;
    }
    drop_profiled(plan);
    return status;
}

static nz_status begin_profile(const nz_session *session, ort_plan *plan) {
    const nz_ort *ort = plan->ort;
    char prefix[80];
    snprintf(plan->folder, sizeof plan->folder, "/tmp/netzip-profile-XXXXXX");
    if (!mkdtemp(plan->folder)) {
        *plan->folder = '\0';
        return nz_fail(NZ_E_RESOURCE, "no folder for ONNX Runtime's profile can be made in /tmp");
    }
    snprintf(prefix, sizeof prefix, "%s/run", plan->folder);
    NZ_TRY(make_options(&plan->profiled_options, ort, session));
    NZ_TRY(nz_ort_check(ort, ort->enable_profiling(plan->profiled_options, prefix), "profiling"));
    return nz_ort_check(ort, ort->create_session(plan->env, plan->path, plan->profiled_options, &plan->profiled),
                        plan->path);
}

static nz_status ort_profile(nz_session *session, nz_profile profile) {
    ort_plan *plan = session->plan;
    if (profile == NZ_PROFILE_RESET) {
        if (plan->profiled) NZ_TRY(read_profile(plan)); /* which removes its file */
        nz_ort_layers_done(&plan->layers);
        return NZ_OK;
    }
    plan->profiling = profile == NZ_PROFILE_ON;
    if (!plan->profiling || plan->profiled) return NZ_OK;
    nz_status status = begin_profile(session, plan);
    if (status != NZ_OK) drop_profiled(plan);
    return status;
}

static nz_status ort_open(nz_session *session, const nz_graph *graph, const char *path,
                          const nz_runtime_options *options) {
    enum { LOG_FATAL = 4 };
    NZ_AUTO_GRAPH nz_graph *concrete = NULL;
    ort_plan *plan = NULL;
    if (!path) return nz_fail(NZ_E_ARG, "ONNX Runtime reads a model from its file, and this one has none");
    NZ_TRY(nz_alloc(&plan, 1, sizeof *plan));
    session->plan = plan;
    NZ_TRY(nz_ort_get(&plan->ort));
    NZ_TRY(nz_pass_specialise(&concrete, graph, options->batch ? options->batch : 1, options->bindings,
                              options->binding_count, true));
    NZ_TRY(nz_session_set_ports(session, concrete));
    plan->graph = NZ_STEAL(concrete);
    NZ_TRY(nz_ort_check(plan->ort, plan->ort->create_env(LOG_FATAL, "netzip", &plan->env), "environment"));
    NZ_TRY(make_options(&plan->options, plan->ort, session));
    NZ_TRY(nz_strdup(&plan->path, path));
    NZ_TRY(open_session(session, plan));
    session->compute = "";
    session->opaque = true;
    return options->profile ? ort_profile(session, NZ_PROFILE_ON) : NZ_OK;
}

/* The caller's memory as the library's tensors, which own nothing and cost a few hundred nanoseconds. */
static nz_status wrap(const ort_plan *plan, ort_value **values, const nz_port *ports, const nz_tensor *tensors,
                      size_t count) {
    for (size_t i = 0; i < count; i++) {
        const nz_tensor *t = &tensors[i];
        NZ_TRY(nz_ort_check(plan->ort,
                            plan->ort->create_tensor_with_data(plan->memory, t->data, t->bytes, t->shape.dim,
                                                               (size_t)t->shape.rank, t->dtype, &values[i]),
                            ports[i].name));
    }
    return NZ_OK;
}

static void unwrap(const ort_plan *plan, ort_value **values, size_t count) {
    for (size_t i = 0; values && i < count; i++) {
        if (values[i]) plan->ort->release_value(values[i]);
        values[i] = NULL;
    }
}

static nz_status ort_run(nz_session *session, const nz_tensor *inputs, nz_tensor *outputs) {
    ort_plan *plan = session->plan;
    nz_status status = wrap(plan, plan->inputs, session->inputs, inputs, session->input_count);
    if (status == NZ_OK) status = wrap(plan, plan->outputs, session->outputs, outputs, session->output_count);
    if (status == NZ_OK)
        status = nz_ort_check(plan->ort,
                              plan->ort->run(plan->profiling ? plan->profiled : plan->session, NULL, plan->input_names,
                                             (const ort_value *const *)plan->inputs, session->input_count,
                                             plan->output_names, session->output_count, plan->outputs),
                              "run");
    unwrap(plan, plan->inputs, session->input_count);
    unwrap(plan, plan->outputs, session->output_count);
    return status;
}

static size_t ort_layer_count(const nz_session *session) {
    ort_plan *plan = session->plan;
    /* A profile that cannot be read leaves the session without layers: times of the whole are none the worse. */
    if (plan->profiled && read_profile(plan) != NZ_OK) return 0;
    return plan->layers.count;
}

static nz_layer ort_layer(const nz_session *session, size_t i) {
    const ort_plan *plan = session->plan;
    const nz_ort_layer *layer = &plan->layers.items[i];
    return (nz_layer){.name = layer->name,
                      .op = layer->op,
                      .kernel = layer->kernel,
                      .fused = layer->fused,
                      .compute = "",
                      .latency_ms = layer->latency_ms};
}

static void ort_close(nz_session *session) {
    ort_plan *plan = session->plan;
    if (!plan) return;
    const nz_ort *ort = plan->ort;
    if (plan->profiled && read_profile(plan) != NZ_OK) nz_ort_layers_done(&plan->layers);
    if (plan->memory) ort->release_memory_info(plan->memory);
    if (plan->session) ort->release_session(plan->session);
    if (plan->options) ort->release_session_options(plan->options);
    if (plan->env) ort->release_env(plan->env);
    free(plan->input_names);
    free(plan->output_names);
    free(plan->inputs);
    free(plan->outputs);
    free(plan->path);
    nz_graph_free(plan->graph);
    nz_ort_layers_done(&plan->layers);
    free(plan);
}

const nz_runtime nz_runtime_onnxruntime = {
    .name = "onnxruntime",
    .about =
        "ONNX Runtime's library, opened at run time; onnxruntime:level=none|basic|extended|all:provider=NAME:spin=0|1",
    .version = ort_version,
    .open = ort_open,
    .run = ort_run,
    .profile = ort_profile,
    .layer_count = ort_layer_count,
    .layer = ort_layer,
    .close = ort_close,
};
