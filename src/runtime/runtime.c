/* SPDX-License-Identifier: Apache-2.0 */
/* The table of runtimes and the frame around each: what every session checks, whoever executes it. */
#include "runtime/runtime_internal.h"

#include <string.h>

#include "core/error.h"
#include "core/text.h"
#include "core/threads.h"

static const nz_runtime *const runtimes[] = {
    &nz_runtime_native,
    &nz_runtime_onnxruntime,
};

const char *nz_runtime_name(size_t i, const char **ret_version) {
    if (i >= NZ_COUNT(runtimes)) return NULL;
    if (ret_version) *ret_version = runtimes[i]->version();
    return runtimes[i]->name;
}

/* By what stands before the first colon. */
static const nz_runtime *find(const char *spec) {
    size_t length = strcspn(spec, ":");
    for (size_t i = 0; i < NZ_COUNT(runtimes); i++)
        if (strlen(runtimes[i]->name) == length && strncmp(runtimes[i]->name, spec, length) == 0) return runtimes[i];
    return NULL;
}

nz_status nz_runtime_check(const char *spec, const char **ret_version) {
    nz_text names = {0};
    const nz_runtime *found = find(spec);
    const char *version = found ? found->version() : NULL;
    if (found && !version) return nz_fail_context(NZ_E_UNAVAILABLE, "the runtime '%s' is not usable here", found->name);
    if (found) {
        *ret_version = version;
        return NZ_OK;
    }
    for (size_t i = 0; i < NZ_COUNT(runtimes); i++) nz_text_appendf(&names, "%s%s", i ? ", " : "", runtimes[i]->name);
    nz_status status = nz_fail(NZ_E_ARG, "no runtime is called '%s' (there is %s)", spec, names.data ? names.data : "");
    nz_text_done(&names);
    return status;
}

const char *nz_runtime_about(const char *spec) {
    const nz_runtime *found = find(spec);
    return found ? found->about : NULL;
}

/* "NAME:key=value:key=value" as options by key. */
static nz_status read_details(nz_spec *ret_details, const char *spec) {
    NZ_AUTO_FREE char *text = NULL;
    NZ_TRY(nz_strdup(&text, spec));
    for (char *p = text; *p; p++)
        if (*p == ':') *p = ',';
    return nz_spec_parse(ret_details, text);
}

static nz_status ports_new(nz_port **ret_ports, size_t *ret_count, const nz_graph *graph, const int *values,
                           size_t count) {
    nz_port *ports = NULL;
    NZ_TRY(nz_alloc(&ports, count, sizeof *ports));
    *ret_ports = ports; /* owned by the session from here on, so that a failure below leaks nothing */
    for (*ret_count = 0; *ret_count < count; ++*ret_count) {
        const nz_value *value = &graph->values[values[*ret_count]];
        if (value->dtype == NZ_DTYPE_NONE || !nz_shape_known(&value->shape))
            return nz_fail(NZ_E_SHAPE,
                           "the type or shape of '%s' is not known; bind the symbolic extents of the model's inputs",
                           value->name);
        NZ_TRY(nz_strdup(&ports[*ret_count].name, value->name));
        ports[*ret_count].tensor = nz_tensor_borrow(value->dtype, &value->shape, NULL);
    }
    return NZ_OK;
}

nz_status nz_session_set_ports(nz_session *session, const nz_graph *graph) {
    NZ_TRY(ports_new(&session->inputs, &session->input_count, graph, graph->inputs, graph->input_count));
    return ports_new(&session->outputs, &session->output_count, graph, graph->outputs, graph->output_count);
}

static void session_free_ptr(nz_session **session) { nz_session_free(*session); }

