/* SPDX-License-Identifier: Apache-2.0 */
/* Pickles of all protocols are read as data, nothing of them is executed, and no pickle costs more than its bytes are worth. */
#include "checkpoints.h"

#include "import/pickle.h"

#define AUTO_PICKLE NZ_AUTO(nz_pickle_done) nz_pickle
#define B(literal) literal, sizeof(literal) - 1
#define READ(pickle, bytes) nz_pickle_read(&(pickle), bytes, sizeof bytes - 1, "t.pkl")

static bool text_is(const nz_pickle *p, nz_pickle_ref ref, const char *text, size_t count) {
    const nz_pickle_value *v = nz_pickle_get(p, ref);
    return v->kind == NZ_PICKLE_STRING && v->u.text.count == count && memcmp(v->u.text.data, text, count) == 0;
}

static void whole_numbers_of_every_spelling(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        int64_t value;
    } cases[] = {
        {B("I42\n."), 42},
        {B("I-7\n."), -7},
        {B("L9223372036854775807L\n."), INT64_MAX},
        {B("L-9223372036854775808L\n."), INT64_MIN},
        {B("L5\n."), 5},
        {B("K\xff."), 255},
        {B("M\x01\x80."), 32769},
        {B("J\xff\xff\xff\xff."), -1},
        {B("J\xff\xff\xff\x7f."), 2147483647},
        {B("\x8a\0."), 0},
        {B("\x8a\1\xfe."), -2},
        {B("\x8a\2\xff\0."), 255},
        {B("\x8a\x08\0\0\0\0\0\0\0\x80."), INT64_MIN},
        {B("\x8b\1\0\0\0\x11."), 17},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        AUTO_PICKLE p = {0};
        int64_t value = 0;
        nz_assert_ok(nz_pickle_read(&p, cases[i].bytes, cases[i].count, "t.pkl"));
        assert_true(nz_pickle_int(&p, p.root, &value));
        assert_int_equal(value, cases[i].value);
        assert_int_equal(p.used, cases[i].count);
    }
    AUTO_PICKLE large = {0}, digits = {0};
    nz_assert_ok(READ(large, "\x8a\x09\0\0\0\0\0\0\0\0\1."));
    assert_true(nz_pickle_is(&large, large.root, NZ_PICKLE_LONG));
    nz_assert_ok(READ(digits, "L9223372036854775808L\n."));
    assert_true(nz_pickle_is(&digits, digits.root, NZ_PICKLE_LONG));
}

static void other_scalars_of_every_spelling(void **state) {
    (void)state;
    AUTO_PICKLE p = {0};
    nz_assert_ok(READ(p, "(NI01\nI00\n\x88\x89"
                         "F-2.5\nG?\xf8\0\0\0\0\0\0t."));
    static const nz_pickle_kind kinds[] = {NZ_PICKLE_NONE, NZ_PICKLE_BOOL,  NZ_PICKLE_BOOL, NZ_PICKLE_BOOL,
                                           NZ_PICKLE_BOOL, NZ_PICKLE_FLOAT, NZ_PICKLE_FLOAT};
    static const int64_t truth[] = {0, 1, 0, 1, 0};
    for (size_t i = 0; i < NZ_COUNT(kinds); i++) {
        const nz_pickle_value *v = nz_pickle_get(&p, nz_pickle_item(&p, p.root, i));
        assert_int_equal(v->kind, kinds[i]);
        if (i && i < NZ_COUNT(truth)) assert_int_equal(v->u.integer, truth[i]);
    }
    assert_true(nz_pickle_get(&p, nz_pickle_item(&p, p.root, 5))->u.real == -2.5);
    assert_true(nz_pickle_get(&p, nz_pickle_item(&p, p.root, 6))->u.real == 1.5);
    assert_int_equal(nz_pickle_item(&p, p.root, 7), NZ_PICKLE_NOTHING);
}

