/* SPDX-License-Identifier: Apache-2.0 */
#include "compress/sensitivity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compress/outputs.h"
#include "compress/ptq_graph.h"
#include "core/error.h"
#include "core/locale.h"
#include "core/progress.h"
#include "core/text.h"
#include "pass/bind.h"

void nz_sensitivity_done(nz_sensitivity *sensitivity) {
    free(sensitivity->layers);
    free(sensitivity->nodes);
    *sensitivity = (nz_sensitivity){0};
}

nz_status nz_sensitivity_init(nz_sensitivity *ret_sensitivity, const nz_graph *graph, const nz_qplan *plan) {
    NZ_AUTO(nz_sensitivity_done) nz_sensitivity s = {.before_db = NAN, .after_db = NAN};
    NZ_TRY(nz_alloc(&s.layers, plan->layer_count, sizeof *s.layers));
    NZ_TRY(nz_alloc(&s.nodes, graph->node_count, sizeof *s.nodes));
    s.count = plan->layer_count;
    s.node_count = graph->node_count;
    for (size_t i = 0; i < s.count; i++)
        s.layers[i] = (nz_layer_sensitivity){.node = plan->layers[i].node, .alone_db = NAN, .share_pct = NAN};
    *ret_sensitivity = s;
    s = (nz_sensitivity){0};
    return NZ_OK;
}

nz_qleft nz_sensitivity_left(const nz_sensitivity *sensitivity, const nz_ptq_options *options) {
    return (nz_qleft){.patterns = options->exclude, .nodes = sensitivity->nodes, .count = sensitivity->node_count};
}

/* ---- measuring ---- */

/* The float model's outputs on some samples, kept to compare others with. */
typedef struct probe {
    const nz_graph *graph;
    const nz_method_input *input;
    const nz_ptq_options *options;
    const nz_qplan *plan;
    const nz_ranges *ranges;
    nz_ptq_options eight;                           /* bits of weights; shares the texts */
    const char **names;                             /* [output_count] of float outputs */
    size_t output_count, sample_count, batch, each; /* each: floats of a sample */
    float *x;                                       /* [sample_count, each] */
    float **exact;                                  /* [output_count][sample_count, elements] */
    size_t *elements;
    nz_meter *meter;
    double *noise; /* [layers] each alone */
} probe;

static void probe_done(probe *p) {
    for (size_t i = 0; p->exact && i < p->output_count; i++) free(p->exact[i]);
    free(p->exact);
    free(p->elements);
    free(p->names);
    free(p->x);
    free(p->noise);
    nz_meter_free(p->meter);
}

static nz_status take_names(probe *p) {
    const nz_graph *g = p->graph;
    NZ_TRY(nz_alloc(&p->names, g->output_count, sizeof *p->names));
    for (size_t i = 0; i < g->output_count; i++) {
        const nz_value *v = &g->values[g->outputs[i]];
        if (v->dtype == NZ_F32 && v->producer >= 0) p->names[p->output_count++] = v->name;
    }
    return NZ_OK;
}

static nz_status take_samples(probe *p, size_t batch) {
    NZ_AUTO(nz_samples_done) nz_samples samples = {0};
    NZ_TRY(nz_samples_open(&samples, p->input->data, batch, (size_t)p->options->sensitivity_samples));
    nz_shape shape;
    nz_data_shape(p->input->data, &shape);
    p->each = (size_t)nz_shape_elements(&shape);
    NZ_TRY(nz_alloc(&p->x, samples.total, p->each * sizeof *p->x));
    for (;;) {
        nz_batch b;
        NZ_TRY(nz_samples_next(&samples, &b));
        if (b.count == 0) break;
        memcpy(p->x + p->sample_count * p->each, b.x, b.count * p->each * sizeof *p->x);
        p->sample_count += b.count;
    }
    return p->sample_count ? NZ_OK : nz_fail(NZ_E_FORMAT, "calibration: the data has no readable sample");
}

