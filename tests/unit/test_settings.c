// SPDX-License-Identifier: Apache-2.0
/* SMC's settings: SmcMesh's sysctls and pnet, what is done about a value that
 * is found, and the file of what was changed. */
#include "decoded.h"
#include "mesh/settings.h"
#include "node/ns_settings.h"
#include "tmpdir.h"

#define NONE MESH_SYSCTL_NONE

/* ---- SmcMesh --------------------------------------------------------------
 */

static void sysctls_are_read(void **state)
{
	_decoded_ struct decoded d = decode_spec(
		"\"sysctls\":{\"wmem\":16384,\"rmem\":1073741823,"
		"\"limit_smc_hs\":1,\"autocorking_size\":4294967295,"
		"\"smcr_max_send_wr\":2,\"smcr_max_recv_wr\":2048},"
		"\"pnet\":\"off\"");
	const struct mesh_settings *s = &d.world.config.settings;

	assert_string_equal(notes(&d), "");
	assert_int_equal(s->sysctl[MESH_SYSCTL_WMEM], 16384);
	assert_int_equal(s->sysctl[MESH_SYSCTL_RMEM], 1073741823);
	assert_int_equal(s->sysctl[MESH_SYSCTL_LIMIT_SMC_HS], 1);
	assert_int_equal(s->sysctl[MESH_SYSCTL_AUTOCORKING_SIZE], 4294967295);
	assert_int_equal(s->sysctl[MESH_SYSCTL_SMCR_MAX_SEND_WR], 2);
	assert_int_equal(s->sysctl[MESH_SYSCTL_SMCR_MAX_RECV_WR], 2048);
	assert_true(s->no_pnet);
}

static void settings_not_said_are_left_alone(void **state)
{
	static const char *const specs[] = {
		"", "\"sysctls\":{}", "\"sysctls\":null,\"pnet\":null",
		"\"sysctls\":{\"wmem\":null},\"pnet\":\"auto\""};

	for (size_t i = 0; i < array_size(specs); i++) {
		_decoded_ struct decoded d = decode_spec(specs[i]);
		const struct mesh_settings *s = &d.world.config.settings;

		assert_string_equal(notes(&d), "");
		for (unsigned int j = 0; j < MESH_SYSCTLS; j++)
			assert_int_equal(s->sysctl[j], NONE);
		assert_false(s->no_pnet);
	}
}

static const struct {
	const char *sysctls, *note;
} bad_values[] = {
	{"\"wmem\":16383",
	 "SmcMesh default: spec.sysctls.wmem is 16383, expected a number from "
	 "16384 to 1073741823; it is left as the kernel has it"},
	{"\"wmem\":1073741824", "spec.sysctls.wmem is 1073741824, expected"},
	{"\"wmem\":-1", "spec.sysctls.wmem is -1, expected"},
	{"\"wmem\":\"65536\"", "spec.sysctls.wmem is \"65536\", expected"},
	{"\"wmem\":65536.5", "spec.sysctls.wmem is 65536.5, expected"},
	{"\"limit_smc_hs\":2",
	 "spec.sysctls.limit_smc_hs is 2, expected a number from 0 to 1"},
	{"\"limit_smc_hs\":true", "spec.sysctls.limit_smc_hs is true"},
	{"\"autocorking_size\":4294967296",
	 "spec.sysctls.autocorking_size is 4294967296, expected a number from "
	 "0 to 4294967295"},
	{"\"smcr_max_send_wr\":1",
	 "spec.sysctls.smcr_max_send_wr is 1, expected a number from 2 to "
	 "2048"},
	{"\"smcr_max_recv_wr\":2049",
	 "spec.sysctls.smcr_max_recv_wr is 2049, expected"},
	{"\"tcp2smc\":1",
	 "spec.sysctls.tcp2smc is 1, expected none but wmem, rmem, "
	 "limit_smc_hs, autocorking_size, smcr_max_send_wr, smcr_max_recv_wr"},
};

static void bad_value_is_named_and_the_others_hold(void **state)
{
	for (size_t i = 0; i < array_size(bad_values); i++) {
		char spec[256];

		snprintf(spec, sizeof(spec),
			 "\"enabled\":true,\"sysctls\":{%s,\"rmem\":131072}",
			 bad_values[i].sysctls);
		_decoded_ struct decoded d = decode_spec(spec);
		const struct mesh_settings *s = &d.world.config.settings;

		assert_says(notes(&d), bad_values[i].note);
		for (unsigned int j = 0; j < MESH_SYSCTLS; j++)
			assert_int_equal(s->sysctl[j],
					 j == MESH_SYSCTL_RMEM ? 131072 : NONE);
		assert_int_equal(d.world.config.enabled, MESH_ON);
	}
}