static void texts_of_every_spelling(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        const char *text;
        size_t length;
    } cases[] = {
        {B("S'abc'\n."), "abc", 3},
        {B("S\"it's\"\n."), "it's", 4},
        {B("S'a\\n\\x41\\\\\\'\\101'\n."), "a\nA\\'A", 6},
        {B("Vab\\u00e9\\U0001f600\n."), "ab\xc3\xa9\xf0\x9f\x98\x80", 8},
        {B("V\xe9\n."), "\xc3\xa9", 2},
        {B("Va\\b\n."), "a\\b", 3},
        {B("V\\ud800\n."), "\xef\xbf\xbd", 3},
        {B("U\2a\0."), "a\0", 2},
        {B("T\1\0\0\0x."), "x", 1},
        {B("X\0\0\0\0."), "", 0},
        {B("\x8c\1y."), "y", 1},
        {B("\x8d\1\0\0\0\0\0\0\0z."), "z", 1},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        AUTO_PICKLE p = {0};
        nz_assert_ok(nz_pickle_read(&p, cases[i].bytes, cases[i].count, "t.pkl"));
        assert_true(text_is(&p, p.root, cases[i].text, cases[i].length));
    }
    AUTO_PICKLE p = {0};
    nz_assert_ok(READ(p, "\x80\5(C\1aB\1\0\0\0a\x8e\1\0\0\0\0\0\0\0a\x96\1\0\0\0\0\0\0\0at."));
    for (size_t i = 0; i < 4; i++) {
        assert_true(nz_pickle_is(&p, nz_pickle_item(&p, p.root, i), NZ_PICKLE_BYTES));
        assert_true(nz_pickle_text_is(&p, nz_pickle_item(&p, p.root, i), "a"));
    }
}

static void containers_of_every_spelling(void **state) {
    (void)state;
    /* Each is a tuple, list, set or dictionary of 1 and 2, or of 1: 2. */
    static const struct {
        const char *bytes;
        nz_pickle_kind kind;
    } cases[] = {
        {"(K\1K\2t.", NZ_PICKLE_TUPLE},      {"K\1K\2\x86.", NZ_PICKLE_TUPLE}, {"(K\1K\2l.", NZ_PICKLE_LIST},
        {"]K\1aK\2a.", NZ_PICKLE_LIST},      {"](K\1K\2e.", NZ_PICKLE_LIST},   {"(K\1K\2\x91.", NZ_PICKLE_SET},
        {"\x8f(K\1K\2\x90.", NZ_PICKLE_SET}, {"(K\1K\2d.", NZ_PICKLE_DICT},    {"}K\1K\2s.", NZ_PICKLE_DICT},
        {"}(K\1K\2u.", NZ_PICKLE_DICT},      {"}(K\1K\2uN0.", NZ_PICKLE_DICT}, {"}2K\1K\2s0.", NZ_PICKLE_DICT},
        {"}(K\1K\2u(NN1.", NZ_PICKLE_DICT},  {"}(0K\1K\2s.", NZ_PICKLE_DICT},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        AUTO_PICKLE p = {0};
        nz_assert_ok(nz_pickle_read(&p, cases[i].bytes, strlen(cases[i].bytes), "t.pkl"));
        const nz_pickle_value *v = nz_pickle_get(&p, p.root);
        assert_int_equal(v->kind, cases[i].kind);
        assert_int_equal(v->u.list.count, 2);
        for (size_t k = 0; k < 2; k++) assert_int_equal(nz_pickle_get(&p, v->u.list.items[k])->u.integer, k + 1);
    }
    AUTO_PICKLE p = {0};
    nz_assert_ok(READ(p, "}X\1\0\0\0aK\1sX\1\0\0\0aK\2s."));
    assert_int_equal(nz_pickle_get(&p, nz_pickle_find(&p, p.root, "a"))->u.integer, 2); /* the last one counts */
    assert_int_equal(nz_pickle_find(&p, p.root, "b"), NZ_PICKLE_NOTHING);
    assert_int_equal(nz_pickle_find(&p, 0, "a"), NZ_PICKLE_NOTHING);
}

static void memos_share(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
    } cases[] = {
        {B("(]p0\ng0\nt.")},
        {B("NNN000(]q\7h\7t.")},
        {B("(]r\2\0\0\0j\2\0\0\0t.")},
        {"N\x94"
         "0(]\x94h\1t.",
         10},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        AUTO_PICKLE p = {0};
        nz_assert_ok(nz_pickle_read(&p, cases[i].bytes, cases[i].count, "t.pkl"));
        assert_int_equal(nz_pickle_length(&p, p.root), 2);
        assert_int_equal(nz_pickle_item(&p, p.root, 0), nz_pickle_item(&p, p.root, 1));
    }
}

static void a_list_may_hold_itself(void **state) {
    (void)state;
    AUTO_PICKLE p = {0};
    nz_assert_ok(READ(p, "\x80\2]q\0h\0a."));
    assert_int_equal(nz_pickle_item(&p, p.root, 0), p.root);
}

