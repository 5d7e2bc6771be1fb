/* SPDX-License-Identifier: Apache-2.0 */
/* What a whole command costs: `bench_child COMMAND [ARGUMENTS]` runs it with its output discarded and prints one JSON line with
 * wall seconds and peak resident bytes, as the kernel counts them for the child. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: bench_child COMMAND [ARGUMENTS]\n");
        return 2;
    }
    double start = now_s();
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        if (null >= 0) dup2(null, STDOUT_FILENO);
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    int status = 0;
    struct rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) != child || status != 0) {
        fprintf(stderr, "bench_child: %s failed\n", argv[1]);
        return 1;
    }
    printf("{\"seconds\": %.4f, \"bytes\": %lld}\n", now_s() - start, (long long)usage.ru_maxrss * 1024);
    return 0;
}
