/* SPDX-License-Identifier: Apache-2.0 */
#include "core/memory.h"

#include <pthread.h>
#include <sys/resource.h>

#include "core/file.h"
#include "test.h"

static void allocation_is_zeroed_and_an_empty_one_is_valid(void **state) {
    (void)state;
    NZ_AUTO_FREE int *numbers = NULL;
    nz_assert_ok(nz_alloc(&numbers, 100, sizeof *numbers));
    for (int i = 0; i < 100; i++) assert_int_equal(numbers[i], 0);
    NZ_AUTO_FREE char *nothing = NULL;
    nz_assert_ok(nz_alloc(&nothing, 0, 8));
    assert_non_null(nothing);
}

static void a_product_that_overflows_is_refused(void **state) {
    (void)state;
    void *p = &state;
    nz_assert_fails(nz_alloc(&p, SIZE_MAX / 2, 3), NZ_E_MEMORY, "out of memory");
    nz_assert_fails(nz_alloc_aligned(&p, SIZE_MAX / 2, 3), NZ_E_MEMORY, "out of memory");
    nz_assert_fails(nz_alloc_aligned(&p, SIZE_MAX - 3, 1), NZ_E_MEMORY, "out of memory");
    nz_arena arena = {0};
    nz_assert_fails(nz_arena_alloc(&arena, &p, SIZE_MAX / 2, 3), NZ_E_MEMORY, "out of memory");
    assert_ptr_equal(p, &state);
    nz_arena_done(&arena);
    size_t product = 7;
    assert_false(nz_mul_size(&product, SIZE_MAX, 2));
    assert_int_equal(product, 7);
    assert_true(nz_mul_size(&product, SIZE_MAX / 2, 2));
    assert_true(product == SIZE_MAX - 1);
}

static void aligned_memory_begins_at_a_cache_line(void **state) {
    (void)state;
    for (size_t bytes = 0; bytes < 300; bytes += 37) {
        NZ_AUTO_FREE char *p = NULL;
        nz_assert_ok(nz_alloc_aligned(&p, bytes, 1));
        assert_int_equal((uintptr_t)p % 64, 0);
        memset(p, 1, bytes);
    }
}

static void growing_keeps_the_content_and_zeroes_the_rest(void **state) {
    (void)state;
    NZ_AUTO_FREE int *numbers = NULL;
    size_t capacity = 0;
    for (size_t n = 1; n <= 1000; n++) {
        nz_assert_ok(nz_grow(&numbers, &capacity, n, sizeof *numbers));
        assert_true(capacity >= n);
        assert_int_equal(numbers[n - 1], 0);
        numbers[n - 1] = (int)n;
    }
    for (int i = 0; i < 1000; i++) assert_int_equal(numbers[i], i + 1);
    size_t before = capacity;
    int *same = numbers;
    nz_assert_fails(nz_grow(&numbers, &capacity, SIZE_MAX / 2, sizeof *numbers), NZ_E_MEMORY, NULL);
    assert_int_equal(capacity, before);
    assert_ptr_equal(numbers, same);
}

static void stealing_leaves_null_behind(void **state) {
    (void)state;
    char *taken;
    {
        NZ_AUTO_FREE char *owner = NULL;
        nz_assert_ok(nz_strdup(&owner, "mine"));
        taken = NZ_STEAL(owner);
        assert_null(owner);
    }
    assert_string_equal(taken, "mine");
    free(taken);
    char *none = taken = NULL;
    nz_assert_ok(nz_strdup(&none, NULL));
    assert_null(none);
}

static void *take_and_drop(void *buffer) {
    for (int i = 0; i < 10000; i++) nz_buffer_unref(nz_buffer_ref(buffer));
    nz_buffer_unref(buffer);
    return NULL;
}

static void a_buffer_lives_until_its_last_reference(void **state) {
    (void)state;
    nz_buffer *buffer = NULL;
    nz_assert_ok(nz_buffer_alloc(&buffer, 1000));
    assert_int_equal(nz_buffer_bytes(buffer), 1000);
    assert_int_equal((uintptr_t)nz_buffer_data(buffer) % 64, 0);
    for (int i = 0; i < 1000; i++) assert_int_equal(((char *)nz_buffer_data(buffer))[i], 0);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_drop, nz_buffer_ref(buffer)), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    ((char *)nz_buffer_data(buffer))[999] = 1;
    nz_buffer_unref(buffer);
    nz_buffer_unref(NULL);
    assert_null(nz_buffer_ref(NULL));
}