static void classes_and_calls_are_records(void **state) {
    (void)state;
    /* os.system('touch owned') in every spelling of a call; nothing happens but a record of it */
    static const char *const cases[] = {
        "cos\nsystem\n(S'touch owned'\ntR.",     "(S'touch owned'\nios\nsystem\n.",
        "(cos\nsystem\nS'touch owned'\no.",      "cos\nsystem\n(S'touch owned'\nt\x81.",
        "cos\nsystem\n(S'touch owned'\nt}\x92.", "\x8c\2os\x8c\6system\x93(S'touch owned'\ntR.",
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        AUTO_PICKLE p = {0};
        nz_assert_ok(nz_pickle_read(&p, cases[i], strlen(cases[i]), "t.pkl"));
        assert_true(nz_pickle_is(&p, p.root, NZ_PICKLE_OBJECT));
        assert_true(nz_pickle_class_is(&p, p.root, "os", "system"));
        nz_pickle_ref args = nz_pickle_get(&p, p.root)->u.object.args;
        assert_int_equal(nz_pickle_length(&p, args), 1);
        assert_true(nz_pickle_text_is(&p, nz_pickle_item(&p, args, 0), "touch owned"));
    }
    assert_int_not_equal(access("owned", F_OK), 0);
}

static void objects_keep_what_is_put_into_them(void **state) {
    (void)state;
    AUTO_PICKLE p = {0};
    nz_assert_ok(READ(p, "ca\nB\n)\x81(K\1K\2eK\3K\4s}X\1\0\0\0xK\5sb."));
    const nz_pickle_value *v = nz_pickle_get(&p, p.root);
    assert_int_equal(nz_pickle_length(&p, v->u.object.list), 2);
    assert_int_equal(nz_pickle_get(&p, v->u.object.dict)->u.list.count, 2);
    assert_int_equal(nz_pickle_get(&p, nz_pickle_find(&p, v->u.object.state, "x"))->u.integer, 5);
    AUTO_PICKLE e = {0};
    nz_assert_ok(READ(e, "\x82\5)R."));
    assert_true(nz_pickle_class_is(&e, e.root, "copyreg", "extension"));
    AUTO_PICKLE id = {0};
    nz_assert_ok(READ(id, "(Pkey\nK\1Qt."));
    assert_true(nz_pickle_is(&id, nz_pickle_item(&id, id.root, 0), NZ_PICKLE_PERSISTENT));
    assert_true(nz_pickle_is(&id, nz_pickle_item(&id, id.root, 1), NZ_PICKLE_PERSISTENT));
}

static void broken_pickles_are_refused_by_place(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        const char *part;
        nz_status status;
    } cases[] = {
        {B(""), "byte 0: it ends too early", NZ_E_FORMAT},
        {B("N"), "byte 1: it ends too early", NZ_E_FORMAT},
        {B("."), "the stack is empty", NZ_E_FORMAT},
        {B("N\xff."), "byte 1: 0xff is no opcode", NZ_E_FORMAT},
        {B("\x80\6N."), "protocol 6", NZ_E_UNSUPPORTED},
        {B("X\xff\xff\xff\xff"), "ends too early", NZ_E_FORMAT},
        {B("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"), "ends too early", NZ_E_FORMAT},
        {B("\x8e\0\0\0\0\0\0\0\x80"), "ends too early", NZ_E_FORMAT},
        {B("\x8b\xff\xff\xff\xff"), "ends too early", NZ_E_FORMAT},
        {B("\x95\xff\0\0\0\0\0\0\0N."), "a frame that ends behind", NZ_E_FORMAT},
        {B("t."), "a mark is missing", NZ_E_FORMAT},
        {B("N(R."), "the stack is empty", NZ_E_FORMAT},
        {B("(K\1d."), "a key without a value", NZ_E_FORMAT},
        {B("}(K\1u."), "a key without a value", NZ_E_FORMAT},
        {B("Na."), "the stack is empty", NZ_E_FORMAT},
        {B("NNa."), "neither a container nor an object", NZ_E_FORMAT},
        {B("(e."), "the stack is empty", NZ_E_FORMAT},
        {B("N(0(e."), "neither a container", NZ_E_FORMAT},
        {B("N}b."), "attributes are given", NZ_E_FORMAT},
        {B("h\0."), "never put", NZ_E_FORMAT},
        {B("j\xff\xff\xff\xff."), "never put", NZ_E_FORMAT},
        {B("Nr\xff\xff\xff\xff."), "beyond what was put", NZ_E_FORMAT},
        {B("Np99999999999999999999\n."), "no or too many digits", NZ_E_FORMAT},
        {B("Np-1\n."), "other than digits", NZ_E_FORMAT},
        {B("q\0."), "the stack is empty", NZ_E_FORMAT},
        {B("Iab\n."), "something else than digits", NZ_E_FORMAT},
        {B("I-\n."), "without digits", NZ_E_FORMAT},
        {B("L"), "a line does not end", NZ_E_FORMAT},
        {B("F1.5x\n."), "something else than digits", NZ_E_FORMAT},
        {B("F\n."), "no or too many digits", NZ_E_FORMAT},
        {B("Sabc\n."), "without its quotes", NZ_E_FORMAT},
        {B("S'\n."), "without its quotes", NZ_E_FORMAT},
        {B("V\\u12\n."), "without its digits", NZ_E_FORMAT},
        {B("K\1K\2\x93."), "whose name is no string", NZ_E_FORMAT},
        {B("(o."), "an object without a class", NZ_E_FORMAT},
        {B("\x97."), "buffers outside", NZ_E_UNSUPPORTED},
        {B("cos\n"), "a line does not end", NZ_E_FORMAT},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        nz_pickle p = {0};
        nz_assert_fails(nz_pickle_read(&p, cases[i].bytes, cases[i].count, "t.pkl"), cases[i].status, cases[i].part);
        assert_non_null(strstr(nz_last_error(), "t.pkl: "));
        assert_null(p.values);
    }
}

