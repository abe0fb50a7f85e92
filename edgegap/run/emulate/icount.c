/* A TCG plugin for QEMU's user mode: how many instructions the guest executes between marks.

   A mark is a guest's close(0x7e570000 + k), of a file that nobody has open. Each appends one line of JSON to the file
   named by the plugin's argument `out=`, and starts again at 0:

       {"mark": k, "total": ..., "mac": ..., "memory": ...}

   `mac` are vector multiply-accumulates and scalar fused ones, `memory` loads and stores. Both are null for guests
   other than AArch64, whose code is not told apart here. The encodings are from the Arm Architecture Reference Manual
   (DDI 0487), C4.1. The counters are not atomic: what counts has to be one thread.

   Debian ships no qemu-plugin.h, so the part of it that is used is declared here: version 1 of the interface, QEMU 4.2
   to 8.x (docs/devel/tcg-plugins.rst). */

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;

typedef struct {
    const char *target_name;
    struct {
        int min, cur;
    } version;
    bool system_emulation;
} qemu_info_t; /* its first fields */

struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

typedef void (*translated_t)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*syscalled_t)(qemu_plugin_id_t, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                            uint64_t, uint64_t, uint64_t);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, translated_t);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t, syscalled_t);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, enum qemu_plugin_op, void *, uint64_t);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);

EXPORT int qemu_plugin_version = 1;

struct encoding {
    uint32_t mask, value;
};

static const struct encoding MAC[] = {
    {0x9fe0fc00, 0x0e809400}, /* SDOT, UDOT */
    {0x9fc0f400, 0x0f80e000}, /* SDOT, UDOT by element */
    {0xbfe0fc00, 0x0e809c00}, /* USDOT */
    {0xbf40f400, 0x0f00f000}, /* USDOT, SUDOT by element */
    {0xdfe0f400, 0x4e80a400}, /* SMMLA, UMMLA, USMMLA */
    {0x9f20dc00, 0x0e208000}, /* SMLAL, UMLAL, SMLSL, UMLSL */
    {0x9f00b400, 0x0f002000}, /* ... by element */
    {0x9f20fc00, 0x0e209400}, /* MLA, MLS */
    {0xbf00b400, 0x2f000000}, /* ... by element */
    {0xbf20fc00, 0x0e20cc00}, /* FMLA, FMLS */
    {0xbf80b400, 0x0f801000}, /* ... by element */
    {0xbf60fc00, 0x0e400c00}, /* FMLA, FMLS of half precision */
    {0xbfc0b400, 0x0f001000}, /* ... by element */
    {0xff80b400, 0x5f801000}, /* FMLA, FMLS of scalars by element */
    {0xff000000, 0x1f000000}, /* FMADD, FMSUB, FNMADD, FNMSUB */
};

static const struct encoding MEMORY = {0x0a000000, 0x08000000}; /* the group "Loads and stores" */

static uint64_t total, mac, memory;
static bool a64;
static int64_t close_number;
static FILE *out;

static bool is(uint32_t word, struct encoding encoding) { return (word & encoding.mask) == encoding.value; }

static bool is_mac(uint32_t word) {
    for (size_t i = 0; i < sizeof MAC / sizeof MAC[0]; i++)
        if (is(word, MAC[i])) return true;
    return false;
}

static void add(struct qemu_plugin_tb *block, uint64_t *counter, uint64_t count) {
    if (count) qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, counter, count);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
    size_t count = qemu_plugin_tb_n_insns(block);
    uint64_t macs = 0, accesses = 0;
    for (size_t i = 0; a64 && i < count; i++) {
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(block, i)), sizeof word);
        macs += is_mac(word);
        accesses += is(word, MEMORY);
    }
    add(block, &total, count);
    add(block, &mac, macs);
    add(block, &memory, accesses);
    (void)id;
}

static void syscalled(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3,
                      uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
    if (number != close_number || (a1 & 0xffff0000) != 0x7e570000) return;
    fprintf(out, "{\"mark\": %u, \"total\": %" PRIu64, (unsigned)(a1 & 0xffff), total);
    if (a64)
        fprintf(out, ", \"mac\": %" PRIu64 ", \"memory\": %" PRIu64 "}\n", mac, memory);
    else
        fputs(", \"mac\": null, \"memory\": null}\n", out);
    fflush(out);
    total = mac = memory = 0;
    (void)id, (void)vcpu, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
    const char *guest = info->target_name;
    a64 = !strcmp(guest, "aarch64");
    close_number = a64 ? 57 : !strcmp(guest, "x86_64") ? 3 : 6; /* 6 is 32-bit ARM's */
    if (argc != 1 || strncmp(argv[0], "out=", 4) || !(out = fopen(argv[0] + 4, "w"))) return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, syscalled);
    return 0;
}
