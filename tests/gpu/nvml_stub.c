/* libnvidia-ml.so.1 that answers what the scenario says. Reference: the NVML API of the CUDA toolkit, 13. */
#include "stub.h"

enum { SUCCESS, UNINITIALIZED, INVALID_ARGUMENT, NOT_SUPPORTED, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7,
       GPU_IS_LOST = 15, VERSION_MISMATCH = 25 };
enum { CUDA_VERSION = 13000 };
#define NOWHERE 0xFFFFFFFFu     /* the instance of who is in none */
#define NOT_AVAILABLE (~0ull)
#define VERSION(type, number) ((unsigned)sizeof(type) | (number) << 24)

/* A handle says by its place which device and part it is of. */
struct handle { char nothing; };
static struct handle handles[DEVICES][1 + INSTANCES];
static int opened;

struct memory { unsigned long long total, free, used; };
struct memory_v2 { unsigned version; unsigned long long total, reserved, free, used; };
struct utilization { unsigned gpu, memory; };
struct temperature { unsigned version; int sensor, celsius; };
struct bar1 { unsigned long long total, free, used; };
struct pci { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; };
struct process { unsigned pid; unsigned long long bytes; unsigned gpu_instance, compute_instance; };

/* A call in progress: which device it is about, or why it fails. */
struct at { int code, index, part; const struct device *card; };

static void leave(struct at *at)
{
    (void)at;
    pthread_mutex_unlock(&lock);
}

/* Waits out a device that hangs, and lets the calls on other devices pass meanwhile. */
static const struct device *await(int index)
{
    refresh(0);
    while (scenario.device[index].hang && index < scenario.devices) {
        pthread_mutex_unlock(&lock);
        usleep(STALE * 1000);
        pthread_mutex_lock(&lock);
        refresh(0);
    }
    return &scenario.device[index];
}

/* What can be asked of an instance: the rest is a matter of its card. */
static int of_instance(enum group group)
{
    return group == MEMORY || group == MEMORY_V2 || group == PROCESSES || group == ALWAYS;
}

static int judge(const struct at *at, enum group group)
{
    if (at->index >= scenario.devices || at->card->lost || at->card->gone)
        return GPU_IS_LOST;
    if (at->part > (int)at->card->mig)
        return NOT_FOUND; /* the split has been undone */
    if (at->card->unsupported >> group & 1 || (at->part && !of_instance(group)))
        return NOT_SUPPORTED;
    return group == UTIL && at->card->mig ? NOT_SUPPORTED : SUCCESS; /* no driver tells it of a split card */
}

static struct at enter(const struct handle *handle, enum group group)
{
    struct at at = { 0 };
    const uintptr_t place = (uintptr_t)handle - (uintptr_t)handles; /* of one below, it is huge */
    pthread_mutex_lock(&lock);
    if (!opened || place >= sizeof handles) {
        at.code = opened ? INVALID_ARGUMENT : UNINITIALIZED;
        return at;
    }
    at.index = (int)(place / (1 + INSTANCES));
    at.part = (int)(place % (1 + INSTANCES));
    at.card = await(at.index);
    at.code = judge(&at, group);
    if (!at.code && (group == MEMORY || group == MEMORY_V2 || group == PROCESSES))
        read_ledger(0);
    return at;
}

#define ON(handle, group)                                                \
    __attribute__((cleanup(leave))) struct at at = enter(handle, group); \
    if (at.code)                                                         \
        return at.code

/* The same for calls that are about no device. */
#define INSIDE                                                       \
    __attribute__((cleanup(leave), unused)) struct at at = { 0 };    \
    pthread_mutex_lock(&lock);                                       \
    if (!opened)                                                     \
        return UNINITIALIZED;                                        \
    refresh(0)

static int say(char *to, unsigned size, const char *text)
{
    if (strlen(text) >= size)
        return INSUFFICIENT_SIZE;
    strcpy(to, text);
    return SUCCESS;
}

/* -- the library and the system -- */

int nvmlInitWithFlags(unsigned flags)
{
    (void)flags;
    pthread_mutex_lock(&lock);
    refresh(1);
    const int code = scenario.init;
    opened += !code;
    pthread_mutex_unlock(&lock);
    return code;
}

