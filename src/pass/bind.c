/* SPDX-License-Identifier: Apache-2.0 */
#include "pass/bind.h"

void nz_sample_binding(nz_binding *ret_binding, size_t *ret_count, const nz_graph *graph, const nz_shape *sample,
                       int64_t batch) {
    *ret_count = 0;
    if (graph->input_count != 1 || sample->rank < 0) return;
    const nz_value *input = &graph->values[graph->inputs[0]];
    bool symbolic = input->shape.rank == sample->rank + 1 && sample->rank < NZ_MAX_RANK;
    bool wanted = false;
    for (int i = 1; symbolic && i < input->shape.rank; i++) wanted = wanted || input->shape.dim[i] < 0;
    if (!wanted) return;
    nz_binding binding = {.input = input->name, .shape = {.rank = input->shape.rank}};
    binding.shape.dim[0] = input->shape.dim[0] > 0 ? input->shape.dim[0] : batch;
    for (int i = 1; i < input->shape.rank; i++)
        binding.shape.dim[i] = input->shape.dim[i] < 0 ? sample->dim[i - 1] : input->shape.dim[i];
    *ret_binding = binding;
    *ret_count = 1;
}