static void bad_pnet_is_named(void **state)
{
	_decoded_ struct decoded a = decode_spec("\"pnet\":\"on\"");
	_decoded_ struct decoded b = decode_spec("\"pnet\":true");

	assert_says(notes(&a), "spec.pnet is \"on\", expected auto or off; the "
			       "default holds");
	assert_says(notes(&b), "spec.pnet is true, expected a string");
	assert_false(a.world.config.settings.no_pnet);
	assert_false(b.world.config.settings.no_pnet);
}

/* ---- one sysctl -----------------------------------------------------------
 */

static const struct {
	const char *what;
	long long is, want, before, ours; /* found, and recorded */
	enum mesh_sysctl_did did;
	long long to, then_before, then_ours;
} steps[] = {
	{"nobody wants it", 5, NONE, 0, NONE, MESH_SYSCTL_AS_IT_IS, 0, 0, NONE},
	{"set", 5, 7, 0, NONE, MESH_SYSCTL_SET, 7, 5, 7},
	{"it was so", 7, 7, 0, NONE, MESH_SYSCTL_AS_IT_IS, 0, 0, NONE},
	{"it is ours", 7, 7, 5, 7, MESH_SYSCTL_AS_IT_IS, 7, 5, 7},
	{"put back", 9, 7, 5, 7, MESH_SYSCTL_PUT_BACK, 7, 5, 7},
	{"put back from what it was", 5, 7, 5, 7, MESH_SYSCTL_PUT_BACK, 7, 5,
	 7},
	{"another value", 7, 8, 5, 7, MESH_SYSCTL_SET, 8, 5, 8},
	{"another value, as it is", 8, 8, 5, 7, MESH_SYSCTL_AS_IT_IS, 8, 5, 8},
	{"restored", 7, NONE, 5, 7, MESH_SYSCTL_RESTORED, 5, 5, NONE},
	{"as it was", 5, NONE, 5, 7, MESH_SYSCTL_AS_IT_IS, 0, 5, NONE},
	{"another's by now", 9, NONE, 5, 7, MESH_SYSCTL_LEFT, 0, 5, NONE},
	{"zero is a value", 0, 1, 0, NONE, MESH_SYSCTL_SET, 1, 0, 1},
	{"back to zero", 1, NONE, 0, 1, MESH_SYSCTL_RESTORED, 0, 0, NONE},
	{"no such sysctl", NONE, 7, 0, NONE, MESH_SYSCTL_AS_IT_IS, 0, 0, NONE},
};

static void steps_follow_from_value_wish_and_record(void **state)
{
	for (size_t i = 0; i < array_size(steps); i++) {
		struct mesh_sysctl_record r = {steps[i].before, steps[i].ours};
		long long to = 0;
		enum mesh_sysctl_did did =
			mesh_sysctl_step(steps[i].is, steps[i].want, &r, &to);

		if (did != steps[i].did || to != steps[i].to ||
		    r.before != steps[i].then_before ||
		    r.ours != steps[i].then_ours)
			fail_msg("%s: did %d to %lld, record %lld %lld",
				 steps[i].what, did, to, r.before, r.ours);
	}
}

/* ---- the file -------------------------------------------------------------
 */

static struct mesh_pnet_entry nic_entry(const char *nic, const char *id)
{
	struct mesh_pnet_entry e = {};

	strcpy(e.nic, nic);
	strcpy(e.id, id);
	return e;
}

static struct mesh_pnet_entry device_entry(const char *device, const char *id)
{
	struct mesh_pnet_entry e = {.port = 1};

	strcpy(e.device, device);
	strcpy(e.id, id);
	return e;
}