static nz_status run_exact(probe *p, nz_tap *tap) {
    NZ_TRY(nz_alloc(&p->exact, p->output_count, sizeof *p->exact));
    NZ_TRY(nz_alloc(&p->elements, p->output_count, sizeof *p->elements));
    for (size_t i = 0; i < p->output_count; i++) {
        nz_tap_values(tap, i, &p->elements[i]);
        NZ_TRY(nz_alloc(&p->exact[i], p->sample_count, p->elements[i] * sizeof **p->exact));
    }
    for (size_t done = 0; done < p->sample_count; done += p->batch) {
        size_t count = p->sample_count - done < p->batch ? p->sample_count - done : p->batch;
        NZ_TRY(nz_tap_run(tap, p->x + done * p->each, count));
        for (size_t i = 0; i < p->output_count; i++) {
            size_t n = p->elements[i];
            memcpy(p->exact[i] + done * n, nz_tap_values(tap, i, &n), count * n * sizeof **p->exact);
        }
    }
    return NZ_OK;
}

static nz_status open_tap(nz_tap **ret_tap, const probe *p, const nz_graph *graph) {
    return nz_tap_open(ret_tap, graph, p->names, p->output_count, p->input->data, p->input->threads);
}

static nz_status probe_open(probe *p) {
    NZ_AUTO(nz_tap_free_ptr) nz_tap *tap = NULL;
    NZ_TRY(take_names(p));
    NZ_TRY(open_tap(&tap, p, p->graph));
    p->batch = nz_tap_batch(tap);
    NZ_TRY(take_samples(p, p->batch));
    NZ_TRY(nz_meter_open(&p->meter, p->graph, tap));
    NZ_TRY(run_exact(p, tap));
    return nz_alloc(&p->noise, p->plan->layer_count, sizeof *p->noise);
}

/* Noise over signal at the outputs with all layers in integers but those of `left`. */
static nz_status measure(double *ret_noise, probe *p, const bool *left_nodes) {
    const nz_qleft left = {.patterns = p->options->exclude, .nodes = left_nodes, .count = p->graph->node_count};
    NZ_AUTO(nz_qplan_done) nz_qplan plan = {0};
    NZ_AUTO(nz_ranges_done) nz_ranges ranges = {0};
    NZ_AUTO_GRAPH nz_graph *rounded = NULL;
    NZ_AUTO(nz_tap_free_ptr) nz_tap *tap = NULL;
    NZ_AUTO_FREE const float **pairs = NULL;
    NZ_TRY(nz_alloc(&pairs, 2 * p->output_count, sizeof *pairs));
    NZ_TRY(nz_qplan_make(&plan, p->graph, &left));
    NZ_TRY(nz_ranges_narrow(&ranges, p->ranges, p->plan, &plan, p->options));
    NZ_TRY(nz_ptq_graph(&rounded, p->graph, &plan, &ranges, &left, &p->eight));
    NZ_TRY(open_tap(&tap, p, rounded));
    nz_meter_reset(p->meter);
    for (size_t done = 0; done < p->sample_count; done += p->batch) {
        size_t count = p->sample_count - done < p->batch ? p->sample_count - done : p->batch;
        NZ_TRY(nz_tap_run(tap, p->x + done * p->each, count));
        for (size_t k = 0; k < count; k++) {
            for (size_t i = 0; i < p->output_count; i++) {
                size_t n = 0;
                const float *values = nz_tap_values(tap, i, &n);
                pairs[p->output_count + i] = values + k * n;
                pairs[i] = p->exact[i] + (done + k) * n;
            }
            nz_meter_add(p->meter, pairs, pairs + p->output_count);
        }
    }
    *ret_noise = nz_meter_noise(p->meter);
    return NZ_OK;
}

static double decibels(double noise) { return noise > 0 ? -10 * log10(noise) : INFINITY; }

