/* SPDX-License-Identifier: Apache-2.0 */
/* A worker as its machine's doctor: peaks and all, so that another machine says what it can measure. */
#include "compare/doctor.h"
#include "compare/worker.h"
#include "core/error.h"

/* What is done goes to the parent, who would otherwise take a long silence for death. */
static int tell(void *user, const char *what, unsigned long long done, unsigned long long total) {
    (void)what;
    return nz_worker_progress(user, (size_t)done, (size_t)total) == NZ_OK ? 0 : 1;
}

nz_status nz_worker_doctor(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    NZ_AUTO_JSON json_t *doctor = NULL;
    const nz_doctor_options options = {.quick = json_is_true(json_object_get(request, "quick"))};
    const nz_progress progress = {.step = tell, .user = worker};
    NZ_TRY(nz_doctor_json(&doctor, &options, &progress));
    return nz_worker_answer(ret_answer, json_pack("{s:O}", "doctor", doctor));
}
