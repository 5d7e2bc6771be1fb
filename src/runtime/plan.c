/* SPDX-License-Identifier: Apache-2.0 */
/* A plan's steps and buffers, whoever decides which there are: growing, placing, binding, running. */
#include "runtime/plan.h"

#include <string.h>
#include <time.h>

#include "core/error.h"
#include "runtime/memory.h"

void nz_plan_reset(nz_plan *plan) {
    for (size_t i = 0; i < plan->step_count; i++) {
        nz_step *step = &plan->steps[i];
        if (step->self) step->kind->release(step);
        free(step->args);
        free(step->name);
        free(step->op);
        free(step->kernel);
        free(step->fused);
        free(step->times_ms);
    }
    for (size_t i = 0; i < plan->constant_count; i++) free(plan->constants[i]);
    plan->step_count = plan->buffer_count = plan->patch_count = plan->constant_count = 0;
    plan->constant_bytes = 0;
}

void nz_plan_free(nz_plan *plan) {
    if (!plan) return;
    nz_plan_reset(plan);
    free(plan->steps);
    free(plan->buffers);
    free(plan->patches);
    free(plan->constants);
    free(plan->block);
    nz_arena_done(&plan->scratch);
    nz_graph_free(plan->graph);
    free(plan);
}

nz_status nz_plan_add_buffer(nz_plan *plan, int *ret_buffer, nz_place place, size_t bytes, size_t port, void *data) {
    NZ_TRY(nz_grow(&plan->buffers, &plan->buffer_capacity, plan->buffer_count + 1, sizeof *plan->buffers));
    plan->buffers[plan->buffer_count] = (nz_plan_buffer){.place = place, .bytes = bytes, .port = port, .data = data};
    *ret_buffer = (int)plan->buffer_count++;
    return NZ_OK;
}

nz_status nz_plan_add_constant(nz_plan *plan, void *ret_memory, size_t bytes) {
    NZ_TRY(nz_grow(&plan->constants, &plan->constant_capacity, plan->constant_count + 1, sizeof *plan->constants));
    NZ_TRY(nz_alloc_aligned(&plan->constants[plan->constant_count], bytes, 1));
    *(void **)ret_memory = plan->constants[plan->constant_count++];
    plan->constant_bytes += bytes;
    return NZ_OK;
}

static nz_status fill_step(nz_step *step, const nz_plan_arg *args, size_t arg_count, const char *name, const char *op,
                           const char *kernel, bool profile) {
    NZ_TRY(nz_alloc(&step->args, arg_count, sizeof *step->args));
    if (arg_count) memcpy(step->args, args, arg_count * sizeof *args);
    step->arg_count = arg_count;
    NZ_TRY(nz_strdup(&step->name, name));
    NZ_TRY(nz_strdup(&step->op, op));
    NZ_TRY(nz_strdup(&step->kernel, kernel));
    NZ_TRY(nz_strdup(&step->fused, ""));
    if (profile) NZ_TRY(nz_alloc(&step->times_ms, NZ_PLAN_TIMES, sizeof *step->times_ms));
    return NZ_OK;
}

nz_status nz_plan_add_step(nz_plan *plan, const nz_step_kind *kind, void *self, const nz_plan_arg *args,
                           size_t arg_count, const char *name, const char *op, const char *kernel) {
    nz_step lost = {.kind = kind, .self = self};
    nz_status status = nz_grow(&plan->steps, &plan->step_capacity, plan->step_count + 1, sizeof *plan->steps);
    if (status != NZ_OK) {
        if (self) kind->release(&lost);
        return status;
    }
    nz_step *step = &plan->steps[plan->step_count++]; /* counted at once: nz_plan_free releases a half-filled one */
    *step = (nz_step){.kind = kind, .self = self, .compute = "f32"};
    return fill_step(step, args, arg_count, name, op, kernel, plan->profile);
}