int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

int nvmlShutdown(void)
{
    INSIDE;
    opened--;
    return SUCCESS;
}

const char *nvmlErrorString(int code)
{
    static const struct { int code; const char *text; } TEXTS[] = {
        { SUCCESS, "Success" }, { UNINITIALIZED, "Uninitialized" }, { INVALID_ARGUMENT, "Invalid Argument" },
        { NOT_SUPPORTED, "Not Supported" }, { 4, "Insufficient Permissions" }, { NOT_FOUND, "Not Found" },
        { INSUFFICIENT_SIZE, "Insufficient Size" }, { 9, "Driver Not Loaded" }, { 10, "Timeout" },
        { GPU_IS_LOST, "GPU is lost" }, { 16, "GPU requires restart" }, { 18, "Driver/library version mismatch" },
        { VERSION_MISMATCH, "Argument version mismatch" },
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        if (TEXTS[i].code == code)
            return TEXTS[i].text;
    return "Unknown Error";
}

int nvmlSystemGetDriverVersion(char *version, unsigned size)
{
    INSIDE;
    return say(version, size, scenario.driver);
}

int nvmlSystemGetNVMLVersion(char *version, unsigned size)
{
    INSIDE;
    return say(version, size, "13.580.65.06");
}

int nvmlSystemGetCudaDriverVersion(int *version)
{
    INSIDE;
    *version = CUDA_VERSION;
    return SUCCESS;
}

int nvmlSystemGetCudaDriverVersion_v2(int *version) { return nvmlSystemGetCudaDriverVersion(version); }

/* -- which devices there are -- */

int nvmlDeviceGetCount_v2(unsigned *count)
{
    INSIDE;
    *count = (unsigned)scenario.devices;
    return SUCCESS;
}

static int give(int index, int part, const struct handle **handle)
{
    if (await(index)->gone)
        return GPU_IS_LOST;
    *handle = &handles[index][part];
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, const struct handle **handle)
{
    INSIDE;
    return index < (unsigned)scenario.devices ? give((int)index, 0, handle) : INVALID_ARGUMENT;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, const struct handle **handle)
{
    INSIDE;
    int part;
    const int index = find(uuid, 0, &part); /* unlike CUDA, NVML takes no abbreviation */
    return index < 0 ? NOT_FOUND : give(index, part, handle);
}

int nvmlDeviceGetName(const struct handle *handle, char *name, unsigned size)
{
    ON(handle, ALWAYS);
    char text[160];
    snprintf(text, sizeof text, at.part ? "%s MIG 1g.%llugb" : "%s", at.card->name,
             at.part ? (unsigned long long)(at.card->total / at.card->mig >> 30) : 0);
    return say(name, size, text);
}

int nvmlDeviceGetUUID(const struct handle *handle, char *uuid, unsigned size)
{
    ON(handle, ALWAYS);
    return say(uuid, size, at.card->parts[at.part].uuid);
}

int nvmlDeviceGetPciInfo_v3(const struct handle *handle, struct pci *pci)
{
    ON(handle, ALWAYS);
    memset(pci, 0, sizeof *pci);
    sscanf(at.card->pci, "%x:%x:%x", &pci->domain, &pci->bus, &pci->device);
    snprintf(pci->legacy, sizeof pci->legacy, "%04X:%02X:%02X.0", pci->domain & 0xFFFF, pci->bus & 0xFF,
             pci->device & 0xFF);
    return say(pci->bus_id, sizeof pci->bus_id, at.card->pci);
}

/* -- single numbers of a device -- */

#define GETTER(symbol, group, type, value)                       \
    int symbol(const struct handle *handle, type *answer)        \
    {                                                            \
        ON(handle, group);                                       \
        *answer = (type)(value);                                 \
        return SUCCESS;                                          \
    }

GETTER(nvmlDeviceGetMinorNumber, ALWAYS, unsigned, at.index)
GETTER(nvmlDeviceGetPersistenceMode, ALWAYS, int, 1)
GETTER(nvmlDeviceGetComputeMode, ALWAYS, int, 0)
GETTER(nvmlDeviceGetPowerUsage, POWER, unsigned, at.card->power_mw)
GETTER(nvmlDeviceGetCurrentClocksEventReasons, THROTTLE, unsigned long long, at.card->throttle)
GETTER(nvmlDeviceGetCurrentClocksThrottleReasons, THROTTLE, unsigned long long, at.card->throttle)
GETTER(nvmlDeviceGetPcieReplayCounter, REPLAYS, unsigned, at.card->pcie_replays)
GETTER(nvmlDeviceGetMaxMigDeviceCount, MIG, unsigned, at.card->mig ? INSTANCES : 0)
GETTER(nvmlDeviceIsMigDeviceHandle, ALWAYS, unsigned, at.part > 0)

int nvmlDeviceGetTemperature(const struct handle *handle, int sensor, unsigned *celsius)
{
    ON(handle, TEMP);
    if (sensor)
        return INVALID_ARGUMENT;
    *celsius = (unsigned)at.card->temp;
    return SUCCESS;
}

int nvmlDeviceGetTemperatureV(const struct handle *handle, struct temperature *temperature)
{
    ON(handle, TEMP);
    if (temperature->version != VERSION(struct temperature, 1))
        return VERSION_MISMATCH;
    if (temperature->sensor)
        return INVALID_ARGUMENT;
    temperature->celsius = (int)at.card->temp;
    return SUCCESS;
}

int nvmlDeviceGetClockInfo(const struct handle *handle, int clock, unsigned *mhz)
{
    ON(handle, CLOCKS);
    if (clock < 0 || clock > 3)
        return INVALID_ARGUMENT;
    *mhz = (unsigned)(clock == 2 ? at.card->mem_clock : at.card->sm_clock);
    return SUCCESS;
}

int nvmlDeviceGetTotalEccErrors(const struct handle *handle, int kind, int counter, unsigned long long *count)
{
    ON(handle, ECC);
    if (kind < 0 || kind > 1 || counter < 0 || counter > 1)
        return INVALID_ARGUMENT;
    *count = kind ? at.card->ecc_uncorrected : at.card->ecc_corrected;
    return SUCCESS;
}

/* -- several numbers of a device -- */

int nvmlDeviceGetEccMode(const struct handle *handle, int *current, int *pending)
{
    ON(handle, ECC);
    *current = *pending = 1;
    return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(const struct handle *handle, struct utilization *rates)
{
    ON(handle, UTIL);
    *rates = (struct utilization){ (unsigned)at.card->gpu_util, (unsigned)at.card->mem_util };
    return SUCCESS;
}

int nvmlDeviceGetRemappedRows(const struct handle *handle, unsigned *corrected, unsigned *uncorrected,
                              unsigned *pending, unsigned *failed)
{
    ON(handle, REMAPPED);
    unsigned *const to[] = { corrected, uncorrected, pending, failed };
    for (int i = 0; i < 4; i++)
        *to[i] = (unsigned)at.card->remapped[i];
    return SUCCESS;
}

int nvmlDeviceGetBAR1MemoryInfo(const struct handle *handle, struct bar1 *bar1)
{
    ON(handle, BAR1);
    *bar1 = (struct bar1){ at.card->bar1[0], at.card->bar1[0] - at.card->bar1[1], at.card->bar1[1] };
    return SUCCESS;
}

/* Version 1 counts the driver's own share as used, version 2 tells it apart; free is the same in both. */
static struct memory_v2 memory(const struct at *at)
{
    const u64 total = at->part ? at->card->total / at->card->mig : at->card->total;
    const u64 can = capacity(at->card, at->part), is = used(at->index, at->part);
    return (struct memory_v2){ VERSION(struct memory_v2, 2), total, total - can, can - is, is };
}

int nvmlDeviceGetMemoryInfo(const struct handle *handle, struct memory *info)
{
    ON(handle, MEMORY);
    const struct memory_v2 is = memory(&at);
    *info = (struct memory){ is.total, is.free, is.used + is.reserved };
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo_v2(const struct handle *handle, struct memory_v2 *info)
{
    ON(handle, MEMORY_V2);
    if (info->version != VERSION(struct memory_v2, 2))
        return VERSION_MISMATCH;
    *info = memory(&at);
    return SUCCESS;
}

/* -- who holds memory -- */

struct list { unsigned n; struct process at[4 * HOLDERS]; };

/* Once for each process and part, however many sources know of it. */
static void add(struct list *list, int part, unsigned pid, u64 bytes)
{
    const unsigned gpu_instance = part ? (unsigned)part : NOWHERE, compute_instance = part ? 0 : NOWHERE;
    unsigned i = 0;
    while (i < list->n && (list->at[i].pid != pid || list->at[i].gpu_instance != gpu_instance))
        i++;
    if (i == sizeof list->at / sizeof *list->at)
        refuse("too many processes", "on one device");
    if (i == list->n)
        list->at[list->n++] = (struct process){ pid, 0, gpu_instance, compute_instance };
    list->at[i].bytes += bytes;
}

static void collect(struct list *list, const struct at *at)
{
    for (int part = at->part; part <= (at->part ? at->part : (int)at->card->mig); part++) {
        const struct holders *sources[] = { &at->card->parts[part].processes, &ledger[at->index][part] };
        for (int source = 0; source < 2; source++)
            for (int i = 0; i < sources[source]->n; i++)
                add(list, part, sources[source]->at[i].pid, sources[source]->at[i].bytes);
    }
    if (!at->part && at->card->curve_pid)
        add(list, 0, (unsigned)at->card->curve_pid, curve(at->card));
}

int nvmlDeviceGetComputeRunningProcesses_v3(const struct handle *handle, unsigned *count, struct process *processes)
{
    ON(handle, PROCESSES);
    static struct list list; /* under the lock */
    list.n = 0;
    if (!scenario.hide_processes)
        collect(&list, &at);
    const unsigned room = *count;
    *count = list.n;
    if (list.n > room)
        return INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < list.n; i++) {
        processes[i] = list.at[i];
        processes[i].pid += (unsigned)scenario.pid_offset;
        if (at.card->no_process_memory)
            processes[i].bytes = NOT_AVAILABLE;
    }
    return SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v2(const struct handle *handle, unsigned *count, struct process *processes)
{
    return nvmlDeviceGetComputeRunningProcesses_v3(handle, count, processes);
}

/* Nobody draws. */
int nvmlDeviceGetGraphicsRunningProcesses_v3(const struct handle *handle, unsigned *count, struct process *processes)
{
    (void)processes;
    ON(handle, PROCESSES);
    *count = 0;
    return SUCCESS;
}

int nvmlDeviceGetGraphicsRunningProcesses_v2(const struct handle *handle, unsigned *count, struct process *processes)
{
    return nvmlDeviceGetGraphicsRunningProcesses_v3(handle, count, processes);
}

/* -- instances -- */

int nvmlDeviceGetMigMode(const struct handle *handle, unsigned *current, unsigned *pending)
{
    ON(handle, MIG);
    *current = *pending = at.card->mig > 0;
    return SUCCESS;
}

int nvmlDeviceGetMigDeviceHandleByIndex(const struct handle *handle, unsigned index, const struct handle **instance)
{
    ON(handle, MIG);
    if (index >= INSTANCES)
        return INVALID_ARGUMENT;
    if (index >= at.card->mig)
        return NOT_FOUND;
    *instance = &handles[at.index][1 + index];
    return SUCCESS;
}

int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(const struct handle *handle, const struct handle **card)
{
    ON(handle, ALWAYS);
    *card = &handles[at.index][0];
    return at.part ? SUCCESS : INVALID_ARGUMENT;
}

int nvmlDeviceGetGpuInstanceId(const struct handle *handle, unsigned *id)
{
    ON(handle, ALWAYS);
    *id = (unsigned)at.part;
    return at.part ? SUCCESS : INVALID_ARGUMENT;
}

int nvmlDeviceGetComputeInstanceId(const struct handle *handle, unsigned *id)
{
    ON(handle, ALWAYS);
    *id = 0;
    return at.part ? SUCCESS : INVALID_ARGUMENT;
}