static nz_status try_each_alone(nz_sensitivity *s, probe *p) {
    NZ_AUTO_FREE bool *left = NULL;
    double sum = 0;
    NZ_TRY(nz_alloc(&left, s->node_count, sizeof *left));
    for (size_t i = 0; i < s->count; i++) left[s->layers[i].node] = true;
    for (size_t i = 0; i < s->count; i++) {
        left[s->layers[i].node] = false;
        NZ_TRY(measure(&p->noise[i], p, left));
        left[s->layers[i].node] = true;
        sum += p->noise[i];
        if (!nz_progress_step(p->input->progress, "layers tried in integers alone", i + 1, s->count))
            return nz_fail(NZ_E_CANCELLED, "compression was interrupted");
    }
    for (size_t i = 0; i < s->count; i++) {
        s->layers[i].alone_db = decibels(p->noise[i]);
        s->layers[i].share_pct = sum > 0 ? 100 * p->noise[i] / sum : 0;
    }
    return NZ_OK;
}

/* ---- choosing ---- */

/* Multiply-accumulates of one sample. `bound`: the graph for samples as they come, where extents are open in the model; what
 * is not known even so counts once. */
static double cost(const nz_graph *graph, const nz_graph *bound, const nz_qlayer *layer) {
    const nz_node *node = &graph->nodes[layer->node];
    const nz_shape *w = &graph->values[layer->weight].constant.shape;
    bool transposed = strcmp(node->op_type, "ConvTranspose") == 0;
    const nz_value *moved = &graph->values[transposed ? node->inputs[0] : node->outputs[0]];
    int same = nz_graph_find_value(bound, moved->name);
    const nz_shape *map = same >= 0 ? &bound->values[same].shape : &moved->shape;
    double macs = (double)nz_shape_elements(w);
    int first = w->rank == 2 ? 1 : 2, last = w->rank == 2 ? map->rank - 1 : map->rank; /* features or channels first */
    for (int d = first; d < last; d++) macs *= map->dim[d] > 0 ? (double)map->dim[d] : 1;
    return macs;
}

static nz_status find_costs(double *costs, double *ret_all, const probe *p) {
    NZ_AUTO_GRAPH nz_graph *bound = NULL;
    nz_shape sample;
    nz_binding binding;
    size_t bindings = 0;
    nz_data_shape(p->input->data, &sample);
    nz_sample_binding(&binding, &bindings, p->graph, &sample, 1);
    NZ_TRY(nz_pass_specialise(&bound, p->graph, 1, &binding, bindings, true));
    *ret_all = 0;
    for (size_t i = 0; i < p->plan->layer_count; i++) *ret_all += costs[i] = cost(p->graph, bound, &p->plan->layers[i]);
    return NZ_OK;
}

/* The layer that makes the most noise of those that may still be taken out; -1: none is worth it. */
static int next_layer(const nz_sensitivity *s, const probe *p, const double *costs, double budget) {
    double rest = 0;
    size_t within = 0;
    int worst = -1;
    for (size_t i = 0; i < s->count; i++) {
        if (s->layers[i].left) continue;
        rest += p->noise[i];
        within++;
        if (costs[i] <= budget && (worst < 0 || p->noise[i] > p->noise[worst])) worst = (int)i;
    }
    /* Three times what each would make if all made the same, or half of it all: below that the next one is like many others. */
    double least = fmin(3.0 / (double)within, 0.5);
    return worst >= 0 && within > 1 && p->noise[worst] > least * rest ? worst : -1;
}

static void leave(nz_sensitivity *s, size_t i, bool left) { s->layers[i].left = s->nodes[s->layers[i].node] = left; }

/* Takes out until it is enough or nothing more is worth it; then those go back behind which the whole became no better. Noises
 * cancel in part, so that a step may do harm that the next one more than mends. */
static nz_status take_out(nz_sensitivity *s, probe *p, double wanted) {
    NZ_AUTO_FREE double *costs = NULL;
    NZ_AUTO_FREE size_t *order = NULL;
    double all = 0, spent = 0, noise = pow(10, -s->before_db / 10), least = noise;
    size_t taken = 0, best = 0;
    NZ_TRY(nz_alloc(&costs, s->count, sizeof *costs));
    NZ_TRY(nz_alloc(&order, s->count, sizeof *order));
    NZ_TRY(find_costs(costs, &all, p));
    while (noise > wanted) {
        int i = next_layer(s, p, costs, p->options->float_share / 100 * all - spent);
        if (i < 0) break;
        leave(s, order[taken++] = (size_t)i, true);
        spent += costs[i];
        NZ_TRY(measure(&noise, p, s->nodes));
        if (noise < least) least = noise, best = taken;
        if (!nz_progress_step(p->input->progress, "layers left float", taken, s->count))
            return nz_fail(NZ_E_CANCELLED, "compression was interrupted");
    }
    if (!(decibels(least) >= s->before_db + 1)) best = 0;
    while (taken > best) {
        leave(s, order[--taken], false);
        spent -= costs[order[taken]];
    }
    s->after_db = best ? decibels(least) : s->before_db;
    s->macs_pct = best && all > 0 ? 100 * spent / all : 0;
    return NZ_OK;
}