static void nesting_of_any_depth_is_read(void **state) {
    (void)state;
    AUTO_BYTES b = {0};
    AUTO_PICKLE p = {0};
    size_t depth = 300000;
    op(&b, "N");
    for (size_t i = 0; i < depth; i++) op(&b, i % 2 ? "\x85" : "2\x86");
    op(&b, ".");
    nz_assert_ok(nz_pickle_read(&p, b.data, b.count, "t.pkl"));
    size_t found = 0;
    for (nz_pickle_ref ref = p.root; nz_pickle_length(&p, ref); ref = nz_pickle_item(&p, ref, 0)) found++;
    assert_int_equal(found, depth);
}

static void what_a_pickle_may_hold_is_bounded(void **state) {
    (void)state;
    AUTO_BYTES b = {0};
    AUTO_PICKLE p = {0};
    size_t count = (1 << 23) + 1;
    nz_assert_ok(nz_grow(&b.data, &b.capacity, count, 1));
    memset(b.data, ']', count);
    nz_assert_fails(nz_pickle_read(&p, b.data, count, "t.pkl"), NZ_E_UNSUPPORTED, "more than 8388608 objects");
    memset(b.data, '2', count);
    b.data[0] = 'N';
    nz_assert_fails(nz_pickle_read(&p, b.data, count, "t.pkl"), NZ_E_UNSUPPORTED, "hold more than");
    memset(b.data, '(', count);
    nz_assert_fails(nz_pickle_read(&p, b.data, count, "t.pkl"), NZ_E_FORMAT, "too many marks");
}

static void a_pickle_that_is_cut_anywhere_is_refused(void **state) {
    (void)state;
    AUTO_BYTES b = {0};
    op_protocol(&b);
    op(&b, "}(");
    op_text(&b, "w");
    nz_view view = {.class = "FloatStorage", .key = "0", .elements = 4, .rank = 1, .extents = {4}, .strides = {1}};
    op_tensor(&b, &view);
    op_put(&b, 1);
    op_text(&b, "n");
    op(&b, "(I12\nF1.5\nS'a\\x41'\nVb\\u00e9\nl");
    op(&b, "u.");
    for (size_t count = 0; count < b.count; count++) {
        nz_pickle p = {0};
        NZ_AUTO_FREE uint8_t *cut = malloc(count + !count);
        assert_non_null(cut);
        memcpy(cut, b.data, count);
        nz_assert_fails(nz_pickle_read(&p, cut, count, "t.pkl"), NZ_E_FORMAT, "broken pickle at byte");
    }
    AUTO_PICKLE p = {0};
    nz_assert_ok(nz_pickle_read(&p, b.data, b.count, "t.pkl"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_of_every_spelling),
        cmocka_unit_test(other_scalars_of_every_spelling),
        cmocka_unit_test(texts_of_every_spelling),
        cmocka_unit_test(containers_of_every_spelling),
        cmocka_unit_test(memos_share),
        cmocka_unit_test(a_list_may_hold_itself),
        cmocka_unit_test(classes_and_calls_are_records),
        cmocka_unit_test(objects_keep_what_is_put_into_them),
        cmocka_unit_test(broken_pickles_are_refused_by_place),
        cmocka_unit_test(nesting_of_any_depth_is_read),
        cmocka_unit_test(what_a_pickle_may_hold_is_bounded),
        cmocka_unit_test(a_pickle_that_is_cut_anywhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