static void what_is_recorded_is_read_again(void **state)
{
	const struct mesh_pnet_entry nic = nic_entry("eth0", "A1");
	const struct mesh_pnet_entry device = device_entry("rxe0", "A1");
	const struct mesh_pnet_entry other = nic_entry("eth0", "B2");
	struct settings_file f, g;
	struct tmpdir t;

	tmpdir_make(&t);
	assert_int_equal(settings_open(t.dir, 77, 5, &f), 0);
	assert_true(settings_empty(&f));
	f.sysctl[MESH_SYSCTL_RMEM] = (struct mesh_sysctl_record){65536, 131072};
	assert_int_equal(settings_note(&f, &nic), 0);
	assert_int_equal(settings_note(&f, &device), 0);
	assert_int_equal(settings_save(&f), 0);
	settings_close(&f);

	assert_int_equal(settings_open(t.dir, 77, 0, &g), 0);
	assert_int_equal(g.inode, 5);
	assert_int_equal(g.sysctl[MESH_SYSCTL_RMEM].before, 65536);
	assert_int_equal(g.sysctl[MESH_SYSCTL_RMEM].ours, 131072);
	assert_int_equal(g.sysctl[MESH_SYSCTL_WMEM].ours, NONE);
	assert_true(settings_has(&g, &nic));
	assert_true(settings_has(&g, &device));
	assert_false(settings_has(&g, &other));
	settings_drop(&g, &nic);
	settings_drop(&g, &device);
	g.sysctl[MESH_SYSCTL_RMEM].ours = NONE;
	assert_int_equal(settings_save(&g), 0);
	assert_int_not_equal(access(tmpdir_at(&t, "settings/77"), F_OK), 0);
	settings_close(&g);
	tmpdir_remove(&t);
}

static void lines_of_others_are_left_out(void **state)
{
	const struct mesh_pnet_entry nic = nic_entry("eth0", "OK");
	struct settings_file f;
	struct tmpdir t;

	tmpdir_make(&t);
	assert_int_equal(mkdir(tmpdir_at(&t, "settings"), 0700), 0);
	tmpdir_put(&t, "settings/9",
		   "netns 12\nsysctl tcp2smc 0 1\nsysctl wmem 1\nnic eth1\n"
		   "device rxe0 A\nhello\n\nnic eth0 OK\n");
	assert_int_equal(settings_open(t.dir, 9, 0, &f), 0);
	assert_int_equal(f.pnet.n, 1);
	assert_true(settings_has(&f, &nic));
	for (unsigned int i = 0; i < MESH_SYSCTLS; i++)
		assert_int_equal(f.sysctl[i].ours, NONE);
	settings_close(&f);
	tmpdir_remove(&t);
}

/* ---- a namespace ----------------------------------------------------------
 */

/* A copy of /proc's layout stands for the namespace. */
struct space {
	struct tmpdir t;
	struct netns_ref ref;
	struct settings_want want;
	struct settings_facts facts;
};

static void has(struct space *s, const char *name, const char *value)
{
	char path[64];

	snprintf(path, sizeof(path), "sys/net/smc/%s", name);
	tmpdir_put(&s->t, path, value);
}

static struct space *space_make(void)
{
	struct space *s = calloc(1, sizeof(*s));

	tmpdir_make(&s->t);
	assert_int_equal(mkdir(tmpdir_at(&s->t, "sys"), 0700), 0);
	assert_int_equal(mkdir(tmpdir_at(&s->t, "sys/net"), 0700), 0);
	assert_int_equal(mkdir(tmpdir_at(&s->t, "sys/net/smc"), 0700), 0);
	has(s, "wmem", "65536\n");
	has(s, "rmem", "65536\n");
	has(s, "autocorking_size", "65536\n");
	s->ref = (struct netns_ref){.proc = s->t.dir, .pods = true};
	s->want.run = s->t.dir;
	mesh_settings_reset(&s->want.spec);
	return s;
}

static void space_free(struct space *s)
{
	tmpdir_remove(&s->t);
	free(s);
}

static void keep(struct space *s)
{
	settings_keep(&s->ref, &s->want, 7, 70, NULL, -1, &s->facts);
}

static void assert_sysctl(struct space *s, const char *name, long value)
{
	char path[64];
	FILE *f;
	long is = -1;

	snprintf(path, sizeof(path), "sys/net/smc/%s", name);
	f = fopen(tmpdir_at(&s->t, path), "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld", &is), 1);
	fclose(f);
	assert_int_equal(is, value);
}

