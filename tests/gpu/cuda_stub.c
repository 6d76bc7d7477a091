/* libcuda.so.1 that hands out memory of the scenario's devices, and writes what it hands out to the ledger.
 *
 * Nothing is behind the addresses. Reference: the CUDA driver API, 13.
 */
#include "stub.h"

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_DEVICE = 101,
       INVALID_CONTEXT = 201, DRIVER_MISMATCH = 803, UNKNOWN = 999 };
enum { LIBRARY_MISMATCH = 18 }; /* NVML's code for what is DRIVER_MISMATCH here */

/* A device that this process sees, and what it holds there. Its primary context is the slot itself. */
struct slot { int device, part; unsigned retained; u64 context, allocated; };
struct block { u64 address, bytes; struct slot *slot; };

static struct slot slots[DEVICES];
static int visible;
static pid_t owner; /* who has initialised; a child that it forked has not */
static struct block *blocks;
static size_t count, room;
static _Thread_local struct slot *current;

static void unlock(int *ignored)
{
    (void)ignored;
    pthread_mutex_unlock(&lock);
}

/* Every call but cuInit. It always looks at the scenario: an allocation on a device just lost must fail. */
#define INSIDE                                                                                 \
    __attribute__((cleanup(unlock), unused)) int locked = pthread_mutex_lock(&lock);           \
    if (owner != getpid())                                                                     \
        return NOT_INITIALIZED;                                                                \
    refresh(1)

#define SLOT(ordinal)                                                                          \
    INSIDE;                                                                                    \
    if ((ordinal) < 0 || (ordinal) >= visible)                                                 \
        return INVALID_DEVICE;                                                                 \
    struct slot *slot = &slots[ordinal]

#define CURRENT                                                                                \
    INSIDE;                                                                                    \
    struct slot *slot = current;                                                               \
    if (!slot || !slot->retained)                                                              \
        return INVALID_CONTEXT;                                                                \
    if (lost(slot))                                                                            \
        return UNKNOWN

static int lost(const struct slot *slot)
{
    const struct device *card = &scenario.device[slot->device];
    return slot->device >= scenario.devices || card->lost || card->gone;
}

/* -- the ledger -- */

/* Replaced, never changed, so that nobody reads half of it; gone where nothing is held. */
static void publish(void)
{
    char path[4096], fresh[4112];
    u64 all = 0;
    snprintf(path, sizeof path, "%s/%d", getenv("SOAK_CUDA_LEDGER"), (int)owner);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *file = fopen(fresh, "we");
    if (!file)
        refuse("the ledger cannot be written", fresh);
    for (int i = 0; i < visible; i++) {
        const u64 held = slots[i].context + slots[i].allocated;
        if (held)
            fprintf(file, "%s %llu\n", scenario.device[slots[i].device].parts[slots[i].part].uuid,
                    (unsigned long long)held);
        all += held;
    }
    if (fclose(file) || rename(fresh, path))
        refuse("the ledger cannot be written", path);
    if (!all)
        unlink(path);
}

static u64 available(const struct slot *slot)
{
    read_ledger(1);
    return capacity(&scenario.device[slot->device], slot->part) - used(slot->device, slot->part);
}

/* -- the library -- */

static void see(int device, int part)
{
    if (visible < DEVICES)
        slots[visible++] = (struct slot){ .device = device, .part = part };
}

/* As the real one reads CUDA_VISIBLE_DEVICES: indices and UUIDs, those abbreviated too, up to the first that is none.
 * A split card cannot be seen as a whole: its first instance stands for it. */
static void look_around(void)
{
    const char *said = getenv("CUDA_VISIBLE_DEVICES");
    for (int i = 0; !said && i < scenario.devices; i++)
        see(i, scenario.device[i].mig > 0);
    char list[2048], *rest, *save;
    put(list, sizeof list, said ? said : "");
    for (char *each = strtok_r(list, ", ", &save); each; each = strtok_r(NULL, ", ", &save)) {
        int part = 0, device = (int)strtol(each, &rest, 10);
        if (*rest)
            device = find(each, 1, &part);
        if (device < 0 || device >= scenario.devices)
            return;
        see(device, part || !scenario.device[device].mig ? part : 1);
    }
}

int cuInit(unsigned flags)
{
    __attribute__((cleanup(unlock), unused)) int locked = pthread_mutex_lock(&lock);
    refresh(1);
    if (flags)
        return INVALID_VALUE;
    if (scenario.init)
        return scenario.init == LIBRARY_MISMATCH ? DRIVER_MISMATCH : NO_DEVICE;
    if (owner && owner != getpid())
        return NOT_INITIALIZED; /* the real one does not survive a fork either */
    if (!getenv("SOAK_CUDA_LEDGER"))
        refuse("no folder in", "SOAK_CUDA_LEDGER");
    if (!owner)
        look_around();
    owner = visible ? getpid() : 0;
    return visible ? SUCCESS : NO_DEVICE;
}

int cuDriverGetVersion(int *version)
{
    *version = 13000;
    return SUCCESS;
}