static void write_text(const char *path, const char *text) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void a_file_is_mapped_as_it_is(void **state) {
    (void)state;
    const char *path = nz_test_file("mapped");
    write_text(path, "some bytes");
    nz_buffer *buffer = NULL;
    nz_assert_ok(nz_buffer_map(&buffer, path));
    assert_int_equal(nz_buffer_bytes(buffer), 10);
    assert_memory_equal(nz_buffer_data(buffer), "some bytes", 10);
    nz_buffer_unref(buffer);
    write_text(path, "");
    nz_assert_ok(nz_buffer_map(&buffer, path));
    assert_int_equal(nz_buffer_bytes(buffer), 0);
    nz_buffer_unref(buffer);
}

static void what_is_no_file_is_not_mapped(void **state) {
    (void)state;
    nz_buffer *buffer = NULL;
    nz_assert_fails(nz_buffer_map(&buffer, nz_test_file("absent")), NZ_E_IO, "absent");
    nz_assert_fails(nz_buffer_map(&buffer, nz_test_dir()), NZ_E_IO, "not a regular file");
    assert_null(buffer);
}

static void an_arena_gives_separate_zeroed_aligned_memory(void **state) {
    (void)state;
    nz_arena arena = {0};
    unsigned char *pieces[200];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 200; i++) {
            size_t bytes = i * i * 7;
            nz_assert_ok(nz_arena_alloc(&arena, &pieces[i], bytes, 1));
            assert_int_equal((uintptr_t)pieces[i] % 64, 0);
            for (size_t b = 0; b < bytes; b++)
                if (pieces[i][b]) fail_msg("byte %zu of piece %zu is not zero", b, i);
            memset(pieces[i], (int)i + 1, bytes);
        }
        for (size_t i = 1; i < 200; i++) {
            assert_int_equal(pieces[i][0], (int)i + 1);
            assert_int_equal(pieces[i][i * i * 7 - 1], (int)i + 1);
        }
        nz_arena_reset(&arena);
    }
    nz_arena_done(&arena);
    assert_null(arena.first);
}

static void an_arena_reuses_its_blocks(void **state) {
    (void)state;
    nz_arena arena = {0};
    char *first = NULL, *again = NULL;
    nz_assert_ok(nz_arena_alloc(&arena, &first, 1000000, 1));
    nz_arena_reset(&arena);
    nz_assert_ok(nz_arena_alloc(&arena, &again, 1000000, 1));
    assert_ptr_equal(first, again);
    nz_arena_done(&arena);
}

static void a_lack_of_descriptors_is_a_lack_of_resources(void **state) {
    (void)state;
    const char *path = nz_test_file("bytes");
    char hex[65];
    nz_buffer *buffer = NULL;
    nz_assert_ok(nz_file_write(path, "abc", 3));
    struct rlimit kept, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &kept), 0);
    none = kept;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    nz_status mapped = nz_buffer_map(&buffer, path), hashed = nz_sha256_file(hex, path);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &kept), 0);
    assert_int_equal(mapped, NZ_E_RESOURCE);
    assert_int_equal(hashed, NZ_E_RESOURCE);
    assert_null(buffer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocation_is_zeroed_and_an_empty_one_is_valid),
        cmocka_unit_test(a_product_that_overflows_is_refused),
        cmocka_unit_test(aligned_memory_begins_at_a_cache_line),
        cmocka_unit_test(growing_keeps_the_content_and_zeroes_the_rest),
        cmocka_unit_test(stealing_leaves_null_behind),
        cmocka_unit_test(a_buffer_lives_until_its_last_reference),
        cmocka_unit_test(a_file_is_mapped_as_it_is),
        cmocka_unit_test(what_is_no_file_is_not_mapped),
        cmocka_unit_test(an_arena_gives_separate_zeroed_aligned_memory),
        cmocka_unit_test(an_arena_reuses_its_blocks),
        cmocka_unit_test(a_lack_of_descriptors_is_a_lack_of_resources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