nz_status nz_session_open(nz_session **ret_session, const char *runtime, const nz_graph *graph, const char *path,
                          const nz_runtime_options *options) {
    static const nz_runtime_options defaults = {0};
    if (!options) options = &defaults;
    const char *version;
    NZ_TRY(nz_runtime_check(runtime, &version));
    const nz_runtime *found = find(runtime);
    if (options->threads < 0 || options->batch < 0)
        return nz_fail(NZ_E_ARG, "threads and batch must not be negative (%d, %lld)", options->threads,
                       (long long)options->batch);
    NZ_AUTO(session_free_ptr) nz_session *session = NULL;
    NZ_TRY(nz_alloc(&session, 1, sizeof *session));
    session->runtime = found;
    session->threads = options->threads ? options->threads : nz_threads_hardware();
    session->compute = "f32";
    NZ_TRY(read_details(&session->details, runtime));
    int threads_before = nz_threads_get();
    nz_threads_set(session->threads);
    nz_status status = found->open(session, graph, path, options);
    nz_threads_set(threads_before);
    NZ_TRY(status);
    *ret_session = NZ_STEAL(session);
    return NZ_OK;
}

static void ports_free(nz_port *ports, size_t count) {
    for (size_t i = 0; ports && i < count; i++) free(ports[i].name);
    free(ports);
}

void nz_session_free(nz_session *session) {
    if (!session) return;
    session->runtime->close(session);
    ports_free(session->inputs, session->input_count);
    ports_free(session->outputs, session->output_count);
    nz_spec_done(&session->details);
    free(session);
}

static nz_status check(const nz_port *port, const nz_tensor *given, const char *what) {
    char wanted_text[112], given_text[112];
    if (given->dtype != port->tensor.dtype)
        return nz_fail(NZ_E_SHAPE, "%s '%s' has type %s, the session wants %s", what, port->name,
                       nz_dtype_get(given->dtype)->name, nz_dtype_get(port->tensor.dtype)->name);
    if (!nz_shape_equal(&given->shape, &port->tensor.shape))
        return nz_fail(NZ_E_SHAPE, "%s '%s' has shape %s, the session wants %s", what, port->name,
                       nz_shape_text(&given->shape, given_text), nz_shape_text(&port->tensor.shape, wanted_text));
    if (!given->data && nz_shape_elements(&given->shape) > 0)
        return nz_fail(NZ_E_ARG, "%s '%s' has no data", what, port->name);
    return NZ_OK;
}

nz_status nz_session_run(nz_session *session, const nz_tensor *inputs, nz_tensor *outputs) {
    for (size_t i = 0; i < session->input_count; i++) NZ_TRY(check(&session->inputs[i], &inputs[i], "input"));
    for (size_t i = 0; i < session->output_count; i++) NZ_TRY(check(&session->outputs[i], &outputs[i], "output"));
    int threads_before = nz_threads_get();
    if (threads_before == session->threads) return session->runtime->run(session, inputs, outputs);
    nz_threads_set(session->threads);
    nz_status status = session->runtime->run(session, inputs, outputs);
    nz_threads_set(threads_before);
    return status;
}

size_t nz_session_input_count(const nz_session *session) { return session->input_count; }
size_t nz_session_output_count(const nz_session *session) { return session->output_count; }

static const nz_tensor *port(const nz_port *ports, size_t count, size_t i, const char **ret_name) {
    if (i >= count) return NULL;
    if (ret_name) *ret_name = ports[i].name;
    return &ports[i].tensor;
}

const nz_tensor *nz_session_input(const nz_session *session, size_t i, const char **ret_name) {
    return port(session->inputs, session->input_count, i, ret_name);
}

const nz_tensor *nz_session_output(const nz_session *session, size_t i, const char **ret_name) {
    return port(session->outputs, session->output_count, i, ret_name);
}

nz_status nz_session_profile(nz_session *session, nz_profile profile) {
    if (!session->runtime->profile)
        return nz_fail(NZ_E_UNSUPPORTED, "the runtime '%s' does not tell times of layers", session->runtime->name);
    return session->runtime->profile(session, profile);
}

size_t nz_session_layer_count(const nz_session *session) { return session->runtime->layer_count(session); }
nz_layer nz_session_layer(const nz_session *session, size_t i) { return session->runtime->layer(session, i); }
size_t nz_session_activation_bytes(const nz_session *session) { return session->activation_bytes; }
bool nz_session_tells_memory(const nz_session *session) { return !session->opaque; }
nz_weight_bytes nz_session_weights(const nz_session *session) { return session->weights; }
const char *nz_session_compute(const nz_session *session) { return session->compute; }