static const struct { int code; const char *name, *text; } ERRORS[] = {
    { SUCCESS, "CUDA_SUCCESS", "no error" },
    { INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument" },
    { OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory" },
    { NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error" },
    { NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected" },
    { INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal" },
    { INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context" },
    { DRIVER_MISMATCH, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
      "system has unsupported display driver / cuda driver combination" },
    { UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error" },
};

int cuGetErrorName(int code, const char **name)
{
    for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++)
        if (ERRORS[i].code == code) {
            *name = ERRORS[i].name;
            return SUCCESS;
        }
    *name = NULL;
    return INVALID_VALUE;
}

int cuGetErrorString(int code, const char **text)
{
    for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++)
        if (ERRORS[i].code == code) {
            *text = ERRORS[i].text;
            return SUCCESS;
        }
    *text = NULL;
    return INVALID_VALUE;
}

/* -- devices -- */

int cuDeviceGetCount(int *answer)
{
    INSIDE;
    *answer = visible;
    return SUCCESS;
}

int cuDeviceGet(int *device, int ordinal)
{
    SLOT(ordinal);
    *device = (int)(slot - slots);
    return SUCCESS;
}

int cuDeviceGetName(char *name, int size, int device)
{
    SLOT(device);
    snprintf(name, size > 0 ? (size_t)size : 0, "%s", scenario.device[slot->device].name);
    return SUCCESS;
}

/* The sixteen bytes that the text writes in hex. */
static void parse_uuid(const char *text, unsigned char *bytes)
{
    int digits = 0;
    memset(bytes, 0, 16);
    for (text += strcspn(text, "-"); *text && digits < 32; text++)
        if (isxdigit((unsigned char)*text)) {
            const char digit[] = { *text, 0 };
            bytes[digits / 2] |= (unsigned char)(strtoul(digit, NULL, 16) << (digits % 2 ? 0 : 4));
            digits++;
        }
}

int cuDeviceGetUuid_v2(unsigned char *uuid, int device)
{
    SLOT(device);
    parse_uuid(scenario.device[slot->device].parts[slot->part].uuid, uuid);
    return SUCCESS;
}

/* The older name knows cards alone. */
int cuDeviceGetUuid(unsigned char *uuid, int device)
{
    SLOT(device);
    parse_uuid(scenario.device[slot->device].parts[0].uuid, uuid);
    return SUCCESS;
}

/* -- contexts -- */

int cuDevicePrimaryCtxRetain(struct slot **context, int device)
{
    SLOT(device);
    if (lost(slot))
        return UNKNOWN;
    if (!slot->retained) {
        const u64 bytes = scenario.device[slot->device].context;
        if (available(slot) < bytes)
            return OUT_OF_MEMORY;
        slot->context = bytes;
        publish();
    }
    slot->retained++;
    *context = slot;
    return SUCCESS;
}

int cuDevicePrimaryCtxRelease_v2(int device)
{
    SLOT(device);
    if (!slot->retained)
        return INVALID_CONTEXT;
    if (--slot->retained)
        return SUCCESS;
    slot->context = slot->allocated = 0; /* the context takes its blocks along */
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (blocks[i].slot != slot)
            blocks[kept++] = blocks[i];
    count = kept;
    publish();
    return SUCCESS;
}

int cuDevicePrimaryCtxRelease(int device) { return cuDevicePrimaryCtxRelease_v2(device); }

int cuCtxSetCurrent(struct slot *context)
{
    INSIDE;
    if (context && (context < slots || context >= slots + visible || !context->retained))
        return INVALID_CONTEXT;
    current = context;
    return SUCCESS;
}

/* -- memory -- */

int cuMemGetInfo_v2(size_t *unused, size_t *total)
{
    CURRENT;
    const struct device *card = &scenario.device[slot->device];
    *unused = available(slot);
    *total = slot->part ? card->total / card->mig : card->total;
    return SUCCESS;
}

int cuMemAlloc_v2(u64 *address, size_t bytes)
{
    static u64 next = 0x7f0000000000;
    CURRENT;
    if (!bytes)
        return INVALID_VALUE;
    if (bytes > available(slot))
        return OUT_OF_MEMORY;
    if (count == room) {
        room = room ? 2 * room : 64;
        blocks = realloc(blocks, room * sizeof *blocks);
        if (!blocks)
            refuse("no host memory", "for the list of blocks");
    }
    *address = next;
    next += (bytes + 511) & ~511ull;
    blocks[count++] = (struct block){ *address, bytes, slot };
    slot->allocated += bytes;
    publish();
    return SUCCESS;
}

/* Newest first: what was taken last is mostly given back first. */
int cuMemFree_v2(u64 address)
{
    CURRENT;
    for (size_t i = count; i-- > 0;)
        if (blocks[i].address == address) {
            blocks[i].slot->allocated -= blocks[i].bytes;
            blocks[i] = blocks[--count];
            publish();
            return SUCCESS;
        }
    return INVALID_VALUE;
}