static nz_status settle(nz_qplan *plan, nz_ranges *ranges, const nz_sensitivity *s, const probe *p) {
    const nz_qleft left = nz_sensitivity_left(s, p->options);
    NZ_AUTO(nz_qplan_done) nz_qplan chosen = {0};
    nz_ranges narrowed = {0};
    NZ_TRY(nz_qplan_make(&chosen, p->graph, &left));
    NZ_TRY(nz_ranges_narrow(&narrowed, ranges, plan, &chosen, p->options));
    narrowed.store = NZ_STEAL(ranges->store);
    narrowed.store_count = ranges->store_count;
    nz_ranges_done(ranges);
    *ranges = narrowed;
    nz_qplan before = *plan;
    *plan = chosen;
    chosen = before;
    return NZ_OK;
}

nz_status nz_sensitivity_choose(nz_sensitivity *s, nz_qplan *plan, nz_ranges *ranges, const nz_graph *graph,
                                const nz_method_input *input, const nz_ptq_options *options) {
    NZ_AUTO(probe_done)
    probe p = {.graph = graph, .input = input, .options = options, .plan = plan, .ranges = ranges, .eight = *options};
    double noise = 0, wanted = pow(10, -options->sensitivity / 10);
    p.eight.wbits = 0;
    if (!(options->sensitivity > 0)) return NZ_OK;
    NZ_TRY(probe_open(&p));
    if (p.output_count == 0) return NZ_OK;
    NZ_TRY(measure(&noise, &p, s->nodes));
    s->before_db = s->after_db = decibels(noise);
    if (!(noise > wanted) || s->count < 2) return NZ_OK;
    NZ_TRY(try_each_alone(s, &p));
    NZ_TRY(take_out(s, &p, wanted));
    return settle(plan, ranges, s, &p);
}

/* ---- telling ---- */

nz_status nz_sensitivity_describe(char **ret_text, const nz_sensitivity *s, const nz_ptq_options *options) {
    size_t left = 0;
    for (size_t i = 0; i < s->count; i++) left += s->layers[i].left;
    if (isnan(s->before_db) || s->before_db >= options->sensitivity) return nz_strdup(ret_text, "");
    if (left == 0)
        return nz_format(
            ret_text,
            " The outputs have %.1f dB of signal over quantisation noise, below sensitivity=%g; no few layers are to "
            "blame that could stay float within float_share=%g.",
            s->before_db, options->sensitivity, options->float_share);
    return nz_format(ret_text,
                     " %zu layer%s (%.1f%% of the multiply-accumulates) stay%s float: with everything in integers the "
                     "outputs had %.1f dB of signal over quantisation noise, below sensitivity=%g; now %.1f dB.",
                     left, left == 1 ? "" : "s", s->macs_pct, left == 1 ? "s" : "", s->before_db, options->sensitivity,
                     s->after_db);
}

nz_status nz_sensitivity_report(nz_compress_report *report, const nz_sensitivity *s, const nz_graph *graph) {
    for (size_t i = 0; i < s->count; i++) {
        const nz_layer_sensitivity *l = &s->layers[i];
        char what[128];
        if (!l->left) continue;
        nz_snprintf(what, sizeof what, "stays float: %.1f%% of the outputs' noise, %.1f dB alone", l->share_pct,
                    l->alone_db);
        NZ_TRY(nz_compress_report_add(report, &graph->nodes[l->node], what, NAN, NAN));
    }
    return NZ_OK;
}
