/* SPDX-License-Identifier: Apache-2.0 */
#include "core/sha256.h"
#include "core/file.h"
#include "core/random.h"
#include "test.h"

/* FIPS 180-2, appendix B, and NIST's example of the empty message. */
static void the_standards_examples_hold(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char hex[65];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nz_sha256(hex, cases[i][0], strlen(cases[i][0]));
        assert_string_equal(hex, cases[i][1]);
    }
}

static void a_million_letters_hash_the_same_in_memory_and_in_a_file(void **state) {
    (void)state;
    static char letters[1000000];
    static const char expected[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    char hex[65];
    memset(letters, 'a', sizeof letters);
    nz_sha256(hex, letters, sizeof letters);
    assert_string_equal(hex, expected);
    nz_assert_ok(nz_file_write(nz_test_file("letters"), letters, sizeof letters));
    nz_assert_ok(nz_sha256_file(hex, nz_test_file("letters")));
    assert_string_equal(hex, expected);
}

/* Where the padding just fits into a block and where it just does not; expected values by coreutils' sha256sum. */
static void lengths_around_a_block_are_padded_right(void **state) {
    (void)state;
    static const struct {
        size_t count;
        const char *hex;
    } cases[] = {
        {55, "5a383411d906da80612f366cb9b90ae54bcf6e7743b4117ace0884d98cd159ca"},
        {56, "c66a5b692b9a20229733ef8b87cfec52679c86a0c0245643484c46d4dcd82afa"},
        {63, "85021e4907c21645631d596eee989bf43c2cd56b074175d5393804dbf1744412"},
        {64, "72996563049cc84daa2c3f31fd5c3d10770e69d6ebbb8da5b6d76db303dbae43"},
        {65, "57685f5e43ddac1567f4d404c357c44bab70744b8b6af6009760389170c5c062"},
        {119, "de05957e72aca438f9b0c770cb2ee7fa0e58e08eb54536478db136d54c097abb"},
        {120, "46a063da7dc0c878899dfc50adf2558256652c05dd1afc0b1341f7608c7a4776"},
        {128, "8169c725edd39f00140ffcf57c45b9c5143e2ffe375869e4cf2805342715d2b1"},
    };
    char letters[128], hex[65];
    memset(letters, 'z', sizeof letters);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nz_sha256(hex, letters, cases[i].count);
        assert_string_equal(hex, cases[i].hex);
    }
}

static void the_processors_instructions_agree_with_plain_c(void **state) {
    (void)state;
    enum { BLOCKS = 19 };
    if (!nz_sha256_x86_usable()) nz_test_skip("this processor has no instructions for SHA-256");
    unsigned char bytes[64 * BLOCKS];
    uint32_t plain[8], fast[8];
    nz_random random;
    nz_random_init(&random, 7, 0);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)nz_random_below(&random, 256);
    for (size_t blocks = 0; blocks <= BLOCKS; blocks++) {
        for (int i = 0; i < 8; i++) plain[i] = fast[i] = (uint32_t)nz_random_u64(&random);
        nz_sha256_plain(plain, bytes, blocks);
        nz_sha256_x86(fast, bytes, blocks);
        assert_memory_equal(plain, fast, sizeof plain);
    }
}

static void an_unreadable_file_is_an_error(void **state) {
    (void)state;
    char hex[65] = "untouched";
    nz_assert_fails(nz_sha256_file(hex, nz_test_file("absent")), NZ_E_IO, "absent");
    nz_assert_fails(nz_sha256_file(hex, nz_test_dir()), NZ_E_IO, "cannot be read");
    assert_string_equal(hex, "untouched");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_standards_examples_hold),
        cmocka_unit_test(a_million_letters_hash_the_same_in_memory_and_in_a_file),
        cmocka_unit_test(lengths_around_a_block_are_padded_right),
        cmocka_unit_test(the_processors_instructions_agree_with_plain_c),
        cmocka_unit_test(an_unreadable_file_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