/* Whether the plan's own block holds the buffer, and from which step to which it is needed. */
static nz_status lifetimes(const nz_plan *plan, nz_lifetime *items) {
    for (size_t b = 0; b < plan->buffer_count; b++) items[b] = (nz_lifetime){.first = SIZE_MAX};
    for (size_t s = 0; s < plan->step_count; s++)
        for (size_t a = 0; a < plan->steps[s].arg_count; a++) {
            int buffer = plan->steps[s].args[a].buffer;
            if (buffer < 0 || plan->buffers[buffer].place != NZ_PLACE_BLOCK) continue;
            nz_lifetime *item = &items[buffer];
            item->bytes = plan->buffers[buffer].bytes;
            if (item->first == SIZE_MAX) item->first = s;
            item->last = s;
        }
    return NZ_OK;
}

nz_status nz_plan_place(nz_plan *plan) {
    NZ_AUTO_FREE nz_lifetime *items = NULL;
    NZ_TRY(nz_alloc(&items, plan->buffer_count, sizeof *items));
    NZ_TRY(lifetimes(plan, items));
    NZ_TRY(nz_memory_place(items, plan->buffer_count, &plan->block_bytes));
    NZ_TRY(nz_alloc_aligned(&plan->block, plan->block_bytes, 1));
    memset(plan->block, 0, plan->block_bytes); /* touches the pages now, not during the first run */
    for (size_t b = 0; b < plan->buffer_count; b++)
        if (plan->buffers[b].place == NZ_PLACE_BLOCK) plan->buffers[b].data = (char *)plan->block + items[b].offset;
    for (size_t s = 0; s < plan->step_count; s++) {
        nz_step *step = &plan->steps[s];
        for (size_t a = 0; a < step->arg_count; a++) {
            if (step->args[a].buffer < 0) continue;
            const nz_plan_buffer *buffer = &plan->buffers[step->args[a].buffer];
            if (buffer->place == NZ_PLACE_BLOCK || buffer->place == NZ_PLACE_CONSTANT) {
                step->kind->bind(step, a, (char *)buffer->data + step->args[a].offset);
                continue;
            }
            NZ_TRY(nz_grow(&plan->patches, &plan->patch_capacity, plan->patch_count + 1, sizeof *plan->patches));
            plan->patches[plan->patch_count++] = (nz_plan_patch){.step = s, .arg = a};
        }
    }
    return NZ_OK;
}

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static nz_status run_profiled(nz_plan *plan) {
    double before = now_ms();
    for (size_t s = 0; s < plan->step_count; s++) {
        nz_step *step = &plan->steps[s];
        NZ_TRY(step->kind->run(step));
        double after = now_ms(); /* begins the next one too: what lies between two steps is not lost */
        step->times_ms[step->time_count++ % NZ_PLAN_TIMES] = after - before;
        before = after;
    }
    return NZ_OK;
}

nz_status nz_plan_profile(nz_plan *plan, nz_profile profile) {
    for (size_t s = 0; s < plan->step_count; s++) {
        nz_step *step = &plan->steps[s];
        if (profile == NZ_PROFILE_ON && !step->times_ms)
            NZ_TRY(nz_alloc(&step->times_ms, NZ_PLAN_TIMES, sizeof *step->times_ms));
        if (profile == NZ_PROFILE_RESET) step->time_count = 0;
    }
    if (profile != NZ_PROFILE_RESET) plan->profile = profile == NZ_PROFILE_ON;
    return NZ_OK;
}

nz_status nz_plan_run(nz_plan *plan, const nz_tensor *inputs, nz_tensor *outputs) {
    for (size_t p = 0; p < plan->patch_count; p++) {
        nz_step *step = &plan->steps[plan->patches[p].step];
        const nz_plan_arg *arg = &step->args[plan->patches[p].arg];
        const nz_plan_buffer *buffer = &plan->buffers[arg->buffer];
        void *data = buffer->place == NZ_PLACE_INPUT ? inputs[buffer->port].data : outputs[buffer->port].data;
        step->kind->bind(step, plan->patches[p].arg, (char *)data + arg->offset);
    }
    if (plan->profile) return run_profiled(plan);
    for (size_t s = 0; s < plan->step_count; s++) NZ_TRY(plan->steps[s].kind->run(&plan->steps[s]));
    return NZ_OK;
}