static void wanted_values_are_set_kept_and_undone(void **state)
{
	struct space *s = space_make();
	_buf_ struct buf left = {}, said = {}, none = {};

	keep(s); /* nothing is wanted: nothing is recorded */
	assert_int_equal(s->facts.sysctl[MESH_SYSCTL_WMEM], 65536);
	assert_int_not_equal(access(tmpdir_at(&s->t, "settings/7"), F_OK), 0);
	s->want.spec.sysctl[MESH_SYSCTL_WMEM] = 131072;
	s->want.spec.sysctl[MESH_SYSCTL_RMEM] = 262144;
	keep(s);
	assert_string_equal(s->facts.problem, "");
	assert_string_equal(s->facts.put_back, "");
	assert_int_equal(s->facts.sysctl[MESH_SYSCTL_WMEM], 131072);
	assert_sysctl(s, "wmem", 131072);
	assert_sysctl(s, "rmem", 262144);
	assert_sysctl(s, "autocorking_size", 65536);
	has(s, "wmem", "99999\n");
	keep(s);
	assert_sysctl(s, "wmem", 131072);
	assert_says(s->facts.put_back,
		    "net.smc.wmem is 131072 again, somebody had made it 99999");

	assert_int_equal(settings_left(&s->ref, s->t.dir, 7, &left), 2);
	assert_says(left.data, "left: net.smc.wmem is 131072, before us 65536");
	assert_int_equal(settings_undo(&s->ref, s->t.dir, 7, &said), 0);
	assert_says(said.data, "net.smc.wmem is 65536 again");
	assert_sysctl(s, "wmem", 65536);
	assert_sysctl(s, "rmem", 65536);
	assert_int_equal(settings_left(&s->ref, s->t.dir, 7, &none), 0);
	assert_int_not_equal(access(tmpdir_at(&s->t, "settings/7"), F_OK), 0);
	space_free(s);
}

static void what_somebody_made_of_ours_stays_his(void **state)
{
	struct space *s = space_make();
	_buf_ struct buf left = {}, said = {};

	s->want.spec.sysctl[MESH_SYSCTL_RMEM] = 131072;
	keep(s);
	has(s, "rmem", "55555\n");
	assert_int_equal(settings_left(&s->ref, s->t.dir, 7, &left), 0);
	assert_int_equal(settings_undo(&s->ref, s->t.dir, 7, &said), 0);
	assert_says(said.data, "net.smc.rmem stays 55555, which somebody else "
			       "made of our 131072; before us it was 65536");
	assert_sysctl(s, "rmem", 55555);
	space_free(s);
}

static void value_that_is_not_wanted_any_more_goes(void **state)
{
	struct space *s = space_make();

	s->want.spec.sysctl[MESH_SYSCTL_RMEM] = 131072;
	keep(s);
	s->want.spec.sysctl[MESH_SYSCTL_RMEM] = NONE;
	s->want.spec.sysctl[MESH_SYSCTL_WMEM] = 131072;
	keep(s);
	assert_sysctl(s, "rmem", 65536);
	assert_sysctl(s, "wmem", 131072);
	space_free(s);
}

static void sysctl_that_the_kernel_lacks_is_said(void **state)
{
	struct space *s = space_make();

	s->want.spec.sysctl[MESH_SYSCTL_LIMIT_SMC_HS] = 1;
	s->want.spec.sysctl[MESH_SYSCTL_WMEM] = 131072;
	keep(s);
	assert_says(s->facts.problem,
		    "this kernel has no net.smc.limit_smc_hs, "
		    "which the SmcMesh's spec.sysctls sets "
		    "to 1");
	assert_int_equal(s->facts.sysctl[MESH_SYSCTL_LIMIT_SMC_HS], NONE);
	assert_sysctl(s, "wmem", 131072);
	space_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sysctls_are_read),
		cmocka_unit_test(settings_not_said_are_left_alone),
		cmocka_unit_test(bad_value_is_named_and_the_others_hold),
		cmocka_unit_test(bad_pnet_is_named),
		cmocka_unit_test(steps_follow_from_value_wish_and_record),
		cmocka_unit_test(what_is_recorded_is_read_again),
		cmocka_unit_test(lines_of_others_are_left_out),
		cmocka_unit_test(wanted_values_are_set_kept_and_undone),
		cmocka_unit_test(what_somebody_made_of_ours_stays_his),
		cmocka_unit_test(value_that_is_not_wanted_any_more_goes),
		cmocka_unit_test(sysctl_that_the_kernel_lacks_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
